import copy
import pickle

import numpy as np
import pytest

from keras_multires.ops.tree import Tree


def dependency_tree(kernel_size, depth):
    """Lags of the details that `a_J[n]` depends on, by walking the tree."""
    lags_of_level = {}
    approximation_lags = {0}
    for level in range(depth, 0, -1):
        # A coefficient and its sibling are made of the same finer inputs.
        lags_of_level[level] = sorted(approximation_lags)
        approximation_lags = {
            lag + 2 ** (level - 1) * k
            for lag in approximation_lags
            for k in range(kernel_size)
        }
    return lags_of_level


@pytest.mark.parametrize("kernel_size", range(2, 9))
@pytest.mark.parametrize("depth", range(1, 8))
def test_uniform_memory_holds_the_dependency_tree(kernel_size, depth):
    lags_of_level = dependency_tree(kernel_size, depth)
    size = 1 + sum(map(len, lags_of_level.values()))

    tree = Tree.of(kernel_size, depth, "uniform", size)

    assert tree.memory_size == size
    for level in tree.levels:
        lags = [i * level.spacing for i in range(level.count)]
        assert lags == lags_of_level[level.number]
    with pytest.raises(ValueError, match=f"`memory_size` .*at most {size}"):
        Tree.of(kernel_size, depth, "uniform", size + 1)


@pytest.mark.parametrize("memory_size", range(1, 13))
def test_uniform_memory_takes_levels_coarse_to_fine(memory_size):
    whole = (1, 3, 7)

    counts = Tree.of(3, 3, "uniform", memory_size).counts

    assert 1 + sum(counts) == memory_size
    cut = [i for i, count in enumerate(counts) if count < whole[i]]
    assert all(counts[i] == 0 for i in cut[1:])


def test_fading_memory_holds_one_coefficient_of_each_level():
    assert Tree.of(4, 5).counts == (1,) * 5
    assert Tree.of(4, 5, memory_size=6) == Tree.of(4, 5)


@pytest.mark.parametrize(
    ("kernel_size", "deepest"), [(2, 63), (3, 62), (4, 61), (2**31 - 1, 32)]
)
def test_the_look_back_of_a_tree_fits_into_an_int64(kernel_size, deepest):
    look_back = Tree.of(kernel_size, deepest).receptive_field - 1
    assert look_back <= 2**63 - 1 < 2 * look_back + kernel_size - 1
    with pytest.raises(ValueError, match=f"`depth` .*at most {deepest}"):
        Tree.of(kernel_size, deepest + 1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((1, 3), "kernel_size=1"),
        ((2.0, 3), "kernel_size=2.0"),
        ((2, 0), "depth=0"),
        ((2, True), "depth=True"),
        ((2, 3, "forgetful"), "memory='forgetful'"),
        ((2, 3, "fading", 3), "memory_size=3"),
        ((2, 3, "uniform"), "memory_size=None"),
        ((2, 3, "uniform", 0), "memory_size=0"),
        ((2, 3, "uniform", 9), "memory_size=9"),
    ],
)
def test_errors_name_the_bad_argument(arguments, message):
    with pytest.raises(ValueError, match=f"Received: {message}"):
        Tree.of(*arguments)


@pytest.mark.parametrize(
    "counts", [(), (1, True), (1, 2**31), (-1, 1), (2, 1), (1,) * 64, "11"]
)
def test_counts_that_no_tree_has_are_refused(counts):
    with pytest.raises(
        ValueError, match=r"`counts` must be .*Received: counts"
    ):
        Tree(2, counts)


TREES = [
    Tree.of(2, 5),
    Tree.of(3, 3),
    Tree.of(2, 4, "uniform", 13),
    Tree.of(5, 3, "uniform", 18),
    Tree.of(2, 3, "uniform", 1),
]


@pytest.mark.parametrize("tree", TREES)
def test_levels_share_the_memory_weights_coarse_to_fine(tree):
    weights = [0]  # the approximation's
    for level in reversed(tree.levels):
        weights += range(tree.memory_size)[level.weights]
    assert weights == list(range(tree.memory_size))
    assert [level.number for level in tree.levels] == [
        *range(1, tree.depth + 1)
    ]
    assert tree.levels[-1].receptive_field == tree.receptive_field


@pytest.mark.parametrize("tree", TREES)
def test_look_backs_cover_the_lags_of_the_definition(tree):
    expected = []
    for number, count in enumerate(reversed(tree.counts), 1):
        taps = range(1, tree.kernel_size)
        expected.append([k * 2 ** (number - 1) for k in taps])
        if count > 1:
            expected.append([i * 2**number for i in range(1, count)])
    assert [list(ring.lags) for ring in tree.look_backs] == expected
    for index, ring in enumerate(tree.look_backs):
        assert ring.index == index
        assert max(ring.lags) <= ring.size
        assert tree.period % ring.size == 0


@pytest.mark.parametrize("tree", TREES)
def test_rings_lie_side_by_side_in_the_history(tree):
    ends = np.cumsum([ring.size for ring in tree.look_backs])
    starts = [ring.start for ring in tree.look_backs]
    assert starts == [0, *ends[:-1]]
    assert tree.history_size == ends[-1]
    start, size, lag = tree.places
    assert len(start) == tree.num_past_values + len(tree.look_backs)
    slots = start + (-lag) % size
    assert np.all((slots >= start) & (slots < start + size))


def test_equal_trees_are_equal_dictionary_keys():
    tree, same = Tree.of(2, 5), Tree(np.int64(2), [1] * 5)
    assert tree == same
    assert len({tree, same, copy.deepcopy(tree)}) == 1
    assert pickle.loads(pickle.dumps(tree)) == tree
    assert tree != Tree.of(3, 5)
    with pytest.raises(AttributeError):
        tree.kernel_size = 3
