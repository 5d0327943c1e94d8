import pytest

from keras_multires.ops.filter_bank import receptive_field
from keras_multires.ops.memory import detail_counts
from keras_multires.ops.memory import tree_size


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
    size = tree_size(kernel_size, depth)

    counts = detail_counts(kernel_size, depth, "uniform", size)

    assert size == 1 + sum(map(len, lags_of_level.values()))
    for level, count in zip(range(depth, 0, -1), counts, strict=True):
        lags = [i * 2**level for i in range(count)]
        assert lags == lags_of_level[level]


@pytest.mark.parametrize("memory_size", range(1, tree_size(3, 3) + 1))
def test_uniform_memory_takes_levels_coarse_to_fine(memory_size):
    whole = detail_counts(3, 3, "uniform", tree_size(3, 3))  # (1, 3, 7)

    counts = detail_counts(3, 3, "uniform", memory_size)

    assert 1 + sum(counts) == memory_size
    cut = [i for i, count in enumerate(counts) if count < whole[i]]
    assert all(counts[i] == 0 for i in cut[1:])


def test_fading_memory_holds_one_coefficient_of_each_level():
    assert detail_counts(4, 5) == (1,) * 5
    assert detail_counts(4, 5, memory_size=6) == (1,) * 5


@pytest.mark.parametrize(
    ("kernel_size", "deepest"), [(2, 63), (3, 62), (4, 61), (2**31 - 1, 32)]
)
def test_a_tree_looks_back_no_further_than_an_int64_counts(
    kernel_size, deepest
):
    look_back = receptive_field(kernel_size, deepest) - 1
    assert look_back <= 2**63 - 1 < 2 * look_back + kernel_size - 1
    detail_counts(kernel_size, deepest)
    for function in (receptive_field, detail_counts, tree_size):
        with pytest.raises(ValueError, match=f"`depth` .*at most {deepest}"):
            function(kernel_size, deepest + 1)


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
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=f"Received: {message}"):
        detail_counts(*arguments)
