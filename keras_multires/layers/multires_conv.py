"""`MultiresConv`: the memory of every time step."""

import keras
from keras import ops

from keras_multires._precision import saturating_cast
from keras_multires._precision import tree_precision
from keras_multires.layers._base_multires import BaseMultires
from keras_multires.ops import filter_bank

__all__ = ["MultiresConv"]


@keras.saving.register_keras_serializable(package="keras_multires")
class MultiresConv(BaseMultires):
    """Multiresolution convolution: the memory of every time step.

    A causal, undecimated wavelet transform with learned filters, shared by all
    levels and separate for each channel. Each time step keeps the `M`
    coefficients that its memory selects, coarse to fine as PyWavelets'
    `wavedec` orders them.

    The memory costs `M` times the space of the inputs. `MultiresLayer` computes
    its linear readout without it.

    Args:
        kernel_size: Integer >= 2, taps of the scaling and the wavelet filter.
            Defaults to 2, or to the filter length of `wavelet`.
        depth: Integer >= 1, levels of the transform. Defaults to the fewest
            whose receptive field covers the length of the inputs at build
            time. The receptive field must go back by no more than `2**63 - 1`
            time steps, which an int64 can count: at most 63 levels of 2 taps,
            or 61 levels of 4 taps.
        memory: `"fading"` for the approximation and one detail coefficient of
            each level (`M = depth + 1`), or `"uniform"` for the first
            `memory_size` coefficients, coarse to fine, of the tree that the
            approximation depends on.
        memory_size: Integer, the `M` of the `"uniform"` memory.
        wavelet: Name of a discrete wavelet of PyWavelets, such as `"db2"`,
            whose `dec_lo` and `dec_hi` are the initial filters. By default
            they are random.
        filter_initializer: Initializer of both filters. Defaults to uniform
            in ±sqrt(1 / kernel_size).
        filter_regularizer: Regularizer of both filters.
        filter_constraint: Constraint of both filters.
        **kwargs: Base layer arguments, such as `name` and `dtype`.

    Call arguments:
        inputs: Float tensor `(batch, length, channels)`. The length may be
            unknown if `depth` is given.
        mask: Optional boolean tensor `(batch, length)`. Steps where it is
            False enter as zero.

    Returns:
        Float tensor `(batch, length, channels, M)`.

    Raises:
        ValueError: if an argument is out of its range or contradicts another.

    Example:

    >>> layer = keras_multires.layers.MultiresConv(wavelet="db2")
    >>> memory = layer(np.ones((1, 64, 3)))
    >>> memory.shape  # 5 levels cover 64 steps
    (1, 64, 3, 6)

    Reference:

    - [Shi, Wang and Fox, 2023](https://arxiv.org/abs/2305.01638)
    """

    def call(self, inputs, mask=None):
        inputs = self._prepare(inputs, mask)
        precision = tree_precision(inputs.dtype)
        memory = filter_bank.memory(
            ops.cast(inputs, precision),
            ops.cast(self.scaling_filter, precision),
            ops.cast(self.wavelet_filter, precision),
            self.tree,
        )
        return saturating_cast(memory, inputs.dtype)

    def compute_output_shape(self, input_shape):
        tree = self.tree if self.built else self._tree_for(input_shape[1])
        return (*input_shape, tree.memory_size)
