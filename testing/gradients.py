"""Outputs and gradients of a layer on each backend.

The functions named after a backend return what that backend differentiates,
not compiled, for tests that count its operations. The benchmarks use them too.
"""

import functools

import keras
import numpy as np
from keras import ops

from testing.backends import BACKEND
from testing.backends import CHEAPEST_MODE
from testing.backends import run_function


def jax_forward(layer):
    """Returns a pure function of weights and inputs.

    The weights are an argument so that XLA does not take them for constants.
    """
    fixed = [variable.value for variable in layer.non_trainable_variables]

    def compute(weights, inputs):
        return layer.stateless_call(weights, fixed, inputs)[0]

    return compute


def jax_gradients(layer):
    """Returns a pure function of weights, inputs and a cotangent."""
    import jax

    def compute(weights, inputs, cotangent):
        outputs, pull_back = jax.vjp(jax_forward(layer), weights, inputs)
        by_weights, by_inputs = pull_back(cotangent.astype(outputs.dtype))
        return outputs, [by_inputs, *by_weights]

    return compute


def tensorflow_gradients(layer):
    """Returns a function of inputs and a cotangent."""
    import tensorflow as tf

    def compute(inputs, cotangent):
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            outputs = layer(inputs)
        sources = [inputs, *trainable_values(layer)]
        cotangent = tf.cast(cotangent, outputs.dtype)
        return outputs, tape.gradient(outputs, sources, cotangent)

    return compute


def torch_gradients(function, weights):
    """Returns a function of inputs and a cotangent.

    Args:
        function: Layer, module or compiled function of the inputs.
        weights: List of tensors, by which to differentiate besides the inputs.
    """
    import torch

    def compute(inputs, cotangent):
        inputs = inputs.detach().requires_grad_()
        outputs = function(inputs)
        gradients = torch.autograd.grad(
            outputs, [inputs, *weights], cotangent.to(outputs.dtype)
        )
        return outputs.detach(), gradients

    return compute


def trainable_values(layer):
    return [variable.value for variable in layer.trainable_variables]


def forward(layer, mode):
    """Returns a function of inputs, without gradients, run in a mode.

    On JAX the weights are those that the layer has when this is called.
    """
    if BACKEND == "jax":
        compute = run_function(jax_forward(layer), mode)
        return functools.partial(compute, trainable_values(layer))
    compute = run_function(layer, mode)
    if BACKEND == "torch":
        import torch

        return torch.no_grad()(compute)
    return compute


def forward_and_backward(layer, mode):
    """Returns a function of inputs and a cotangent, run in a mode.

    It gives the outputs of `layer`, which must be built, and a list of the
    gradients of `sum(outputs * cotangent)` by the inputs and by each trainable
    weight. All are tensors of the backend. On JAX the weights are those that
    the layer has when this is called.
    """
    if BACKEND == "jax":
        compute = run_function(jax_gradients(layer), mode)
        return functools.partial(compute, trainable_values(layer))
    if BACKEND == "tensorflow":
        return run_function(tensorflow_gradients(layer), mode)
    # PyTorch compiles the forward pass, and autograd follows.
    return torch_gradients(run_function(layer, mode), trainable_values(layer))


def outputs_and_gradients(layer, inputs, cotangent, mode="eager"):
    """Outputs of a layer and gradients of `sum(outputs * cotangent)`.

    Args:
        layer: A built layer.
        inputs: Array.
        cotangent: Array of the shape of the outputs.
        mode: A mode of the backend, see `backends.MODES`.

    Returns:
        The outputs, the gradient by the inputs and a dict of the gradients by
        the trainable weights, all as NumPy arrays.
    """
    inputs, cotangent = (
        keras.ops.convert_to_tensor(array, dtype=layer.compute_dtype)
        for array in (inputs, cotangent)
    )
    outputs, gradients = forward_and_backward(layer, mode)(inputs, cotangent)
    outputs, by_inputs, *by_weights = map(
        keras.ops.convert_to_numpy, (outputs, *gradients)
    )
    names = [variable.name for variable in layer.trainable_variables]
    return outputs, by_inputs, dict(zip(names, by_weights, strict=True))


class Masked(keras.layers.Layer):
    """A layer as one of the inputs alone, with a fixed mask."""

    def __init__(self, layer, mask):
        super().__init__()
        self.layer = layer
        self.mask = mask
        self.built = True

    def call(self, inputs):
        return self.layer(inputs, mask=self.mask, training=True)


def assert_padding_has_no_effect(layer, inputs, mask, cotangent):
    """Asserts that outputs and gradients are those of padding with zeros.

    Args:
        layer: A built layer or model.
        inputs: float32 array `(batch, length, channels)`.
        mask: Boolean array `(batch, length)`, False at padding.
        cotangent: Array of the shape of the outputs.
    """
    masked = Masked(layer, ops.convert_to_tensor(mask))
    compute = forward_and_backward(masked, CHEAPEST_MODE)
    results = []
    for padding in (0.0, np.nan, np.inf, -3e38):
        filled = np.where(mask[..., None], inputs, np.float32(padding))
        tensors = map(ops.convert_to_tensor, (filled, cotangent))
        outputs, gradients = compute(*tensors)
        results.append([*map(ops.convert_to_numpy, (outputs, *gradients))])
    for expected, *others in zip(*results, strict=True):
        assert np.isfinite(expected).all()
        assert expected.any()
        for other in others:
            np.testing.assert_allclose(other, expected, rtol=1e-6)
