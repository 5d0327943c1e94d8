"""Causal convolution by FFT, with a gradient that keeps only its two inputs.

    y[n] = sum_k kernel[k] x[n - k],  n = 0 .. N - 1

is a product of spectra (see `spectra.py`): `Y = X K`. Both gradients are
correlations, products with a conjugate: `dX = dY conj(K)`,
`dK = sum over the batch of dY conj(X)`.
"""

from keras import ops
from keras.backend import standardize_dtype

from keras_multires.argument_checks import check_tensor
from keras_multires.ops.spectra import spectra


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
    length, taps = inputs.shape[1], kernel.shape[0]
    if not taps:
        raise ValueError(
            "`kernel` must have at least one tap. "
            f"Received: kernel.shape={tuple(kernel.shape)}"
        )
    transform = spectra(length)

    @ops.custom_gradient
    def convolve(inputs, kernel):
        # Without the stop, TensorFlow's eager tape would record these
        # operations beside the gradient below, and keep every spectrum.
        outputs = transform.inverse(
            transform.forward(ops.stop_gradient(inputs))
            * transform.forward(ops.stop_gradient(kernel)),
            length,
        )

        def gradient(*args, upstream=None):
            # PyTorch passes the cotangent by name, after the arguments.
            cotangent = args[0] if upstream is None else upstream
            cotangent = transform.forward(cotangent)
            by_kernel = cotangent * transform.conjugate(
                transform.forward(inputs)
            )
            by_inputs = cotangent * transform.conjugate(
                transform.forward(kernel)
            )
            return (
                transform.inverse(by_inputs, length),
                transform.inverse(transform.sum(by_kernel), taps),
            )

        return outputs, gradient

    return convolve(inputs, kernel)
