"""Causal convolution by a complex FFT that needs no zeros, for JAX, TensorFlow.

A circular convolution wraps around; here it does so into the imaginary part.
The spectrum of a signal is its polynomial `sum_n x[n] z^n` at the `L` numbers
`z` with `z^L = i`: the FFT of `x` times a complex exponential that makes a
quarter turn. In a product of such polynomials `z^L` counts as `i`, so the real
part of the product's inverse is the linear convolution, up to step `L`. The
usual way is a real FFT of `2 L` steps, half of them zeros. It takes these two
backends longer on a CPU: their compiler fuses turn, products and layout.

Keras's own FFT takes and gives two real tensors in place of a complex one, and
has no conjugate. So the functions here take the backend's, as a namespace of
`complex`, `conj`, `fft`, `ifft`, `real` and `sum`.

Source: "right-angle convolution" in Crandall and Fagin, "Discrete weighted
transforms and large-integer arithmetic", Mathematics of Computation 62, 1994.
"""

import functools

import numpy as np
from keras import ops

from keras_multires.backend._fft_lengths import fast_length
from keras_multires.backend._tape import unrecorded


def convolve(inputs, kernel, backend):
    """Causal convolution; see the contract of `fft_convolve`."""

    @ops.custom_gradient
    def by_spectra(inputs, kernel):
        outputs = _convolve(*unrecorded(inputs, kernel), backend)
        return outputs, lambda upstream: _gradients(
            upstream, inputs, kernel, backend
        )

    return by_spectra(inputs, kernel)


def _convolve(inputs, kernel, backend):
    length = inputs.shape[1]
    by_inputs = _spectrum(inputs, length, backend)
    by_kernel = _spectrum(kernel, length, backend)
    return _signal(by_inputs * by_kernel, length, backend)


def _gradients(cotangent, inputs, kernel, backend):
    """Gradients of the convolution with respect to its two inputs.

    Both are correlations, that is, products with a conjugate.
    """
    length = inputs.shape[1]
    by_outputs = _spectrum(cotangent, length, backend)
    by_inputs = by_outputs * backend.conj(_spectrum(kernel, length, backend))
    by_kernel = by_outputs * backend.conj(_spectrum(inputs, length, backend))
    by_kernel = backend.sum(by_kernel, 0)
    return (
        _signal(by_inputs, length, backend),
        _signal(by_kernel, kernel.shape[0], backend),
    )


@functools.lru_cache(maxsize=16)
def _quarter_turn(steps, fft_length):
    """Cosine and sine of the first steps of a quarter turn."""
    angle = np.pi / 2 / fft_length * np.arange(steps)
    return np.cos(angle), np.sin(angle)


def _spectrum(signal, length, backend):
    """`(.., steps, channels)` to complex `(.., channels, frequencies)`."""
    fft_length = fast_length(length)
    signal = ops.swapaxes(signal, -1, -2)
    steps = signal.shape[-1]
    cos, sin = _quarter_turn(steps, fft_length)
    real = signal * ops.convert_to_tensor(cos, dtype=signal.dtype)
    imaginary = signal * ops.convert_to_tensor(sin, dtype=signal.dtype)
    if steps < fft_length:
        zeros = (0, fft_length - steps)
        padding = [(0, 0)] * (len(signal.shape) - 1) + [zeros]
        real, imaginary = ops.pad(real, padding), ops.pad(imaginary, padding)
    return backend.fft(backend.complex(real, imaginary))


def _signal(spectrum, steps, backend):
    """The first steps of the signal of a spectrum, `(.., steps, channels)`."""
    turned = backend.ifft(spectrum)[..., :steps]
    dtype = backend.real(turned).dtype
    cos, sin = _quarter_turn(steps, spectrum.shape[-1])
    turn = backend.complex(
        ops.convert_to_tensor(cos, dtype=dtype),
        ops.convert_to_tensor(-sin, dtype=dtype),
    )
    return ops.swapaxes(backend.real(turned * turn), -1, -2)
