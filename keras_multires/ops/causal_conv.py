"""Causal convolution by FFT, with a gradient that keeps only its two inputs.

    y[n] = sum_k kernel[k] x[n - k],  n = 0 .. N - 1

is the start of a circular convolution of at least `N + taps - 1` steps, which
is a product of spectra: `Y = X K`. Both gradients are correlations, products
with a conjugate: `dX = dY conj(K)`, `dK = sum over the batch of dY conj(X)`.
"""

from keras import ops
from keras.backend import standardize_dtype

from keras_multires.argument_checks import check_tensor


def fast_fft_length(minimum):
    """Smallest even number with no prime factor above 5 that is >= `minimum`.

    FFTs of such lengths are fast on every backend.
    """
    best = 2 ** max(1, (minimum - 1).bit_length())
    power_of_5 = 1
    while power_of_5 < best:
        odd = power_of_5
        while odd < best:
            # The smallest power of two, at least 2, that reaches the minimum.
            quotient = -(-minimum // odd)
            best = min(best, odd * 2 ** max(1, (quotient - 1).bit_length()))
            odd *= 3
        power_of_5 *= 5
    return best


def _multiply(a, b):
    """Product of two complex tensors given as pairs of real ones."""
    return a[0] * b[0] - a[1] * b[1], a[0] * b[1] + a[1] * b[0]


def _conjugate(a):
    return a[0], -a[1]


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
    fft_length = fast_fft_length(length + taps - 1)

    def spectrum(tensor):  # (.., time, channels) -> (.., channels, frequency)
        return ops.rfft(ops.swapaxes(tensor, -1, -2), fft_length)

    def signal(spectrum, steps):  # the inverse, cut to the first steps
        steps_last = ops.irfft(spectrum, fft_length)[..., :steps]
        return ops.swapaxes(steps_last, -1, -2)

    @ops.custom_gradient
    def convolve(inputs, kernel):
        # Without the stop, TensorFlow's eager tape would record these
        # operations beside the gradient below, and keep every spectrum.
        factors = (
            spectrum(ops.stop_gradient(tensor)) for tensor in (inputs, kernel)
        )
        outputs = signal(_multiply(*factors), length)

        def gradient(*args, upstream=None):
            # PyTorch passes the cotangent by name, after the arguments.
            cotangent = args[0] if upstream is None else upstream
            cotangent = spectrum(cotangent)
            by_kernel = _multiply(cotangent, _conjugate(spectrum(inputs)))
            by_kernel = tuple(ops.sum(part, axis=0) for part in by_kernel)
            by_inputs = _multiply(cotangent, _conjugate(spectrum(kernel)))
            return signal(by_inputs, length), signal(by_kernel, taps)

        return outputs, gradient

    return convolve(inputs, kernel)
