"""The kernels of several layers by one synthesis.

Side by side, as further channels of one tensor, several kernels take as many
operations as one. Synthesised one by one, they took compilers most of the time
that they spent on a training step, and PyTorch some milliseconds of calls.

A model announces the layers that it is about to call, and each layer asks for
its kernel. So the layers' `call` needs no argument for it, and a layer that was
not announced, or is called again to recompute its activations, makes its own.
"""

import contextlib
import contextvars

from keras import ops

from keras_multires._precision import at_least_float32
from keras_multires.ops.filter_bank import synthesis

# More numbers at once take longer than they save: PyTorch requests the memory
# of larger tensors from the system each time.
MAX_NUMBERS = 2**22

# Layers and their kernels, in the order of the calls to come.
_announced = contextvars.ContextVar("announced", default=None)


@contextlib.contextmanager
def synthesized_together(layers, length):
    """Context in which layers are called one after another.

    Args:
        layers: List of built `MultiresLayer`s of the same tree, number of
            channels and dtype.
        length: Integer, time steps of their inputs.
    """
    token = _announced.set(zip(layers, synthesize(layers, length), strict=True))
    try:
        yield
    finally:
        _announced.reset(token)


def kernel_of(layer, length):
    """The kernel of a layer for inputs of a length; see `synthesize`."""
    announced = _announced.get()
    if announced is not None:
        for expected, kernel in announced:
            if expected is layer:
                return kernel
            break
    (kernel,) = synthesize([layer], length)
    return kernel


def synthesize(layers, length):
    """Kernels of layers that differ only in the values of their weights.

    They are in float32 at least, as the FFT is, even if the weights are not.

    Args:
        layers: As in `synthesized_together`.
        length: Integer, lags wanted.

    Returns:
        A generator of the kernel of each layer, the skip weights included:
        tensors `(taps, channels)` of `length` taps, or of the receptive field
        if that is shorter.
    """
    channels = layers[0].skip_weights.shape[0]
    together = max(1, MAX_NUMBERS // max(1, length * channels))
    for first in range(0, len(layers), together):
        yield from _synthesize_at_once(layers[first:][:together], length)


def _synthesize_at_once(layers, length):
    kernels = synthesis(
        _side_by_side(layers, "scaling_filter"),
        _side_by_side(layers, "wavelet_filter"),
        _side_by_side(layers, "memory_weights"),
        layers[0].tree,
        length,
    )
    skip = _side_by_side(layers, "skip_weights")
    kernels = ops.concatenate([kernels[:1] + skip, kernels[1:]], axis=0)
    if len(layers) == 1:
        return [kernels]
    return ops.split(kernels, len(layers), axis=-1)


def _side_by_side(layers, name):
    precision = at_least_float32(layers[0].variable_dtype)
    weights = []
    for layer in layers:
        weights.append(ops.cast(getattr(layer, name), precision))
    return weights[0] if len(weights) == 1 else ops.concatenate(weights, -1)
