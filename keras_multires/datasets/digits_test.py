import sys

import numpy as np
import pytest
from sklearn.datasets import load_digits

from keras_multires.datasets import digits

# The first targets of each part.
FIRST_TARGETS = [
    [9, 1, 7, 5, 5, 2, 9, 4, 2, 8],
    [7, 4, 7, 6, 0, 0, 5, 6, 8, 6],
    [7, 6, 3, 7, 7, 3, 2, 8, 9, 3],
]


@pytest.fixture(scope="module")
def parts():
    return digits.load_data()


def test_each_part_has_the_documented_size_type_and_range(parts):
    for (inputs, targets), size in zip(parts, (1257, 180, 360), strict=True):
        assert inputs.shape == (size, 64, 1)
        assert inputs.dtype == "uint8"
        assert (inputs.min(), inputs.max()) == (0, 16)
        assert targets.shape == (size,)
        assert targets.dtype == "int32"


def test_every_digit_is_in_exactly_one_part_with_its_own_target(parts):
    def pairs(inputs, targets):
        rows = np.c_[inputs.reshape(-1, 64), targets].astype(int)
        return sorted(map(tuple, rows))

    source = load_digits()
    all_inputs = np.concatenate([inputs for inputs, _ in parts])
    all_targets = np.concatenate([targets for _, targets in parts])
    # No two of the 1,797 images are equal, so equal lists mean disjoint parts.
    expected = pairs(source.data, source.target)
    assert len(set(expected)) == 1797
    assert pairs(all_inputs, all_targets) == expected


def test_pixels_are_read_row_by_row(parts):
    images = {image.astype(int).tobytes() for image in load_digits().images}
    rows = parts[0][0][0].reshape(8, 8).astype(int)
    assert rows.tobytes() in images
    assert np.ascontiguousarray(rows.T).tobytes() not in images


def test_every_part_holds_the_classes_in_nearly_equal_numbers(parts):
    for _, targets in parts:
        counts = np.bincount(targets, minlength=10)
        assert counts.shape == (10,)
        assert counts.min() > 0.95 * counts.max() - 1.5


def test_the_split_is_the_same_every_time(parts):
    np.random.seed(1)
    for first, second in zip(parts, digits.load_data(), strict=True):
        np.testing.assert_array_equal(first[0], second[0])
        np.testing.assert_array_equal(first[1], second[1])


def test_the_split_is_that_of_earlier_versions(parts):
    """Results of different versions stay comparable."""
    heads = [targets[:10].tolist() for _, targets in parts]
    assert heads == FIRST_TARGETS


def test_missing_scikit_learn_is_an_error_that_says_what_to_install(
    monkeypatch,
):
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(ImportError, match=r"pip install scikit-learn"):
        digits.load_data()
