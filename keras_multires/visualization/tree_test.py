import matplotlib
import numpy as np
import pytest
from matplotlib import pyplot as plt
from matplotlib.collections import LineCollection
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from keras_multires import visualization
from keras_multires.layers import MultiresBlock
from keras_multires.layers import MultiresConv
from keras_multires.layers import MultiresLayer
from keras_multires.ops import Tree

matplotlib.use("agg")

APPROXIMATION, DETAIL, OTHER = map(to_hex, ("C0", "C1", "white"))

TREES = [
    Tree.of(2, 4),
    Tree.of(4, 3),
    Tree.of(2, 4, "uniform", 6),
    Tree.of(3, 3, "uniform", 12),
    Tree.of(2, 3, "uniform", 1),
]


@pytest.fixture
def ax():
    return Figure().subplots()


def drawn_nodes(ax):
    """Sets of (lag, level) of the nodes of each colour."""
    found = {}
    for line in ax.lines:
        nodes = found.setdefault(to_hex(line.get_markerfacecolor()), set())
        nodes |= {tuple(map(int, point)) for point in line.get_xydata()}
    return found


def all_nodes(ax):
    return set().union(*drawn_nodes(ax).values())


def drawn_edges(ax):
    """Edges from the lower to the upper node, as pairs of (lag, level)."""
    collections = [c for c in ax.collections if isinstance(c, LineCollection)]
    return [
        tuple(tuple(map(int, end)) for end in segment)
        for collection in collections
        for segment in collection.get_segments()
    ]


def slow_edges(tree):
    """The edges that lead to the root, by the definition of the tree."""
    edges, nodes = set(), {(0, tree.depth)}
    for level in range(tree.depth, 0, -1):
        for lag in [lag for lag, row in nodes if row == level]:
            for tap in range(tree.kernel_size):
                below = (lag + tap * 2 ** (level - 1), level - 1)
                edges.add((below, (lag, level)))
                nodes.add(below)
    return edges


def right_labels(ax):
    (right,) = ax.child_axes
    labels = [text.get_text() for text in right.get_yticklabels()]
    return dict(zip(right.get_yticks(), labels, strict=True))


@pytest.mark.parametrize("tree", TREES)
def test_the_edges_are_those_that_lead_to_the_current_output(tree, ax):
    figure = visualization.plot_tree(tree, ax=ax)
    assert figure is ax.figure
    edges = drawn_edges(ax)
    expected = slow_edges(tree)
    assert set(edges) == expected
    assert len(edges) == len(expected)


@pytest.mark.parametrize("tree", TREES)
def test_every_node_of_the_tree_is_drawn(tree, ax):
    visualization.plot_tree(tree, ax=ax)
    ends = {end for edge in slow_edges(tree) for end in edge}
    assert all_nodes(ax) == ends


@pytest.mark.parametrize("tree", TREES)
def test_the_remembered_coefficients_are_coloured(tree, ax):
    visualization.plot_tree(tree, ax=ax)
    nodes = drawn_nodes(ax)
    assert nodes[APPROXIMATION] == {(0, tree.depth)}
    expected = {
        (i * 2**level, level)
        for level, count in zip(
            range(tree.depth, 0, -1), tree.counts, strict=True
        )
        for i in range(count)
    }
    assert nodes.get(DETAIL, set()) == expected
    assert expected.isdisjoint(nodes.get(OTHER, set()))
    # The root shows its approximation, and half of it its detail.
    root = ax.lines[-1]
    assert root.get_fillstyle() == ("left" if tree.counts[0] else "full")
    assert to_hex(root.get_markerfacecoloralt()) == DETAIL


def test_the_edges_into_the_current_step_are_dark(ax):
    visualization.plot_tree(Tree.of(3, 3), ax=ax)
    for collection in ax.collections:
        is_dark = sum(collection.get_color()[0][:3]) < 1
        for segment in collection.get_segments():
            (_, _), (lag, _) = segment
            assert is_dark == (lag == 0)


