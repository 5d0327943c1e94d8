"""Plot of the tree of a layer."""

from matplotlib.collections import LineCollection
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from keras_multires._validation import check_integer
from keras_multires._validation import require
from keras_multires.layers import MultiresConv
from keras_multires.layers import MultiresLayer
from keras_multires.ops import Tree
from keras_multires.visualization._axes import approximation_name
from keras_multires.visualization._axes import axes_or_new
from keras_multires.visualization._axes import details_name
from keras_multires.visualization._axes import legend_below
from keras_multires.visualization._axes import size_points

__all__ = ["plot_tree"]

# A plot of more steps is hard to read.
MAX_DEFAULT_STEPS = 64
LARGEST_NODE_POINTS = 11
LARGEST_SIZE_INCHES = 14, 10

APPROXIMATION_COLOUR, DETAIL_COLOUR = "C0", "C1"
NOW = {"color": "0.15", "linewidth": 1.4}
EARLIER = {"color": "0.75", "linewidth": 0.8}
NODE = {
    "marker": "o",
    "linestyle": "none",
    "markeredgecolor": "0.15",
    "markeredgewidth": 0.8,
}


def plot_tree(tree, length=None, ax=None):
    """Draws the tree of coefficients that the current output depends on.

    Columns are time steps, the current one at the right. Rows are levels, the
    inputs at the bottom. A node of level `j` is the approximation `a_j` and the
    detail `b_j` of a time step. Lines lead to it from the nodes that the two
    filters combine: those of the level below that are `2^(j-1)` steps apart.
    The lines into the current time step are dark. The nodes of earlier steps
    were computed at those steps. Coloured nodes are the coefficients that the
    current time step remembers. Their names are at the right.

    Args:
        tree: A `keras_multires.ops.Tree`, or a built `MultiresLayer` or
            `MultiresConv`.
        length: Integer, number of time steps to draw. Defaults to the receptive
            field, but at most 64.
        ax: Axes to draw on. Defaults to those of a new figure, whose size fits
            the tree.

    Returns:
        The figure.

    Raises:
        ValueError: if `tree` is neither a `Tree` nor a built layer of one of
            the two classes, or `length` is not a positive integer.

    Example:

    >>> tree = keras_multires.ops.Tree.of(kernel_size=2, depth=4)
    >>> visualization.plot_tree(tree).savefig("tree.png")
    """
    is_layer = isinstance(tree, (MultiresConv, MultiresLayer)) and tree.built
    tree = tree.tree if is_layer else tree
    expected = "`tree` must be a `Tree`, or a built `MultiresConv` or "
    expected += "`MultiresLayer`."
    require(isinstance(tree, Tree), expected, tree=tree)
    if length is None:
        length = MAX_DEFAULT_STEPS
    length = min(check_integer("length", length), tree.receptive_field)
    ax = axes_or_new(ax, _figure_size_inches(tree, length))
    points = _node_points(ax, tree, length)
    _draw_nodes(ax, range(length), 0, "0.15", 0.5 * points)
    for level in tree.levels:
        lags = _node_lags(tree, level, length)
        _draw_convolutions(ax, tree, level, lags)
        others, held = lags[level.count :], lags[: level.count]
        for nodes, colour in ((others, "white"), (held, DETAIL_COLOUR)):
            if nodes:  # without a point, a line would take room at (0, 0)
                _draw_nodes(ax, nodes, level.number, colour, points)
    _draw_root(ax, tree, points)
    _label_axes(ax, tree, length)
    _name_memory(ax, tree, 0.5 * points)
    legend_below(
        ax,
        handles=_legend_handles(),
        ncols=2,
        fontsize="small",
        frameon=False,
    )
    return ax.figure


def _label_axes(ax, tree, length):
    """Labels levels and lags; time runs to the right."""
    margin = 0.01 * length
    ax.set_xlim(length - 1 + margin, -margin)
    ax.set_ylim(-0.4, tree.depth + 0.4)
    ax.set_xlabel("lag (time steps)")
    ax.set_ylabel("level")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    ax.set_yticks(range(tree.depth + 1), ["inputs", *range(1, tree.depth + 1)])
    ax.tick_params(axis="y", length=0)
    ax.spines[:].set_visible(False)


def _node_lags(tree, level, length):
    """Lags of the nodes of a level that the current output depends on."""
    # The oldest of them depends on the oldest input.
    end = tree.receptive_field - level.receptive_field + 1
    return range(0, min(end, length), level.spacing)


def _draw_convolutions(ax, tree, level, lags):
    """Draws the lines into the nodes of a level."""
    dilation = level.spacing // 2
    lines = [
        [(lag + tap * dilation, level.number - 1), (lag, level.number)]
        for lag in lags
        for tap in range(tree.kernel_size)
    ]
    now, earlier = lines[: tree.kernel_size], lines[tree.kernel_size :]
    ax.add_collection(LineCollection(earlier, zorder=1, **EARLIER))
    ax.add_collection(LineCollection(now, zorder=1.5, **NOW))


def _draw_nodes(ax, lags, row, colour, points, **options):
    ax.plot(
        lags,
        [row] * len(lags),
        markersize=points,
        markerfacecolor=colour,
        clip_on=False,
        **NODE,
        **options,
    )


def _draw_root(ax, tree, points):
    """Draws the approximation, over half of its detail if that is held too."""
    _draw_nodes(
        ax,
        [0],
        tree.depth,
        APPROXIMATION_COLOUR,
        points,
        fillstyle="left" if tree.levels[-1].count else "full",
        markerfacecoloralt=DETAIL_COLOUR,
    )


def _figure_size_inches(tree, length):
    """Width and height of a figure that fits the tree."""
    largest_width, largest_height = LARGEST_SIZE_INCHES
    width = min(max(2 + 0.3 * length, 6.4), largest_width)
    return width, min(2 + 0.6 * tree.depth, largest_height)


def _node_points(ax, tree, length):
    """Diameter of nodes that do not touch their neighbours."""
    width, height = size_points(ax)
    spacing_points = min(width / length, height / (tree.depth + 1))
    return min(LARGEST_NODE_POINTS, 0.7 * spacing_points)


def _name_memory(ax, tree, radius_points):
    """Names the remembered coefficients at the right of their level."""
    names = [
        details_name(level) if level.count else "" for level in tree.levels
    ]
    root_names = [approximation_name(tree), names[-1]]
    names[-1] = ", ".join(name for name in root_names if name)
    right = ax.secondary_yaxis("right")
    right.set_yticks(range(1, tree.depth + 1), names)
    right.tick_params(length=0, pad=radius_points + 3)
    right.spines[:].set_visible(False)
    noun = "coefficient" if tree.memory_size == 1 else "coefficients"
    title = f"memory: {tree.memory_size:,} {noun}"
    ax.set_title(title, loc="right", fontsize="medium")


def _legend_handles():
    nodes = [
        Line2D([], [], markerfacecolor=colour, label=label, **NODE)
        for colour, label in (
            (APPROXIMATION_COLOUR, "remembered approximation"),
            (DETAIL_COLOUR, "remembered detail"),
            ("white", "not remembered"),
        )
    ]
    lines = [
        Line2D([], [], label="computed now", **NOW),
        Line2D([], [], label="computed earlier", **EARLIER),
    ]
    return nodes + lines
