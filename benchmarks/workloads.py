"""What is timed: a layer, forward or with its gradients, or a training step.

A case is a dict, so that it can be sent to another process and be written
beside its result. A workload is a function of no arguments that computes the
case once, and returns tensors that are ready only when it has.
"""

import keras
import numpy as np
from keras import ops

from keras_multires.layers import MultiresLayer
from keras_multires.losses import DiscretizedLogisticMixture
from keras_multires.models import MultiresClassifier
from keras_multires.models import MultiresDensityModel
from keras_multires.models import MultiresNet

# The paper's model of the density of CIFAR-10.
DENSITY = {
    "length": 1024,
    "input_channels": 3,
    "hidden_dim": 512,
    "num_layers": 48,
    "kernel_size": 4,
    "independent_skip": True,
    "dropout": 0.1,
}


def build(case):
    """The workload of a case.

    Args:
        case: Dict with `"kind"`, `"contender"` and what these need; see the
            functions below.

    Returns:
        A function of no arguments.
    """
    keras.config.set_dtype_policy(case.get("dtype_policy", "float32"))
    kinds = {"layer": _layer, "step": _step, "stream": _stream, "copy": _copy}
    return kinds[case["kind"]](case)


def _random(*shape):
    values = np.random.default_rng(0).normal(size=shape).astype("float32")
    return ops.convert_to_tensor(values)


