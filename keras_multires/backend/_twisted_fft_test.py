from types import SimpleNamespace

import keras
import numpy as np
import pytest
from keras import ops

from keras_multires.backend import _twisted_fft

NUMPY = SimpleNamespace(
    complex=lambda real, imaginary: (
        np.asarray(real) + 1j * np.asarray(imaginary)
    ),
    fft=np.fft.fft,
)

pytestmark = pytest.mark.skipif(
    keras.backend.backend() == "torch", reason="PyTorch pads."
)


@pytest.mark.parametrize(("steps", "length"), [(1, 1), (7, 10), (12, 12)])
def test_the_spectrum_is_the_signal_polynomial_at_the_roots_of_i(steps, length):
    signal = np.random.default_rng(0).normal(size=(2, steps, 3))
    roots = np.exp(2j * np.pi * (0.25 - np.arange(length)) / length)
    np.testing.assert_allclose(roots**length, 1j)

    spectrum = _twisted_fft._spectrum(
        ops.cast(signal, "float32"), length, NUMPY
    )

    powers = roots[:, None] ** np.arange(steps)
    expected = np.einsum("fn,bnc->bcf", powers, signal)
    np.testing.assert_allclose(spectrum, expected, atol=1e-5)
