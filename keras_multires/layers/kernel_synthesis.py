"""The kernels of layers, several by one synthesis."""

from keras import ops

from keras_multires.ops.filter_bank import synthesis
from keras_multires.ops.precision import at_least_float32

# Numbers that are synthesised at once. More take their operations longer than
# they save: PyTorch gets the memory of larger tensors anew each time.
LARGEST_SIZE = 2**22


def synthesize(layers, length):
    """Kernels of layers that differ in nothing but the values of their weights.

    Side by side, as so many more channels, several kernels take as many
    operations as one. Each of its own took compilers most of the time that they
    spent on a training step, and PyTorch some milliseconds of calls.

    In float32 at least even where the weights are not, for the FFT is, too.

    Args:
        layers: List of built `MultiresLayer`s of the same kernel size, tree,
            number of channels and dtype.
        length: Integer, lags wanted.

    Returns:
        A generator of the kernel of each layer, the skip weights included:
        tensors `(taps, channels)` of `length` taps, or the receptive field
        where that is shorter.
    """
    channels = layers[0].skip_weights.shape[0]
    together = max(1, LARGEST_SIZE // max(1, length * channels))
    for first in range(0, len(layers), together):
        yield from _synthesize_at_once(layers[first:][:together], length)


def _synthesize_at_once(layers, length):
    kernels = synthesis(
        _side_by_side(layers, "scaling_filter"),
        _side_by_side(layers, "wavelet_filter"),
        _side_by_side(layers, "memory_weights"),
        layers[0].counts,
        length,
    )
    skip = _side_by_side(layers, "skip_weights")
    kernels = ops.concatenate([kernels[:1] + skip, kernels[1:]], axis=0)
    if len(layers) == 1:
        return [kernels]
    return ops.split(kernels, len(layers), axis=-1)


def _side_by_side(layers, name):
    precision = at_least_float32(layers[0].variable_dtype)
    weights = [ops.cast(getattr(layer, name), precision) for layer in layers]
    return weights[0] if len(weights) == 1 else ops.concatenate(weights, -1)