def _layer(case):
    """One layer on random inputs.

    Besides `"contender"`, a case gives `"batch_size"`, `"length"`,
    `"channels"`, `"backward"` and, for ours and the plain layer,
    `"kernel_size"` and for ours `"algorithm"`.
    """
    channels, length = case["channels"], case["length"]
    shape = (case["batch_size"], length, channels)
    kernel_size = case.get("kernel_size", 2)
    if case["contender"].startswith("plain"):
        import torch

        from benchmarks.plain_torch import PlainMultiresLayer

        layer = PlainMultiresLayer(channels, length, kernel_size)
        layer = _prepare_plain(layer, case)
        shape = (shape[0], channels, length)
        return _torch_layer(layer, torch.nn.Module.parameters, shape, case)
    heads = max(1, channels // 64)
    layer = {
        "multires": lambda: MultiresLayer(
            kernel_size,
            activation=None,
            algorithm=case.get("algorithm", "auto"),
        ),
        "lstm": lambda: keras.layers.LSTM(channels, return_sequences=True),
        "gru": lambda: keras.layers.GRU(channels, return_sequences=True),
        "attention": lambda: SelfAttention(heads, channels // heads),
    }[case["contender"]]()
    layer.build(shape)
    run = {"jax": _jax_layer, "tensorflow": _tensorflow_layer}
    backend = keras.backend.backend()
    if backend in run:
        return run[backend](layer, shape, case)
    return _torch_layer(
        layer, lambda layer: [v.value for v in layer.weights], shape, case
    )


class SelfAttention(keras.layers.MultiHeadAttention):
    """Causal self-attention, as a layer of one input."""

    def build(self, input_shape):
        super().build(input_shape, input_shape)

    def call(self, inputs):
        return super().call(inputs, inputs, use_causal_mask=True)


def _prepare_plain(module, case):
    """The module on the device, in its precision, compiled if so asked."""
    import torch
    from keras.src.backend.torch.core import get_device

    module = module.to(get_device())
    if case.get("dtype_policy", "float32") == "mixed_bfloat16":
        plain = module

        class Autocast(torch.nn.Module):
            def __init__(self):
                super().__init__()
                self.plain = plain

            def forward(self, inputs):
                with torch.autocast(inputs.device.type, torch.bfloat16):
                    return self.plain(inputs)

        module = Autocast()
    if case["contender"] == "plain-compiled":
        module = torch.compile(module)
    return module


def _torch_layer(layer, parameters, shape, case):
    import torch

    inputs, cotangent = _random(*shape), _random(*shape)
    if case["contender"] == "multires" and "bfloat16" in layer.compute_dtype:
        inputs = inputs.to(torch.bfloat16)
    if not case["backward"]:

        def forward():
            with torch.no_grad():
                return layer(inputs)

        return forward
    inputs.requires_grad_()
    wanted = [inputs, *parameters(layer)]

    def both():
        outputs = layer(inputs)
        gradients = torch.autograd.grad(
            outputs, wanted, cotangent.to(outputs.dtype), allow_unused=True
        )
        return outputs.detach(), gradients

    return both


def _jax_layer(layer, shape, case):
    import jax

    inputs, cotangent = _random(*shape), _random(*shape)
    trainable = [v.value for v in layer.trainable_variables]
    other = [v.value for v in layer.non_trainable_variables]

    def forward(trainable, inputs):
        return layer.stateless_call(trainable, other, inputs)[0]

    def both(trainable, inputs, cotangent):
        outputs, gradient = jax.vjp(forward, trainable, inputs)
        return outputs, gradient(cotangent.astype(outputs.dtype))

    inputs = inputs.astype(layer.compute_dtype)
    if case["backward"]:
        compiled = jax.jit(both)
        return lambda: compiled(trainable, inputs, cotangent)
    compiled = jax.jit(forward)
    return lambda: compiled(trainable, inputs)


def _tensorflow_layer(layer, shape, case):
    import tensorflow as tf

    inputs = ops.cast(_random(*shape), layer.compute_dtype)
    cotangent = ops.cast(_random(*shape), layer.compute_dtype)

    def forward():
        return layer(inputs)

    def both():
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            outputs = layer(inputs)
        wanted = [inputs, *[v.value for v in layer.trainable_variables]]
        return outputs, tape.gradient(outputs, wanted, cotangent)

    # As Keras compiles models by default.
    return tf.function(both if case["backward"] else forward, jit_compile=True)


def _step(case):
    """A training step of a preset: loss, gradients and AdamW.

    Besides `"contender"`, a case gives `"preset"` (`"density"`, or one of the
    classifier) and `"batch_size"`, and may give a smaller `"num_layers"`.
    """
    preset, batch_size = case["preset"], case["batch_size"]
    if preset == "density":
        config = dict(DENSITY)
    else:
        config = MultiresClassifier.from_preset_config(preset).get_config()
        for name in ("name", "trainable", "dtype"):
            config.pop(name)
    if "num_layers" in case:
        config["num_layers"] = case["num_layers"]
    random = np.random.default_rng(0)
    length = config["length"]
    if config.get("vocabulary_size") is not None:
        inputs = random.integers(
            1, config["vocabulary_size"], (batch_size, length)
        )
    else:
        inputs = random.uniform(
            -1, 1, (batch_size, length, config["input_channels"])
        ).astype("float32")
    if preset == "density":
        inputs = np.round((inputs + 1) * 127.5) / 127.5 - 1
        inputs = inputs.astype("float32")
        targets, loss = inputs, DiscretizedLogisticMixture(10)
    else:
        num_classes = config["num_classes"]
        targets = random.integers(0, num_classes, batch_size)
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        if preset.startswith("ptbxl"):
            targets = np.eye(num_classes, dtype="float32")[targets]
            loss = keras.losses.BinaryCrossentropy(from_logits=True)
    if case["contender"].startswith("plain"):
        from benchmarks.plain_torch import PlainModel
        from benchmarks.plain_torch import training_step

        is_causal = preset == "density"
        outputs = 100 if is_causal else config["num_classes"]
        model = PlainModel(outputs, is_causal, **config)
        inputs, targets = map(ops.convert_to_tensor, (inputs, targets))
        return training_step(_prepare_plain(model, case), loss, inputs, targets)
    if preset == "density":
        model = MultiresDensityModel(**config)
    else:
        model = MultiresClassifier(**config)
    model.compile(keras.optimizers.AdamW(1e-3), loss)
    return lambda: model.train_on_batch(inputs, targets)


def _stream(case):
    """One time step of a stream through two blocks of 64 channels.

    A case gives `"depth"` and `"batch_size"`.
    """
    model = MultiresNet(64, 2, depth=case["depth"])
    model.build((None, None, 64))
    inputs = _random(case["batch_size"], 1, 64)
    transition = model.transition()
    state = model.initial_state(case["batch_size"])

    def step():
        nonlocal state
        outputs, state = model.step(inputs, state, transition, in_place=True)
        return outputs

    return step


def _copy(case):
    """A copy of what would be the inputs of a layer, doubled on the way."""
    inputs = _random(case["batch_size"], case["length"], case["channels"])
    inputs = ops.cast(inputs, keras.config.dtype_policy().compute_dtype)
    if keras.backend.backend() == "jax":
        import jax

        double = jax.jit(lambda inputs: 2 * inputs)
        return lambda: double(inputs)
    return lambda: 2 * inputs


def wait(outputs):
    """Waits until tensors are computed."""
    tensors = [t for t in keras.tree.flatten(outputs) if t is not None]
    backend = keras.backend.backend()
    if backend == "jax":
        import jax

        jax.block_until_ready(tensors)
    elif backend == "torch":
        import torch

        if torch.cuda.is_available():
            torch.cuda.synchronize()
    elif tensors and hasattr(tensors[-1], "device"):
        # A transfer to the host waits; of one number, it takes no time.
        ops.convert_to_numpy(ops.ravel(tensors[-1])[:1])
