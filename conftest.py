"""Fixtures for tests that hold on whatever backend Keras runs."""

import contextlib
import json
from pathlib import Path

import keras
import numpy as np
import pytest
from keras.src.testing import TestCase

GOLDEN = Path(__file__).parent / "golden"
BACKEND = keras.backend.backend()

# The ways in which each backend runs a function.
MODES = {
    "jax": ("eager", "jit"),
    "tensorflow": ("eager", "graph", "xla"),
    "torch": ("eager", "compile"),
}[BACKEND]


@pytest.fixture(params=MODES)
def mode(request):
    """Each way in which the backend runs a function."""
    return request.param


@pytest.fixture
def run_layer_test():
    """Keras's own harness for layers."""
    keras.utils.set_random_seed(0)
    case = TestCase()
    case.setUp()
    yield case.run_layer_test
    case.doCleanups()


@pytest.fixture(scope="session")
def golden():
    """Reads a golden file: `(config, arrays)`."""

    def read(name):
        with np.load(GOLDEN / f"{name}.npz") as file:
            arrays = dict(file)
        return json.loads(str(arrays.pop("config"))), arrays

    return read


@pytest.fixture
def double_precision():
    """A context in which the backend computes in float64 where asked to."""
    if BACKEND == "jax":
        import jax

        return jax.enable_x64
    return contextlib.nullcontext


def set_published_weights(model, name):
    """Sets the weights of a model to those of a golden file, each by hand."""
    with np.load(GOLDEN / f"{name}_weights.npz") as file:
        weights = dict(file)

    def dense(layer, key):
        layer.kernel.assign(np.squeeze(weights[f"{key}.weight"]).T)
        layer.bias.assign(weights[f"{key}.bias"])

    if model.backbone.vocabulary_size is None:
        dense(model.backbone.encoder, "encoder")
    else:
        model.backbone.encoder.embeddings.assign(weights["encoder.weight"])
    for index, block in enumerate(model.backbone.blocks):
        layer = block.multires_layer
        # Published filters are in the order of a correlation.
        for weight, key in (("scaling_filter", "h0"), ("wavelet_filter", "h1")):
            taps = weights[f"seq_layers.{index}.{key}"][:, 0, ::-1].T
            getattr(layer, weight).assign(taps)
        readout = weights[f"seq_layers.{index}.w"].T
        layer.memory_weights.assign(readout[:-1])
        layer.skip_weights.assign(readout[-1])
        dense(block.mixing, f"mixing_layers.{index}.0")
        if block.output_projection:
            dense(block.projection, f"mixing_layers.{index}.3")
        block.norm.gamma.assign(weights[f"norms.{index}.weight"])
        block.norm.beta.assign(weights[f"norms.{index}.bias"])
        if block.normalization == "batch":
            mean = weights[f"norms.{index}.running_mean"]
            variance = weights[f"norms.{index}.running_var"]
            block.norm.moving_mean.assign(mean)
            block.norm.moving_variance.assign(variance)
    heads = ("output_mapping.weight", "decoder.weight")
    (head,) = (key for key in heads if key in weights)
    dense(model.head, head.removesuffix(".weight"))


def run_function(function, mode):
    """`function` of backend tensors, run in a mode of the backend."""
    if mode == "jit":
        import jax

        return jax.jit(function)
    if mode in ("graph", "xla"):
        import tensorflow as tf

        return tf.function(function, jit_compile=mode == "xla")
    if mode == "compile":
        import torch

        torch.compiler.reset()
        # Dynamo and autograd are ours to get right. The code generator behind
        # them takes 40 s a layer; `integration_tests` run it once.
        return torch.compile(function, backend="aot_eager")
    return function


@pytest.fixture
def gradients():
    """Outputs of a layer, and gradients of `sum(outputs * cotangent)`.

    Returns a function of a built layer, inputs, a cotangent and a mode, which
    gives the outputs, the gradient by the inputs, and a dict of the gradients
    by the trainable weights, all as numpy arrays.
    """

    def compute(layer, inputs, cotangent, mode="eager"):
        variables = layer.trainable_variables
        inputs = keras.ops.convert_to_tensor(inputs, dtype=layer.compute_dtype)
        cotangent = keras.ops.cast(cotangent, layer.compute_dtype)
        backend_gradients = {
            "jax": _jax_gradients,
            "tensorflow": _tensorflow_gradients,
            "torch": _torch_gradients,
        }[BACKEND]
        results = backend_gradients(layer, inputs, cotangent, mode)
        outputs, by_inputs, *by_weights = map(
            keras.ops.convert_to_numpy, results
        )
        names = [variable.name for variable in variables]
        return outputs, by_inputs, dict(zip(names, by_weights, strict=True))

    return compute


def _jax_gradients(layer, inputs, cotangent, mode):
    import jax

    def loss(weights, inputs):
        fixed = [v.value for v in layer.non_trainable_variables]
        outputs, _ = layer.stateless_call(weights, fixed, inputs)
        return (outputs * cotangent).sum(), outputs

    function = run_function(
        jax.value_and_grad(loss, argnums=(0, 1), has_aux=True), mode
    )
    weights = [variable.value for variable in layer.trainable_variables]
    (_, outputs), (by_weights, by_inputs) = function(weights, inputs)
    return outputs, by_inputs, *by_weights


def _tensorflow_gradients(layer, inputs, cotangent, mode):
    import tensorflow as tf

    def compute(inputs):
        weights = [variable.value for variable in layer.trainable_variables]
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            outputs = layer(inputs)
            loss = tf.reduce_sum(outputs * cotangent)
        return outputs, *tape.gradient(loss, [inputs, *weights])

    return run_function(compute, mode)(inputs)


def _torch_gradients(layer, inputs, cotangent, mode):
    import torch

    inputs = inputs.detach().requires_grad_()
    weights = [variable.value for variable in layer.trainable_variables]
    outputs = run_function(layer, mode)(inputs)
    by_all = torch.autograd.grad(
        (outputs * cotangent).sum(), [inputs, *weights]
    )
    return outputs.detach(), *by_all
