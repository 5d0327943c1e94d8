"""Functions of single values or time steps that keep only their inputs.

Differentiated operation by operation, as JAX and TensorFlow do it, GELU and
layer normalization keep several tensors of the size of their inputs until the
gradient is computed. To compute them anew is faster than to write and read
them: on JAX by a sixth of a training step of a sequential CIFAR-10 classifier,
and a fifth of its memory. PyTorch's own keep no more.
"""

import math

import keras
from keras import ops

from keras_multires.backend import is_exporting
from keras_multires.ops.precision import at_least_float32


def gelu(inputs):
    """Exact (erf) GELU, exact in float64 too.

    TensorFlow's own rounds its constant to float32 whatever the dtype of the
    inputs, an error of 5e-9; and it computes erfc, which ONNX does not have.
    """
    if keras.backend.backend() == "torch" or is_exporting():
        return _gelu(inputs)

    @ops.custom_gradient
    def activate(inputs):
        def gradient(upstream):
            density = ops.exp(-0.5 * ops.square(inputs)) * (2 * math.pi) ** -0.5
            return upstream * (_normal_cdf(inputs) + inputs * density)

        return _gelu(ops.stop_gradient(inputs)), gradient

    return activate(inputs)


def _gelu(inputs):
    is_double = keras.backend.standardize_dtype(inputs.dtype) == "float64"
    is_erfc = keras.backend.backend() == "tensorflow" and is_exporting()
    if not is_double and not is_erfc:
        return ops.gelu(inputs, approximate=False)
    # In this form, LiteRT's converter knows it for its own.
    return 0.5 * inputs * (1 + ops.erf(inputs * 0.5**0.5))


def _normal_cdf(inputs):
    return 0.5 * (1 + ops.erf(inputs * 0.5**0.5))


def layer_norm(inputs, scale, offset, epsilon):
    """Layer normalization of the last axis, in float32 at least.

    Args:
        inputs: Tensor `(.., channels)`.
        scale: Tensor `(channels,)`.
        offset: Tensor `(channels,)`.
        epsilon: Float, added to the variance.

    Returns:
        Tensor of the shape and dtype of `inputs`.
    """
    precision = at_least_float32(inputs.dtype)
    scale, offset = (ops.cast(tensor, precision) for tensor in (scale, offset))
    if keras.backend.backend() == "torch":
        normalized, _ = _normalize(inputs, epsilon)
        return ops.cast(normalized * scale + offset, inputs.dtype)

    @ops.custom_gradient
    def norm(inputs, scale, offset):
        def gradient(upstream):
            upstream = ops.cast(upstream, precision)
            normalized, inverse = _normalize(inputs, epsilon)
            steps = tuple(range(len(inputs.shape) - 1))
            by_normalized = upstream * scale
            mean = ops.mean(by_normalized, axis=-1, keepdims=True)
            slope = ops.mean(by_normalized * normalized, axis=-1, keepdims=True)
            by_inputs = inverse * (by_normalized - mean - slope * normalized)
            return (
                ops.cast(by_inputs, inputs.dtype),
                ops.sum(upstream * normalized, axis=steps),
                ops.sum(upstream, axis=steps),
            )

        normalized, _ = _normalize(ops.stop_gradient(inputs), epsilon)
        outputs = normalized * ops.stop_gradient(scale)
        outputs += ops.stop_gradient(offset)
        return ops.cast(outputs, inputs.dtype), gradient

    return norm(inputs, scale, offset)


def _normalize(inputs, epsilon):
    """Inputs of mean 0 and variance 1, and what they were multiplied by."""
    centered = ops.cast(inputs, at_least_float32(inputs.dtype))
    # Not `-=`: PyTorch would write into the inputs themselves.
    centered = centered - ops.mean(centered, axis=-1, keepdims=True)
    variance = ops.mean(ops.square(centered), axis=-1, keepdims=True)
    inverse = ops.rsqrt(variance + epsilon)
    return centered * inverse, inverse
