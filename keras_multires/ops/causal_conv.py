"""Causal convolution by FFT, with a gradient that keeps only its two inputs.

    y[n] = sum_k kernel[k] x[n - k],  n = 0 .. N - 1

is a product of spectra, `Y = X K`, that of signals which zeros follow
(`padded_fft.py`) or a twisted one (`twisted_fft.py`). Both gradients are
correlations, products with a conjugate: `dX = dY conj(K)`,
`dK = sum over the batch of dY conj(X)`.
"""

import keras
from keras import ops
from keras.backend import standardize_dtype

from keras_multires._validation import check_tensor


def causal_conv(inputs, kernel):
    """Causal depthwise convolution along time, by FFT.

    The gradient recomputes the spectra of `inputs` and `kernel`, so that a
    training step stores `O(length)` numbers per channel for this operation.

    Args:
        inputs: Tensor `(batch, length, channels)`, float32 or float64. The
            length must be known.
        kernel: Tensor `(taps, channels)` of the same dtype, in lag order, with
            at most `length` taps.

    Returns:
        Tensor `(batch, length, channels)`.

    Raises:
        ValueError: if the tensors are not like that, or do not fit each other.
    """
    inputs = check_tensor(
        "inputs", inputs, ("batch", "length", "channels"), "float"
    )
    dtype = standardize_dtype(inputs.dtype)
    if dtype not in ("float32", "float64") or not inputs.shape[1]:
        raise ValueError(
            "`inputs` must be float32 or float64, of a known length of at "
            f"least 1. Received: inputs.shape={tuple(inputs.shape)}, of dtype "
            f"{dtype}"
        )
    kernel = check_tensor(
        "kernel", kernel, ("taps", inputs.shape[2]), dtype, fits="inputs"
    )
    if not 1 <= kernel.shape[0] <= inputs.shape[1]:
        raise ValueError(
            "`kernel` must have at least one tap, and at most as many as "
            "`inputs` have steps. Received: "
            f"kernel.shape={tuple(kernel.shape)}, "
            f"inputs.shape={tuple(inputs.shape)}"
        )
    implementation = _implementation()

    @ops.custom_gradient
    def convolve(inputs, kernel):
        # Without the stop, TensorFlow's eager tape would record these
        # operations beside the gradient below, and keep every spectrum.
        outputs = implementation.convolve(
            ops.stop_gradient(inputs), ops.stop_gradient(kernel)
        )

        def gradient(*args, upstream=None):
            # PyTorch passes the cotangent by name, after the arguments.
            cotangent = args[0] if upstream is None else upstream
            return implementation.gradients(cotangent, inputs, kernel)

        return outputs, gradient

    return convolve(inputs, kernel)


def _implementation():
    if keras.backend.backend() == "torch":
        from keras_multires.ops import padded_fft

        return padded_fft
    from keras_multires.ops import twisted_fft

    return twisted_fft
