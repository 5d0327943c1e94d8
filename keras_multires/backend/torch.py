"""The backend contract for PyTorch; see `keras_multires.backend`."""

import contextlib
import threading

import keras
import numpy as np
import torch
from keras import ops

from keras_multires.backend import _exports
from keras_multires.backend import _padded_fft

COMPILES_BY_DEFAULT = False
EXPORT_FORMATS = _exports.FORMATS["torch"]

fft_convolve = _padded_fft.convolve

# PyTorch traces in one thread at a time.
_TRACING = threading.Lock()


def dtype_name(dtype):
    return str(dtype).removeprefix("torch.")


def has_values(tensor):
    if isinstance(tensor, np.ndarray):
        return True
    if isinstance(tensor, keras.KerasTensor) or torch.compiler.is_compiling():
        return False
    # Those of `torch.func` have none while it transforms a function.
    return not (
        tensor.device.type == "meta"
        or torch._C._functorch.is_functorch_wrapped_tensor(tensor)
    )


def is_exporting():
    return torch.onnx.is_in_onnx_export() or _is_torch_export()


def _is_torch_export():
    compiler = torch.compiler
    if hasattr(compiler, "is_exporting"):
        return compiler.is_exporting()
    # Before PyTorch 2.7. Keras exports without Dynamo, which compiles.
    return compiler.is_compiling() and not compiler.is_dynamo_compiling()


def fft_is_faster(batch_size, length, channels):
    if batch_size is None:
        return length >= 16
    # The kernel of the FFT costs about as much as half a sequence.
    return length >= 16 and (batch_size - 0.5) * length * channels >= 3 * 2**14


def gelu(inputs):
    # PyTorch's own function keeps only its inputs for the gradient.
    return torch.nn.functional.gelu(inputs)


def layer_norm(inputs, scale, offset, epsilon):
    outputs = torch.nn.functional.layer_norm(
        inputs.to(scale.dtype), tuple(scale.shape), scale, offset, epsilon
    )
    return outputs.to(inputs.dtype)


def read_slots(history, slots):
    # Keras's `take` also squeezes, which exporters to ONNX take literally.
    return history.index_select(1, slots)


def write_slots(history, slots, values, in_place):
    copy = history.index_copy_ if in_place else history.index_copy
    return copy(1, ops.cast(slots, "int64"), values)


def apply_transition(transition, values):
    # So small a map is faster by hand than as one product a channel.
    return ops.sum(ops.expand_dims(values, 1) * transition, axis=2)


def call_layer(layer, inputs, **options):
    # Keras casts and quantises weights in the code that `call` skips.
    if (
        layer.compute_dtype == layer.variable_dtype
        and layer.quantization_mode is None
    ):
        return layer.call(inputs, **options)
    return layer(inputs, **options)


def loop(function, carried, inputs, outputs):
    # PyTorch runs a loop as it is written, and most of the time of a step goes
    # to what Keras does around each operation. So the step is traced once, and
    # its plain operations run again and again.
    # Not with the other imports: it takes as long as all of them.
    from torch.fx.experimental.proxy_tensor import make_fx

    with torch.no_grad():
        # Tracing runs a step, whose writes must not reach the state.
        copies = keras.tree.map_structure(torch.clone, carried)
        with _TRACING:
            step = make_fx(function)(copies, inputs[0])
        for value, output in zip(inputs, outputs, strict=True):
            carried, result = step(carried, value)
            output.copy_(result)
    return outputs


def without_gradients(function):
    return torch.no_grad()(function)


def compiled(model, function, state=(), donated=None):
    return without_gradients(function)


def optimizer_scope(model):
    return contextlib.nullcontext()


def export_options(format, input_signature):
    """Tells `torch.export` which axes of the inputs may have any size."""
    if format != "torch":
        return {}
    batch = torch.export.Dim("batch")
    shapes = [
        {
            axis: torch.export.Dim(f"size_{index}_{axis}") if axis else batch
            for axis, size in enumerate(spec.shape)
            if size is None
        }
        for index, spec in enumerate(input_signature)
    ]
    return {"dynamic_shapes": tuple(shapes) if any(shapes) else None}


@contextlib.contextmanager
def export_context(format):
    """JAX's 64 bits, in which litert-torch converts token ids.

    litert-torch asks for them when it is imported, and Keras takes them back
    after the first export.
    """
    if format != "litert":
        yield
        return
    import jax

    before = jax.config.jax_enable_x64
    jax.config.update("jax_enable_x64", True)
    try:
        yield
    finally:
        jax.config.update("jax_enable_x64", before)
