import keras
from keras import ops

from keras_multires._validation import check_boolean
from keras_multires._validation import check_choice
from keras_multires._validation import check_integer
from keras_multires._validation import check_keras_object
from keras_multires._validation import check_rate
from keras_multires._validation import check_seed
from keras_multires._validation import check_tensor
from keras_multires.backend import is_exporting
from keras_multires.initializers import own_initializer
from keras_multires.layers.algorithm_choice import fft_is_faster
from keras_multires.layers.base_multires import BaseMultires
from keras_multires.layers.kernel_synthesis import synthesize
from keras_multires.ops import streaming
from keras_multires.ops.activations import gelu
from keras_multires.ops.causal_conv import causal_conv
from keras_multires.ops.filter_bank import tree_readout
from keras_multires.ops.precision import at_least_float32
from keras_multires.ops.precision import limit
from keras_multires.ops.precision import tree_precision

ALGORITHMS = ("auto", "fft", "tree")


@keras.saving.register_keras_serializable(package="keras_multires")
class MultiresLayer(BaseMultires):
    """Multiresolution layer: linear readout of the memory, and activation.

    Each channel is filtered by a causal wavelet transform with learned filters
    (`MultiresConv`); the coefficients that a time step remembers, and its
    input, are summed with learned weights:
    `y[n] = sum_m w[m] z[m][n] + s x[n]`. An activation and the dropout of whole
    channels follow.

    Where the compute dtype is float16, the sum is computed in float32, and what
    is beyond float16's range is its largest value.

    The sum is a causal convolution with a kernel as long as the receptive
    field, and the kernel is the inverse wavelet transform of the memory
    weights. So the layer can run the tree of the transform
    (`algorithm="tree"`), or synthesise the kernel once a batch and convolve by
    FFT (`algorithm="fft"`), with the same result. The tree also runs step by
    step: see `step`.

    Args:
        kernel_size: Integer >= 2, taps of the scaling and the wavelet filter.
            Defaults to 2, or to the filter length of `wavelet`.
        depth: Integer >= 1, levels of the transform. Defaults to the fewest
            whose receptive field covers the length of the inputs at build
            time. The receptive field must go back by no more than `2**63 - 1`
            time steps, as many as an int64 counts: at most 63 levels of 2
            taps, or 61 of 4.
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
            shape at hand. The tree is exactly causal and needs no FFT; in
            the FFT a rounding error of the order of the dtype's precision
            spreads over the sequence, and it runs in float32 at least. Where
            the length is unknown, and in what `Model.export` writes, `"auto"`
            and `"fft"` run the tree.
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
        kernel: Optional tensor `(taps, channels)`, float32 or float64, the
            kernel of this layer for the length of the inputs, where a model has
            synthesised those of all its layers at once.

    Returns:
        Float tensor of the shape of `inputs`.

    Raises:
        ValueError: if an argument is out of its range or contradicts another.

    Attributes:
        scaling_filter: Weight `(kernel_size, channels)`, in lag order.
        wavelet_filter: Weight `(kernel_size, channels)`, in lag order.
        memory_weights: Weight `(M, channels)`, coarse to fine.
        skip_weights: Weight `(channels,)`.
        counts: Tuple, remembered detail coefficients of each level, coarsest
            first.

    Example:

    >>> layer = keras_multires.layers.MultiresLayer(kernel_size=4)
    >>> layer(np.ones((2, 1000, 16))).shape
    (2, 1000, 16)
    >>> layer.receptive_field
    1534

    Reference:

    - [Shi, Wang and Fox, 2023](https://arxiv.org/abs/2305.01638)
    """

    def __init__(
        self,
        kernel_size=None,
        depth=None,
        memory="fading",
        memory_size=None,
        wavelet=None,
        independent_skip=False,
        activation="gelu",
        dropout=0.0,
        algorithm="auto",
        filter_initializer=None,
        memory_initializer=None,
        skip_initializer=None,
        filter_regularizer=None,
        memory_regularizer=None,
        skip_regularizer=None,
        filter_constraint=None,
        memory_constraint=None,
        skip_constraint=None,
        seed=None,
        **kwargs,
    ):
        independent_skip = check_boolean("independent_skip", independent_skip)
        activation = check_keras_object("activation", activation)
        check_rate("dropout", dropout)
        check_choice("algorithm", algorithm, ALGORITHMS)
        memory_initializer = check_keras_object(
            "memory_initializer", memory_initializer
        )
        skip_initializer = check_keras_object(
            "skip_initializer", skip_initializer
        )
        memory_regularizer = check_keras_object(
            "memory_regularizer", memory_regularizer
        )
        skip_regularizer = check_keras_object(
            "skip_regularizer", skip_regularizer
        )
        memory_constraint = check_keras_object(
            "memory_constraint", memory_constraint
        )
        skip_constraint = check_keras_object("skip_constraint", skip_constraint)
        seed = check_seed("seed", seed)
        super().__init__(
            kernel_size=kernel_size,
            depth=depth,
            memory=memory,
            memory_size=memory_size,
            wavelet=wavelet,
            filter_initializer=filter_initializer,
            filter_regularizer=filter_regularizer,
            filter_constraint=filter_constraint,
            **kwargs,
        )
        self.independent_skip = independent_skip
        self.activation = activation
        self.dropout = dropout
        self.algorithm = algorithm
        self.memory_initializer = memory_initializer
        self.skip_initializer = skip_initializer
        self.memory_regularizer = memory_regularizer
        self.skip_regularizer = skip_regularizer
        self.memory_constraint = memory_constraint
        self.skip_constraint = skip_constraint
        self.seed = seed
        if dropout > 0:
            self.seed_generator = keras.random.SeedGenerator(seed)

    def build(self, input_shape):
        super().build(input_shape)
        channels = input_shape[-1]
        memory_length = 1 + sum(self.counts)
        skip_fan_in = 1 if self.independent_skip else memory_length + 1
        self.memory_weights = self.add_weight(
            name="memory_weights",
            shape=(memory_length, channels),
            initializer=own_initializer(
                self.memory_initializer, memory_length + 1
            ),
            regularizer=self.memory_regularizer,
            constraint=self.memory_constraint,
            autocast=False,
        )
        self.skip_weights = self.add_weight(
            name="skip_weights",
            shape=(channels,),
            initializer=own_initializer(self.skip_initializer, skip_fan_in),
            regularizer=self.skip_regularizer,
            constraint=self.skip_constraint,
            autocast=False,
        )

    def call(self, inputs, mask=None, training=None, kernel=None):
        inputs = self._prepare(inputs, mask)
        if self._runs_fft(inputs.shape):
            precision = at_least_float32(inputs.dtype)
            if kernel is None:
                (kernel,) = synthesize([self], inputs.shape[1])
            outputs = causal_conv(
                ops.cast(inputs, precision), ops.cast(kernel, precision)
            )
        else:
            precision = self._tree_precision
            signal = ops.cast(inputs, precision)
            weights = self._tree_weights(precision)
            outputs = tree_readout(signal, *weights, self.counts)
            outputs += signal * ops.cast(self.skip_weights, precision)
        outputs = self._activate(limit(outputs, inputs.dtype))
        if training and self.dropout > 0:
            # Not a `SpatialDropout1D`: PyTorch's compiler gives up at a layer
            # called within a layer, and would trace this one many times over.
            batch_size, _, channels = ops.shape(outputs)
            outputs = keras.random.dropout(
                outputs,
                self.dropout,
                noise_shape=(batch_size, 1, channels),
                seed=self.seed_generator,
            )
        return outputs

    @property
    def _tree_precision(self):
        return tree_precision(self.compute_dtype)

    def _activate(self, inputs):
        if self.activation is keras.activations.gelu:
            return gelu(inputs)
        return self.activation(inputs)

    def _runs_fft(self, input_shape):
        """Whether the layer convolves inputs of a shape by FFT.

        Args:
            input_shape: Tuple, `(batch, length, channels)`; the first two may
                be None.

        Returns:
            A boolean.
        """
        # ONNX and LiteRT know no FFT. Sizes are looked at last: those of a
        # graph that is exported may be symbols.
        if self.algorithm == "tree" or is_exporting():
            return False
        batch_size, length, channels = input_shape
        if not length or batch_size == 0:  # there is no FFT of nothing
            return False
        if self.algorithm == "fft":
            return True
        return fft_is_faster(batch_size, length, channels)

    def _tree_weights(self, dtype):
        return (
            ops.cast(self.scaling_filter, dtype),
            ops.cast(self.wavelet_filter, dtype),
            ops.cast(self.memory_weights, dtype),
        )

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
        self._check_built("kernel")
        (kernel,) = synthesize([self], length)
        return ops.pad(kernel, [(0, length - kernel.shape[0]), (0, 0)])

    def initial_state(self, batch_size):
        """State of `step` before the first time step.

        Args:
            batch_size: Integer, sequences that are run side by side.

        Returns:
            A dict of two tensors that may be stored like any other:
            `"history"`, `(batch_size, size, channels)` with the past that the
            layer still needs, and `"position"`, an int32 scalar.

        Raises:
            ValueError: if `batch_size` is not a positive integer, the layer is
                not built, or `depth` makes the state so large that its places
                cannot be counted in int32.
        """
        batch_size = check_integer("batch_size", batch_size)
        self._check_built("initial_state")
        return streaming.initial_state(
            batch_size,
            self.skip_weights.shape[0],
            self.kernel_size,
            self.counts,
            self._tree_precision,
        )

    def transition(self):
        """What `step` needs of the weights for a single time step.

        Returns:
            Tensor `(updates, values, channels)`, see
            `keras_multires.ops.streaming.transition`.

        Raises:
            ValueError: if the layer is not built.
        """
        self._check_built("transition")
        weights = self._tree_weights(self._tree_precision)
        return streaming.transition(*weights, self.counts)

    def step(self, inputs, state, transition=None, in_place=False):
        """Outputs of the next time steps of a sequence, without dropout.

        However a sequence is cut into chunks, the outputs are those of the
        whole sequence. A single step looks up the few past values that it
        needs; more at once cost time in proportion to the receptive field and
        the number of steps. After an input that is not finite, single steps
        give NaN from then on: begin with a new state.

        Args:
            inputs: Float tensor `(batch, steps, channels)`, at least one step.
            state: The state that `initial_state` or the last `step` returned.
            transition: Optional result of the method `transition`, for single
                steps with weights that do not change in between: it takes
                longer to compute than a step.
            in_place: Whether `state` may be overwritten, so that it cannot be
                used again. That saves a copy for a single step: on PyTorch,
                and on JAX and TensorFlow in the compiled `step` of a model. The
                state that TensorFlow returns then holds a `tf.Variable`.

        Returns:
            `(outputs, state)`: a float tensor of the shape of `inputs`, and the
            state after these steps.

        Raises:
            ValueError: if `inputs`, `state` or `transition` do not fit the
                layer or each other, or the layer is not built.
        """
        self._check_built("step")
        inputs = check_tensor("inputs", inputs, cast_to=self.compute_dtype)
        self._check_step(inputs.shape, state)
        in_place = check_boolean("in_place", in_place)
        # A state that was stored may come back in another precision.
        precision = self._tree_precision
        history = ops.convert_to_tensor(state["history"], dtype=precision)
        state = {**state, "history": history}
        signal = ops.cast(inputs, precision)
        if inputs.shape[1] == 1:
            if transition is None:
                transition = self.transition()
            shape = streaming.transition_shape(self.kernel_size, self.counts)
            transition = check_tensor(
                "transition",
                transition,
                (*shape, inputs.shape[2]),
                # JAX has no float64, unless it is told to.
                keras.backend.standardize_dtype(signal.dtype),
            )
            outputs, state = streaming.step(
                signal,
                state,
                transition,
                self.kernel_size,
                self.counts,
                in_place,
            )
        else:
            weights = self._tree_weights(precision)
            outputs, state = streaming.chunk(
                signal, state, *weights, self.counts
            )
        outputs += signal * ops.cast(self.skip_weights, precision)
        return self._activate(limit(outputs, inputs.dtype)), state

    def _check_built(self, method):
        if not self.built:
            raise ValueError(
                f"`{method}` needs a built layer: call the layer on inputs, or "
                "its `build` with their shape, first."
            )

    def _check_step(self, input_shape, state):
        self._check_input_shape(input_shape)
        batch_size, steps, channels = input_shape
        if channels != self.skip_weights.shape[0] or steps == 0:
            raise ValueError(
                "The inputs of `step` must have the shape (batch, steps, "
                f"{self.skip_weights.shape[0]}) with at least one step. "
                f"Received: inputs.shape={tuple(input_shape)}"
            )
        size = streaming.history_size(self.kernel_size, self.counts)
        expected = (batch_size, size, channels)
        if not isinstance(state, dict) or set(state) != {"history", "position"}:
            raise ValueError(
                "The state of `step` must be the dict that `initial_state` or "
                f"the last `step` returned. Received: state={state!r}"
            )
        history = check_tensor("state['history']", state["history"])
        history = tuple(history.shape)
        check_tensor("state['position']", state["position"], (), "int32")
        # A batch size may be unknown while a graph is traced.
        if len(history) != 3 or any(
            None not in pair and pair[0] != pair[1]
            for pair in zip(history, expected, strict=True)
        ):
            raise ValueError(
                "The state of `step` must be one of this layer and of the "
                f"batch size of the inputs: its history, {expected}. Received: "
                f"state['history'].shape={history}, "
                f"inputs.shape={tuple(input_shape)}"
            )

    def compute_output_shape(self, input_shape):
        return tuple(input_shape)

    def get_config(self):
        config = super().get_config()
        config.update(
            independent_skip=self.independent_skip,
            activation=keras.activations.serialize(self.activation),
            dropout=self.dropout,
            algorithm=self.algorithm,
            memory_initializer=keras.initializers.serialize(
                self.memory_initializer
            ),
            skip_initializer=keras.initializers.serialize(
                self.skip_initializer
            ),
            memory_regularizer=keras.regularizers.serialize(
                self.memory_regularizer
            ),
            skip_regularizer=keras.regularizers.serialize(
                self.skip_regularizer
            ),
            memory_constraint=keras.constraints.serialize(
                self.memory_constraint
            ),
            skip_constraint=keras.constraints.serialize(self.skip_constraint),
            seed=self.seed,
        )
        return config
