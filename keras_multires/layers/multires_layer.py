"""`MultiresLayer`: linear readout of the memory, and activation."""

import keras
from keras import ops

from keras_multires import backend
from keras_multires._precision import at_least_float32
from keras_multires._precision import saturating_cast
from keras_multires._precision import tree_precision
from keras_multires._validation import INT32_MAX
from keras_multires._validation import check_boolean
from keras_multires._validation import check_built
from keras_multires._validation import check_choice
from keras_multires._validation import check_integer
from keras_multires._validation import check_rate
from keras_multires._validation import require
from keras_multires.initializers import initializer_of_weight
from keras_multires.layers._base_multires import BaseMultires
from keras_multires.layers._kernel_synthesis import kernel_of
from keras_multires.layers._kernel_synthesis import synthesize
from keras_multires.layers._options import declares_options
from keras_multires.layers._streams import Streams
from keras_multires.layers._streams import TensorSpec
from keras_multires.layers._wrappers import KernelMethod
from keras_multires.ops import streaming
from keras_multires.ops.filter_bank import tree_readout

__all__ = ["MultiresLayer"]

ALGORITHMS = ("auto", "fft", "tree")


@keras.saving.register_keras_serializable(package="keras_multires")
class MultiresLayer(Streams, BaseMultires):
    """Multiresolution layer: linear readout of the memory, and activation.

    Each channel is filtered by a causal wavelet transform with learned filters
    (`MultiresConv`). The layer sums the coefficients that a time step
    remembers, and its input, with learned weights:
    `y[n] = sum_m w[m] z[m][n] + s x[n]`. An activation and the dropout of whole
    channels follow.

    The sum is a causal convolution with a kernel as long as the receptive
    field, and the kernel is the inverse wavelet transform of the memory
    weights. So the layer can run the tree of the transform
    (`algorithm="tree"`), or synthesise the kernel once a batch and convolve by
    FFT (`algorithm="fft"`), with the same result. The tree also runs step by
    step: see `step`.

    If the compute dtype is float16, the sum is computed in float32, and values
    beyond float16's range become its largest value.

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
        independent_skip: Whether the skip weights start uniform in ±1 rather
            than as small as the memory weights.
        activation: Activation function. Defaults to the exact GELU.
        dropout: Float in [0, 1), the fraction of channels that training drops
            for a whole sequence.
        algorithm: `"tree"`, `"fft"`, or `"auto"` for the faster one at the
            shape of the inputs. The tree is exactly causal and needs no FFT.
            The FFT runs in float32 at least. It spreads a rounding error of
            some 1e-8 of a value, in float32, over the outputs of its channel
            and sequence, those before it too: a NaN or an infinity makes all
            of them NaN, and a value above 1e37 some. Other channels and
            sequences stay as they are. `"auto"` and `"fft"` run the tree if
            the length is unknown, and in files that `Model.export` writes.
        filter_initializer: Initializer of both filters. Defaults to uniform
            in ±sqrt(1 / kernel_size).
        memory_initializer: Initializer of the memory weights. Defaults to
            uniform in ±sqrt(1 / (M + 1)).
        skip_initializer: Initializer of the skip weights. Defaults to that of
            the memory weights, or to uniform in ±1 with `independent_skip`.
        filter_regularizer: Regularizer of both filters.
        memory_regularizer: Regularizer of the memory weights.
        skip_regularizer: Regularizer of the skip weights.
        filter_constraint: Constraint of both filters.
        memory_constraint: Constraint of the memory weights.
        skip_constraint: Constraint of the skip weights.
        seed: Integer from 0 to `2**32 - 1`, seed of the dropout.
        **kwargs: Base layer arguments, such as `name` and `dtype`.

    Call arguments:
        inputs: Float tensor `(batch, length, channels)`. The length may be
            unknown if `depth` is given.
        mask: Optional boolean tensor `(batch, length)`. Steps where it is
            False enter as zero.
        training: Whether to apply dropout.

    Returns:
        Float tensor of the shape of `inputs`.

    Raises:
        ValueError: if an argument is out of its range or contradicts another.

    Attributes:
        scaling_filter: Weight `(kernel_size, channels)`, in lag order.
        wavelet_filter: Weight `(kernel_size, channels)`, in lag order.
        memory_weights: Weight `(M, channels)`, coarse to fine.
        skip_weights: Weight `(channels,)`.
        tree: The `keras_multires.ops.Tree`: levels, memory, receptive field.

    Example:

    >>> layer = keras_multires.layers.MultiresLayer(kernel_size=4)
    >>> layer(np.ones((2, 1000, 16))).shape
    (2, 1000, 16)
    >>> layer.receptive_field
    1534

    Reference:

    - [Shi, Wang and Fox, 2023](https://arxiv.org/abs/2305.01638)
    """

    @declares_options(BaseMultires.__init__)
    def __init__(
        self,
        kernel_size=None,
        *,
        independent_skip=False,
        activation="gelu",
        dropout=0.0,
        algorithm="auto",
        memory_initializer=None,
        skip_initializer=None,
        memory_regularizer=None,
        skip_regularizer=None,
        memory_constraint=None,
        skip_constraint=None,
        seed=None,
        **options,
    ):
        independent_skip = check_boolean("independent_skip", independent_skip)
        dropout = check_rate("dropout", dropout)
        check_choice("algorithm", algorithm, ALGORITHMS)
        seed = (
            None if seed is None else check_integer("seed", seed, 0, 2**32 - 1)
        )
        super().__init__(kernel_size=kernel_size, **options)
        self.independent_skip = independent_skip
        self.dropout = dropout
        self.seed = seed
        if dropout > 0:
            self.seed_generator = keras.random.SeedGenerator(seed)

    def build(self, input_shape):
        super().build(input_shape)
        channels, memory_size = input_shape[-1], self.tree.memory_size
        skip_fan_in = 1 if self.independent_skip else memory_size + 1
        self.memory_weights = self.add_weight(
            name="memory_weights",
            shape=(memory_size, channels),
            initializer=initializer_of_weight(
                self.memory_initializer, memory_size + 1
            ),
            regularizer=self.memory_regularizer,
            constraint=self.memory_constraint,
            autocast=False,
        )
        self.skip_weights = self.add_weight(
            name="skip_weights",
            shape=(channels,),
            initializer=initializer_of_weight(
                self.skip_initializer, skip_fan_in
            ),
            regularizer=self.skip_regularizer,
            constraint=self.skip_constraint,
            autocast=False,
        )

    def call(self, inputs, mask=None, training=None):
        inputs = self._prepare(inputs, mask)
        if self.runs_fft(inputs.shape):
            precision = at_least_float32(inputs.dtype)
            kernel = kernel_of(self, inputs.shape[1])
            outputs = backend.fft_convolve(
                ops.cast(inputs, precision), ops.cast(kernel, precision)
            )
        else:
            signal = ops.cast(inputs, tree_precision(self.compute_dtype))
            outputs = tree_readout(signal, *self._tree_weights(), self.tree)
            outputs += signal * ops.cast(self.skip_weights, signal.dtype)
        outputs = self._activate(saturating_cast(outputs, inputs.dtype))
        if training and self.dropout > 0:
            # Not a `SpatialDropout1D`: PyTorch's compiler cannot trace a layer
            # that is called within a layer, and would try many times.
            batch_size, _, channels = ops.shape(outputs)
            outputs = keras.random.dropout(
                outputs,
                self.dropout,
                noise_shape=(batch_size, 1, channels),
                seed=self.seed_generator,
            )
        return outputs

    def _activate(self, inputs):
        if self.activation is keras.activations.gelu:
            return backend.gelu(inputs)
        return self.activation(inputs)

    def runs_fft(self, input_shape):
        """Whether the layer convolves inputs of a shape by FFT.

        Args:
            input_shape: Tuple, `(batch, length, channels)`; the first two may
                be None.

        Returns:
            A boolean.
        """
        # ONNX and LiteRT have no FFT. Sizes are looked at last: in a graph that
        # is exported they may be symbols.
        if self.algorithm == "tree" or backend.is_exporting():
            return False
        batch_size, length, channels = input_shape
        if not length or batch_size == 0:  # there is no FFT of empty tensors
            return False
        if self.algorithm == "fft":
            return True
        return backend.fft_is_faster(batch_size, length, channels)

    def _tree_weights(self):
        dtype = tree_precision(self.compute_dtype)
        return (
            ops.cast(self.scaling_filter, dtype),
            ops.cast(self.wavelet_filter, dtype),
            ops.cast(self.memory_weights, dtype),
        )

    @KernelMethod
    def kernel(self, length):
        """Kernel of the causal convolution that the layer computes.

        Before the activation, `outputs[n] = sum_k kernel[k] inputs[n - k]`.

        Args:
            length: Integer, number of lags.

        Returns:
            Tensor `(length, channels)`, float32 or float64, in lag order, the
            skip weights included, zero beyond the receptive field.

        Raises:
            ValueError: if `length` is not a positive integer, or the layer is
                not built.
        """
        length = check_integer("length", length)
        check_built(self, "kernel")
        (kernel,) = synthesize([self], length)
        return ops.pad(kernel, [(0, length - kernel.shape[0]), (0, 0)])

    def _stream_specs(self, batch_size):
        size, channels = self.tree.history_size, self.skip_weights.shape[0]
        if size > INT32_MAX:
            expected = "`depth` must be less for a state: int32 cannot count "
            expected += f"its {size} values a channel."
            require(False, expected, depth=self.tree.depth)
        dtype = tree_precision(self.compute_dtype)
        shape = (*self.tree.transition_shape, channels)
        return {
            "history": TensorSpec((batch_size, size, channels), dtype),
            "position": TensorSpec((), "int32"),
        }, TensorSpec(shape, dtype)

    def _transition(self):
        return streaming.transition_matrices(*self._tree_weights(), self.tree)

    def _step_axes(self):
        return "batch", "steps", self.skip_weights.shape[0]

    def _step(self, inputs, state, transition=None, in_place=False):
        inputs = ops.cast(inputs, self.compute_dtype)
        signal = ops.cast(inputs, state["history"].dtype)
        if inputs.shape[1] == 1:
            if transition is None:
                transition = self._transition()
            outputs, state = streaming.step(
                signal, state, transition, self.tree, in_place
            )
        else:
            outputs, state = streaming.chunk(
                signal, state, *self._tree_weights(), self.tree
            )
        outputs += signal * ops.cast(self.skip_weights, signal.dtype)
        return self._activate(saturating_cast(outputs, inputs.dtype)), state

    def compute_output_shape(self, input_shape):
        return tuple(input_shape)
