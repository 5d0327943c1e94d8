"""The kernels of several layers, by one synthesis."""

from keras import ops

from keras_multires.ops.filter_bank import synthesis
from keras_multires.ops.precision import at_least_float32

# Numbers that are synthesised at once. More take their operations longer than
# they save: PyTorch gets the memory of larger tensors anew each time.
LARGEST_SIZE = 2**22


class KernelBank:
    """Kernels of layers that differ in nothing but the values of their weights.

    Side by side, as so many more channels, several kernels take as many
    operations as one. Each of its own took compilers most of the time that they
    spent on a training step, and PyTorch some milliseconds of calls.

    Args:
        layers: List of built `MultiresLayer`s of the same kernel size, depth,
            memory and number of channels.
    """

    def __init__(self, layers):
        self._layers = layers
        self._kernels = {}  # by length and group of layers

    def kernel(self, layer, length):
        """The kernel of a layer, the skip weights included.

        In float32 at least even where the weights are not, for the FFT is, too.

        Args:
            layer: One of the layers.
            length: Integer, lags wanted.

        Returns:
            Tensor `(taps, channels)`: `length` taps, or the receptive field
            where that is shorter.
        """
        channels = layer.skip_weights.shape[0]
        together = max(1, LARGEST_SIZE // max(1, length * channels))
        group, place = divmod(self._layers.index(layer), together)
        if (length, group) not in self._kernels:
            layers = self._layers[group * together :][:together]
            self._kernels[length, group] = _synthesize(layers, length)
        return self._kernels[length, group][place]


def _synthesize(layers, length):
    """The kernels of all `layers`."""
    kernels = synthesis(
        _side_by_side(layers, "scaling_filter"),
        _side_by_side(layers, "wavelet_filter"),
        _side_by_side(layers, "memory_weights"),
        layers[0].counts,
        length,
    )
    skip = _side_by_side(layers, "skip_weights")
    kernels = ops.concatenate([kernels[:1] + skip, kernels[1:]], axis=0)
    return (
        [kernels] if len(layers) == 1 else ops.split(kernels, len(layers), -1)
    )


def _side_by_side(layers, name):
    precision = at_least_float32(layers[0].variable_dtype)
    weights = [ops.cast(getattr(layer, name), precision) for layer in layers]
    return weights[0] if len(weights) == 1 else ops.concatenate(weights, -1)
