import keras
import numpy as np
import pytest
from keras import ops

from keras_multires.ops.spectra import fast_length
from keras_multires.ops.spectra import spectra


def has_small_factors(number):
    for factor in (2, 3, 5):
        while number % factor == 0:
            number //= factor
    return number == 1


def test_fast_length_is_the_next_number_of_small_factors():
    for minimum in range(1, 700):
        expected = minimum
        while not has_small_factors(expected):
            expected += 1
        assert fast_length(minimum) == expected


def expected_points(length):
    """Where the polynomial of a signal of up to `length` steps is known."""
    if keras.backend.backend() == "torch":
        points = np.exp(-1j * np.pi * np.arange(length + 1) / length)
        np.testing.assert_allclose(points ** (2 * length), 1)
        return points
    points = np.exp(2j * np.pi * (0.25 - np.arange(length)) / length)
    np.testing.assert_allclose(points**length, 1j)
    return points


@pytest.mark.parametrize(("steps", "length"), [(1, 1), (7, 10), (12, 12)])
def test_a_spectrum_holds_values_of_a_polynomial(steps, length):
    signal = np.random.default_rng(0).normal(size=(2, steps, 3))

    outputs = spectra(length).forward(ops.cast(signal, "float32"))

    powers = expected_points(length)[:, None] ** np.arange(steps)
    expected = np.einsum("fn,bnc->bcf", powers, signal)
    np.testing.assert_allclose(outputs, expected, atol=1e-5)


@pytest.mark.parametrize(("steps", "length"), [(1, 1), (7, 10), (12, 12)])
def test_the_inverse_gives_the_signal_back(steps, length):
    signal = np.random.default_rng(0).normal(size=(2, steps, 3))
    signal = ops.cast(signal, "float32")
    transform = spectra(length)

    outputs = transform.inverse(transform.forward(signal), steps)

    np.testing.assert_allclose(outputs, signal, atol=1e-6)
