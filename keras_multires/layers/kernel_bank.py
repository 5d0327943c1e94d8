"""The kernels of several layers, by one synthesis."""

from keras import ops

from keras_multires.ops.filter_bank import synthesis
from keras_multires.ops.precision import at_least_float32


class KernelBank:
    """Kernels of layers that differ in nothing but the values of their weights.

    Side by side, as so many more channels, all kernels take as many operations
    as one. Each of its own took compilers most of the time that they spent on a
    training step, and PyTorch some milliseconds of calls.

    Args:
        layers: List of built `MultiresLayer`s of the same kernel size, depth,
            memory and number of channels.
    """

    def __init__(self, layers):
        self._layers = layers
        self._kernels = {}  # by length

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
        if length not in self._kernels:
            self._kernels[length] = self._synthesize(length)
        return self._kernels[length][self._layers.index(layer)]

    def _synthesize(self, length):
        first = self._layers[0]
        kernels = synthesis(
            self._side_by_side("scaling_filter"),
            self._side_by_side("wavelet_filter"),
            self._side_by_side("memory_weights"),
            first.counts,
            length,
        )
        skip = self._side_by_side("skip_weights")
        kernels = ops.concatenate([kernels[:1] + skip, kernels[1:]], axis=0)
        if len(self._layers) == 1:
            return [kernels]
        return ops.split(kernels, len(self._layers), axis=-1)

    def _side_by_side(self, name):
        precision = at_least_float32(self._layers[0].variable_dtype)
        weights = [
            ops.cast(getattr(layer, name), precision) for layer in self._layers
        ]
        return weights[0] if len(weights) == 1 else ops.concatenate(weights, -1)
