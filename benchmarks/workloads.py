"""What is timed: a layer, forward or with its gradients, or a training step.

A case is a dict, so that it can be sent to another process and written beside
its result. A workload is a function of no arguments that computes the case once
and returns tensors that are ready only when it has.
"""

import keras
import numpy as np
from keras import ops

from keras_multires.distributions import num_parameters
from keras_multires.layers import MultiresLayer
from keras_multires.losses import BitsPerDimension
from keras_multires.models import MultiresClassifier
from keras_multires.models import MultiresDensityModel
from keras_multires.models import MultiresNet
from testing.backends import run_function
from testing.gradients import forward
from testing.gradients import forward_and_backward
from testing.gradients import torch_gradients

# How Keras runs a function by default.
DEFAULT_MODES = {"jax": "jit", "tensorflow": "xla", "torch": "eager"}


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
        return _plain_layer(channels, length, kernel_size, case)
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
    inputs = ops.cast(_random(*shape), layer.compute_dtype)
    mode = DEFAULT_MODES[keras.backend.backend()]
    if not case["backward"]:
        function = forward(layer, mode)
        return lambda: function(inputs)
    cotangent = ops.cast(_random(*shape), layer.compute_dtype)
    function = forward_and_backward(layer, mode)
    return lambda: function(inputs, cotangent)


def _plain_layer(channels, length, kernel_size, case):
    import torch

    from benchmarks.plain_torch import PlainMultiresLayer

    layer = PlainMultiresLayer(channels, length, kernel_size)
    layer = _prepare_plain(layer, case)
    shape = (case["batch_size"], channels, length)
    inputs, cotangent = _random(*shape), _random(*shape)
    if case["backward"]:
        function = torch_gradients(layer, list(layer.parameters()))
        return lambda: function(inputs, cotangent)

    def without_gradients():
        with torch.no_grad():
            return layer(inputs)

    return without_gradients


class SelfAttention(keras.layers.MultiHeadAttention):
    """Causal self-attention, as a layer of one input."""

    def build(self, input_shape):
        super().build(input_shape, input_shape)

    def call(self, inputs):
        return super().call(inputs, inputs, use_causal_mask=True)


def _prepare_plain(module, case):
    """The module on the device, in the precision of the case, and compiled if
    the contender is `"plain-compiled"`.
    """
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


def _step(case):
    """A training step of a preset: loss, gradients and AdamW.

    Besides `"contender"`, a case gives `"preset"` and `"batch_size"`, and may
    give a smaller `"num_layers"`.
    """
    preset, batch_size = case["preset"], case["batch_size"]
    is_density = preset in MultiresDensityModel.presets
    task = MultiresDensityModel if is_density else MultiresClassifier
    options = dict(task.presets[preset])
    backbone = dict(options.pop("backbone"))
    if "num_layers" in case:
        backbone["num_layers"] = case["num_layers"]
    random = np.random.default_rng(0)
    length = backbone["length"]
    if "vocabulary_size" in backbone:
        inputs = random.integers(
            1, backbone["vocabulary_size"], (batch_size, length)
        )
    else:
        shape = (batch_size, length, backbone["input_channels"])
        inputs = random.uniform(-1, 1, shape).astype("float32")
    if is_density:
        inputs = np.round((inputs + 1) * 127.5) / 127.5 - 1
        inputs = inputs.astype("float32")
        num_mixtures = options["num_mixtures"]
        num_outputs = num_parameters(backbone["input_channels"], num_mixtures)
        targets, loss = inputs, BitsPerDimension(num_mixtures)
    else:
        num_outputs = options["num_classes"]
        targets = random.integers(0, num_outputs, batch_size)
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        if preset.startswith("ptbxl"):
            targets = np.eye(num_outputs, dtype="float32")[targets]
            loss = keras.losses.BinaryCrossentropy(from_logits=True)
    if case["contender"].startswith("plain"):
        from benchmarks.plain_torch import PlainModel
        from benchmarks.plain_torch import training_step

        model = PlainModel(num_outputs, is_causal=is_density, **backbone)
        inputs, targets = map(ops.convert_to_tensor, (inputs, targets))
        return training_step(_prepare_plain(model, case), loss, inputs, targets)
    model = task(MultiresNet(**backbone), **options)
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
    state = model.get_initial_state(case["batch_size"])

    def step():
        nonlocal state
        outputs, state = model.step(inputs, state, transition, in_place=True)
        return outputs

    return step


def _copy(case):
    """A copy of what would be the inputs of a layer, doubled on the way."""
    inputs = _random(case["batch_size"], case["length"], case["channels"])
    inputs = ops.cast(inputs, keras.config.dtype_policy().compute_dtype)
    mode = "jit" if keras.backend.backend() == "jax" else "eager"
    double = run_function(lambda inputs: 2 * inputs, mode)
    return lambda: double(inputs)


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
        # A transfer to the host waits; that of one number is fast.
        ops.convert_to_numpy(ops.ravel(tensors[-1])[:1])