def test_levels_and_remembered_coefficients_are_named(ax):
    visualization.plot_tree(Tree.of(2, 4, "uniform", 5), ax=ax)
    labels = [text.get_text() for text in ax.get_yticklabels()]
    assert labels == ["inputs", "1", "2", "3", "4"]
    assert ax.get_ylabel() == "level"
    assert ax.get_xlabel() == "lag (time steps)"
    assert right_labels(ax) == {
        1: "",
        2: "$b_{2}$",
        3: r"$2 \times b_{3}$",
        4: "$a_{4}$, $b_{4}$",
    }
    assert ax.get_title(loc="right") == "memory: 5 coefficients"


def test_an_approximation_that_is_remembered_alone_is_named(ax):
    visualization.plot_tree(Tree.of(2, 2, "uniform", 1), ax=ax)
    assert right_labels(ax) == {1: "", 2: "$a_{2}$"}
    assert ax.get_title(loc="right") == "memory: 1 coefficient"


def test_time_runs_to_the_right(ax):
    visualization.plot_tree(Tree.of(2, 4), ax=ax)
    oldest, newest = ax.get_xlim()
    assert oldest >= 15
    assert newest <= 0


def test_a_length_limits_the_steps_that_are_drawn(ax):
    tree = Tree.of(2, 10)
    visualization.plot_tree(tree, 20, ax=ax)
    assert all_nodes(ax) == {
        (lag, level) for level in range(11) for lag in range(0, 20, 2**level)
    }
    # Lines may lead out of the picture, but it ends after the 20 steps.
    assert 19 <= ax.get_xlim()[0] < 20


@pytest.mark.parametrize(("depth", "expected"), [(3, 8), (63, 64)])
def test_by_default_at_most_64_steps_are_drawn(depth, expected, ax):
    visualization.plot_tree(Tree.of(2, depth), ax=ax)
    inputs = {lag for lag, level in all_nodes(ax) if level == 0}
    assert inputs == set(range(expected))


@pytest.mark.parametrize("layer_class", [MultiresConv, MultiresLayer])
def test_the_tree_of_a_layer_is_drawn(layer_class, ax):
    layer = layer_class(kernel_size=3)
    layer.build((None, 9, 2))
    visualization.plot_tree(layer, ax=ax)
    # Two levels of 3 taps cover 7 steps, three levels cover 15.
    assert set(drawn_edges(ax)) == slow_edges(Tree.of(3, 3))


@pytest.mark.parametrize("tree", [Tree.of(2, 4), Tree.of(2, 10)])
def test_nodes_do_not_touch(tree):
    figure = visualization.plot_tree(tree)
    figure.draw_without_rendering()
    (ax,) = figure.axes
    length = round(ax.get_xlim()[0]) + 1
    column_points = ax.bbox.width * 72 / figure.dpi / length
    assert max(line.get_markersize() for line in ax.lines) < column_points
    plt.close(figure)


def test_everything_fits_into_the_new_figure():
    figure = visualization.plot_tree(Tree.of(4, 3, "uniform", 12))
    figure.draw_without_rendering()
    box = figure.get_tightbbox()
    width, height = figure.get_size_inches()
    assert box.x0 >= 0
    assert box.y0 >= 0
    assert box.x1 <= width
    assert box.y1 <= height
    plt.close(figure)


@pytest.mark.parametrize(
    "tree", [MultiresLayer(), MultiresBlock(), 4, None, (2, (1, 1))]
)
def test_what_is_neither_a_tree_nor_a_built_layer_is_refused(tree):
    before = plt.get_fignums()
    with pytest.raises(ValueError, match=r"`tree`.*`Tree`.*Received: tree="):
        visualization.plot_tree(tree)
    assert plt.get_fignums() == before


@pytest.mark.parametrize("length", [0, 1.5, "16", np.nan])
def test_a_length_that_is_not_a_positive_integer_is_refused(length):
    with pytest.raises(ValueError, match=r"`length`.*Received: length="):
        visualization.plot_tree(Tree.of(2, 3), length)
