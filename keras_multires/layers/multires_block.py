"""`MultiresBlock`: the residual block of the published models."""

import keras
from keras import ops

from keras_multires import backend
from keras_multires._precision import at_least_float32
from keras_multires._precision import saturating_cast
from keras_multires._validation import check_boolean
from keras_multires._validation import check_choice
from keras_multires._validation import check_real
from keras_multires.initializers import initializer_of_weight
from keras_multires.layers._composite import Composite
from keras_multires.layers._options import declares_options
from keras_multires.layers._options import options_of
from keras_multires.layers._padding import without_padding
from keras_multires.layers._streams import Streams
from keras_multires.layers._wrappers import NotRecurrent
from keras_multires.layers.multires_layer import MultiresLayer

__all__ = ["MultiresBlock"]

NORMALIZATIONS = ("layer", "batch")


@keras.saving.register_keras_serializable(package="keras_multires")
class MultiresBlock(Composite, Streams, NotRecurrent, keras.layers.Layer):
    """Residual block: multiresolution layer, gated channel mixing, norm.

    `norm(x + Dropout(GLU(Dense(2 * channels)(MultiresLayer(x)))))`, with one
    more `Dense(channels)` after the dropout if `output_projection` is set.

    Args:
        kernel_size: As in `MultiresLayer`.
        normalization: `"layer"` for layer normalization of each time step, or
            `"batch"` for batch normalization.
        dropout: Float in [0, 1), the fraction of channels that training drops
            for a whole sequence, in the `MultiresLayer` and after the GLU.
        output_projection: Whether to add the last `Dense`.
        mixing_initializer: Initializer of the kernels of the `Dense` layers.
            Defaults to uniform in ±1 / sqrt(channels).
        mixing_regularizer: Regularizer of these kernels.
        mixing_constraint: Constraint of these kernels.
        mixing_bias_initializer: Initializer of the biases of the `Dense`
            layers. Defaults to uniform in ±1 / sqrt(channels).
        mixing_bias_regularizer: Regularizer of these biases.
        mixing_bias_constraint: Constraint of these biases.
        activity_regularizer: Regularizer of the outputs of the block.
        trainable: As in `keras.layers.Layer`.
        dtype: As in `keras.layers.Layer`.
        name: As in `keras.layers.Layer`.
        **layer_options: All other options of `MultiresLayer`. Its `seed`
            determines the dropout after the GLU as well.

    Call arguments:
        inputs: Float tensor `(batch, length, channels)`. The length may be
            unknown if `depth` is given.
        mask: Optional boolean tensor `(batch, length)`. Steps where it is
            False enter as zero and stay out of the statistics of a batch
            normalization.
        training: Whether to apply dropout and to update batch statistics.

    Returns:
        Float tensor of the shape of `inputs`.

    Raises:
        ValueError: if an argument is out of its range or contradicts another.

    Example:

    >>> block = keras_multires.layers.MultiresBlock(dropout=0.1)
    >>> block(np.ones((2, 100, 16))).shape
    (2, 100, 16)

    Reference:

    - [Shi, Wang and Fox, 2023](https://arxiv.org/abs/2305.01638)
    """

    @declares_options(MultiresLayer.__init__)
    def __init__(
        self,
        kernel_size=None,
        *,
        normalization="layer",
        dropout=0.0,
        output_projection=False,
        mixing_initializer=None,
        mixing_regularizer=None,
        mixing_constraint=None,
        mixing_bias_initializer=None,
        mixing_bias_regularizer=None,
        mixing_bias_constraint=None,
        activity_regularizer=None,
        trainable=True,
        dtype=None,
        name=None,
        **layer_options,
    ):
        check_choice("normalization", normalization, NORMALIZATIONS)
        has_projection = check_boolean("output_projection", output_projection)
        # `call` casts its inputs, integers too.
        super().__init__(
            activity_regularizer=activity_regularizer,
            trainable=trainable,
            dtype=dtype,
            name=name,
            autocast=False,
        )
        self.output_projection = has_projection
        self.layer_options = {"kernel_size": kernel_size, **layer_options}
        self.multires_layer = self._sublayer(
            MultiresLayer,
            **self.layer_options,
            dropout=dropout,
            name="multires_layer",
        )
        self.kernel_size = self.multires_layer.kernel_size
        self.dropout = self.multires_layer.dropout
        seed = self.multires_layer.seed
        self.channel_dropout = self._sublayer(
            keras.layers.Dropout,
            rate=dropout,
            # With one seed, both dropouts would drop the same channels.
            seed=None if seed is None else (seed + 1) % 2**31,
            noise_shape=(None, 1, None),
            name="channel_dropout",
        )
        if normalization == "layer":
            self.norm = self._sublayer(
                keras.layers.LayerNormalization, epsilon=1e-5, name="norm"
            )
        else:
            self.norm = self._sublayer(
                keras.layers.BatchNormalization,
                momentum=0.9,
                epsilon=1e-5,
                name="norm",
            )
        self.supports_masking = True

    def build(self, input_shape):
        self.multires_layer.build(input_shape)
        channels = input_shape[-1]
        self.mixing = self._dense(2 * channels, channels, "mixing")
        if self.output_projection:
            self.projection = self._dense(channels, channels, "projection")
        self.channel_dropout.build(input_shape)
        self.norm.build(input_shape)

    def _dense(self, units, channels, name):
        dense = self._sublayer(
            keras.layers.Dense,
            units=units,
            kernel_initializer=initializer_of_weight(
                self.mixing_initializer, channels
            ),
            kernel_regularizer=self.mixing_regularizer,
            kernel_constraint=self.mixing_constraint,
            bias_initializer=initializer_of_weight(
                self.mixing_bias_initializer, channels
            ),
            bias_regularizer=self.mixing_bias_regularizer,
            bias_constraint=self.mixing_bias_constraint,
            dtype=self._policy_of(name),
            name=name,
        )
        dense.build((None, None, channels))
        return dense

    def call(self, inputs, mask=None, training=None):
        check_real(inputs)
        inputs = without_padding(ops.cast(inputs, self.compute_dtype), mask)
        filtered = self.multires_layer(inputs, training=training)
        call = keras.layers.Layer.__call__
        return self._mix(inputs, filtered, call, mask, training)

    def _mix(self, inputs, filtered, call, mask=None, training=False):
        """All that follows the filtering, each time step by itself.

        Args:
            inputs: Tensor, the inputs of the block.
            filtered: Tensor, the outputs of the `MultiresLayer`.
            call: Function that calls a Keras layer on inputs.
            mask: As in `call`.
            training: As in `call`.
        """
        dtype = self.compute_dtype
        # The norm would turn infinite values into NaN.
        cast = saturating_cast if dtype == "float16" else ops.cast
        mixed = cast(call(self.mixing, filtered), dtype)
        outputs = ops.glu(mixed, axis=-1)
        if training and self.dropout > 0:
            outputs = self.channel_dropout(outputs, training=True)
        if self.output_projection:
            outputs = cast(call(self.projection, outputs), dtype)
        outputs = cast(inputs + outputs, dtype)
        if self.normalization == "batch":
            return call(self.norm, outputs, mask=mask, training=training)
        precision = at_least_float32(dtype)
        return backend.layer_norm(
            outputs,
            ops.cast(self.norm.gamma, precision),
            ops.cast(self.norm.beta, precision),
            self.norm.epsilon,
        )

    @property
    def receptive_field(self):
        """Time steps that an output depends on, including its own."""
        return self.multires_layer.receptive_field

    def _stream_specs(self, batch_size):
        return self.multires_layer._stream_specs(batch_size)

    def _transition(self):
        return self.multires_layer._transition()

    def _step_axes(self):
        return self.multires_layer._step_axes()

    def _step(self, inputs, state, transition=None, in_place=False):
        inputs = ops.cast(inputs, self.compute_dtype)
        filtered, state = self.multires_layer._step(
            inputs, state, transition, in_place
        )
        return self._mix(inputs, filtered, backend.call_layer), state

    def compute_output_shape(self, input_shape):
        return tuple(input_shape)

    def get_config(self):
        layer = self.multires_layer.get_config()
        return {
            **super().get_config(),
            **options_of(self),
            **{k: layer[k] for k in self.layer_options if k in layer},
        }
