"""Causal convolution by FFT, with a gradient that keeps only its two inputs.

    y[n] = sum_k kernel[k] x[n - k],  n = 0 .. N - 1

is a product of spectra, `Y = X K`: those of signals that are followed by zeros,
or twisted ones. Each backend has its own; see `keras_multires.backend`. Both
gradients are correlations, that is, products with a conjugate:
`dX = dY conj(K)`, `dK = sum over the batch of dY conj(X)`.
"""

from keras import ops

from keras_multires import backend

__all__ = ["convolve"]


def convolve(inputs, kernel):
    """Causal depthwise convolution; see `keras_multires.ops.causal_conv`."""

    @ops.custom_gradient
    def by_spectra(inputs, kernel):
        outputs = backend.fft_convolve(*backend.unrecorded(inputs, kernel))

        def gradient(*args, upstream=None):
            # PyTorch passes the cotangent by name, after the arguments.
            cotangent = args[0] if upstream is None else upstream
            return backend.fft_gradients(cotangent, inputs, kernel)

        return outputs, gradient

    return by_spectra(inputs, kernel)
