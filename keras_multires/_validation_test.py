import pathlib

import keras
import numpy as np
import pytest
from keras import ops

from keras_multires import _validation


@pytest.mark.parametrize("value", [3, np.int8(3), np.uint64(3)])
def test_integers_of_any_kind_become_python_integers(value):
    received = _validation.check_integer("size", value)
    assert received == 3
    assert type(received) is int


@pytest.mark.parametrize("value", [0, True, 2.0, "2", None, 2**31, 10**30])
def test_values_that_are_not_integers_in_the_range_are_refused(value):
    with pytest.raises(ValueError, match=r"`size` .*Received: size="):
        _validation.check_integer("size", value)


def test_the_largest_integer_is_accepted():
    assert _validation.check_integer("size", 2**31 - 1) == 2**31 - 1


def test_only_true_and_false_are_booleans():
    assert _validation.check_boolean("flag", np.bool_(False)) is False
    for value in (0, 1, None, "yes", np.zeros(2)):
        with pytest.raises(ValueError, match="`flag` must be True or False"):
            _validation.check_boolean("flag", value)


def test_a_boolean_is_not_a_choice_among_numbers():
    received = _validation.check_choice("channels", np.int64(1), (1, 3))
    assert type(received) is int
    for value in (True, 1.0, 2, "1", np.array([1, 3])):
        with pytest.raises(ValueError, match="`channels` must be 1 or 3"):
            _validation.check_choice("channels", value, (1, 3))


@pytest.mark.parametrize("value", [0, -1, True, np.inf, np.nan, 1e39, 1e-39])
def test_a_number_must_be_positive_in_float32_too(value):
    _validation.check_positive("temperature", 1e38)
    with pytest.raises(ValueError, match="`temperature` must be a finite"):
        _validation.check_positive("temperature", value)


def test_only_seeds_that_every_backend_can_use_are_accepted():
    for seed in (0, 2**32 - 1):
        keras.random.uniform((1,), seed=_validation.check_seed("s", seed))
    assert _validation.check_seed("s", None) is None
    for seed in (-1, 2**32, 1.5):
        with pytest.raises(ValueError, match="`s` must be an integer"):
            _validation.check_seed("s", seed)


def test_a_tilde_in_a_path_is_expanded(monkeypatch):
    monkeypatch.setenv("HOME", "/home/somebody")
    expected = pathlib.Path("/home/somebody/data")
    for value in ("~/data", pathlib.Path("~/data"), "/home/somebody/data"):
        assert _validation.check_path("folder", value) == expected


@pytest.mark.parametrize("value", ["", "a\0b", b"a", 3, None, "~nobody_here/x"])
def test_values_that_are_not_paths_are_refused(value):
    with pytest.raises(ValueError, match=r"`folder` must be a path"):
        _validation.check_path("folder", value)


@pytest.mark.parametrize("value", [None, "1", [[1], [1, 2]], [1j], [None]])
def test_values_that_are_not_arrays_of_numbers_are_refused(value):
    with pytest.raises(ValueError, match="`scores` must be an array of num"):
        _validation.check_numbers("scores", value)


def test_values_that_keras_can_convert_become_tensors():
    for value in ([[1.0, 2.0]], np.float32([[1, 2]]), ops.ones((1, 2))):
        tensor = _validation.check_tensor("x", value, ("batch", 2), "float")
        assert ops.is_tensor(tensor)
    symbolic = keras.KerasTensor((None, 2))
    assert _validation.check_tensor("x", symbolic, (1, 2)) is symbolic


@pytest.mark.parametrize(
    ("value", "received"),
    [
        (np.ones((2, 3), "float32"), r"x\.shape=\(2, 3\)"),
        (np.ones(2, "float32"), r"x\.shape=\(2,\)"),
        (np.ones((1, 2), "int32"), "x.dtype=int32"),
        (np.ones((1, 2), "float16"), "x.dtype=float16"),
        (np.ones((1, 2), "complex64"), "x.dtype=complex64"),
        ("\0", "x='"),
        ([["1", "2"]], "x="),
        (None, "x=None"),
        ([[1], [1, 2]], "x="),
    ],
)
def test_values_that_are_not_tensors_of_the_shape_are_refused(value, received):
    message = rf"`x` must be .* fit `y`\. Received: {received}"
    with pytest.raises(ValueError, match=message):
        _validation.check_tensor("x", value, ("batch", 2), "float32", "y")


def test_python_numbers_are_not_rounded_to_float32(double_precision):
    with double_precision():
        tensor = _validation.check_tensor("x", [0.1], cast_to="float64")
        assert float(tensor[0]) == 0.1


def test_keras_objects_can_be_given_by_name():
    found = _validation.check_keras_object("memory_initializer", "ones")
    assert isinstance(found, keras.initializers.Ones)
    assert _validation.check_keras_object("activation", None)(3) == 3


@pytest.mark.parametrize("kind", ["initializer", "regularizer", "constraint"])
@pytest.mark.parametrize("value", ["nonsense", 3, [], {"class_name": "Nobody"}])
def test_values_that_are_not_keras_objects_are_refused(kind, value):
    with pytest.raises(ValueError, match=f"`memory_{kind}` must be None or"):
        _validation.check_keras_object(f"memory_{kind}", value)
