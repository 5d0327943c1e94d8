import keras
from keras import ops

from keras_multires._validation import check_boolean
from keras_multires._validation import check_choice
from keras_multires._validation import check_keras_object
from keras_multires._validation import check_tensor
from keras_multires.initializers import own_initializer
from keras_multires.layers.layer_calls import run_layer
from keras_multires.layers.layer_calls import run_layer_norm
from keras_multires.layers.multires_layer import MultiresLayer
from keras_multires.ops.precision import limit

NORMALIZATIONS = ("layer", "batch")
MULTIRES_PREFIXES = ("filter_", "memory_", "skip_")
DENSE_PREFIXES = ("kernel_", "bias_")
DENSE_OPTIONS = tuple(
    f"{prefix}{kind}"
    for prefix in DENSE_PREFIXES
    for kind in ("initializer", "regularizer", "constraint")
)


def pop_weight_options(kwargs, prefixes=MULTIRES_PREFIXES + DENSE_PREFIXES):
    """Takes the options of a block's weights out of keyword arguments."""
    names = [name for name in kwargs if name.startswith(prefixes)]
    return {name: kwargs.pop(name) for name in names}


@keras.saving.register_keras_serializable(package="keras_multires")
class MultiresBlock(keras.layers.Layer):
    """Residual block: multiresolution layer, gated channel mixing, norm.

    `norm(x + Dropout(GLU(Dense(2 * channels)(MultiresLayer(x)))))`, with one
    more `Dense(channels)` after the dropout if `output_projection` is set.

    Args:
        kernel_size: As in `MultiresLayer`.
        depth: As in `MultiresLayer`.
        memory: As in `MultiresLayer`.
        memory_size: As in `MultiresLayer`.
        wavelet: As in `MultiresLayer`.
        independent_skip: As in `MultiresLayer`.
        algorithm: As in `MultiresLayer`.
        normalization: `"layer"` for layer normalisation of each time step, or
            `"batch"` for batch normalisation.
        dropout: Float in [0, 1), the fraction of channels that training drops
            for a whole sequence, in the `MultiresLayer` and after the GLU.
        output_projection: Whether to add the last `Dense`.
        **kwargs: Initializers, regularizers and constraints by their names:
            `filter_*`, `memory_*` and `skip_*` of `MultiresLayer`, `kernel_*`
            and `bias_*` of the `Dense` layers, whose kernels and biases start
            uniform in ±1 / sqrt(channels) by default. And base layer arguments,
            such as `name` and `dtype`.

    Call arguments:
        inputs: Float tensor `(batch, length, channels)`. The length may be
            unknown if `depth` is given.
        mask: Optional boolean tensor `(batch, length)`. Steps where it is
            False enter the convolution as zero and stay out of the statistics
            of a batch normalisation.
        training: Whether to apply dropout and to update batch statistics.
        kernel: As in `MultiresLayer`.

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

    def __init__(
        self,
        kernel_size=None,
        depth=None,
        memory="fading",
        memory_size=None,
        wavelet=None,
        independent_skip=False,
        algorithm="auto",
        normalization="layer",
        dropout=0.0,
        output_projection=False,
        **kwargs,
    ):
        check_choice("normalization", normalization, NORMALIZATIONS)
        output_projection = check_boolean(
            "output_projection", output_projection
        )
        multires_options = pop_weight_options(kwargs, MULTIRES_PREFIXES)
        dense_options = pop_weight_options(kwargs, DENSE_PREFIXES)
        for name in DENSE_OPTIONS:
            if name in dense_options:
                dense_options[name] = check_keras_object(
                    name, dense_options[name]
                )
        # `call` casts its inputs, integers too; a kernel is to stay as it is.
        super().__init__(**{**kwargs, "autocast": False})
        # A `Dense` knows these options, and complains of any other.
        dense = keras.layers.Dense(1, **dense_options)
        self._dense_options = {
            name: getattr(dense, name) for name in dense_options
        }
        self.normalization = normalization
        self.dropout = dropout
        self.output_projection = output_projection
        self.multires_layer = MultiresLayer(
            kernel_size=kernel_size,
            depth=depth,
            memory=memory,
            memory_size=memory_size,
            wavelet=wavelet,
            independent_skip=independent_skip,
            dropout=dropout,
            algorithm=algorithm,
            **multires_options,
            dtype=self.dtype_policy,
            name="multires_layer",
        )
        self.channel_dropout = keras.layers.SpatialDropout1D(
            dropout, dtype=self.dtype_policy
        )
        if normalization == "layer":
            self.norm = keras.layers.LayerNormalization(
                epsilon=1e-5, dtype=self.dtype_policy, name="norm"
            )
        else:
            self.norm = keras.layers.BatchNormalization(
                momentum=0.9, epsilon=1e-5, dtype=self.dtype_policy, name="norm"
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
        options = dict(self._dense_options)
        for initializer in ("kernel_initializer", "bias_initializer"):
            options[initializer] = own_initializer(
                options.get(initializer), channels
            )
        dense = keras.layers.Dense(
            units, **options, dtype=self.dtype_policy, name=name
        )
        dense.build((None, None, channels))
        return dense

    def call(self, inputs, mask=None, training=None, kernel=None):
        inputs = ops.cast(inputs, self.compute_dtype)
        outputs = self.multires_layer(
            inputs, mask=mask, training=training, kernel=kernel
        )
        return self._mix(inputs, outputs, mask, training)

    def _limit(self, inputs):
        # Of infinite values, the norm would make NaN.
        return limit(inputs, self.compute_dtype)

    def _mix(self, inputs, filtered, mask, training):
        """All that follows the filtering, each time step by itself."""
        outputs = ops.glu(self._limit(self.mixing(filtered)), axis=-1)
        outputs = self.channel_dropout(outputs, training=training)
        if self.output_projection:
            outputs = self._limit(self.projection(outputs))
        outputs = self._limit(inputs + outputs)
        if self.normalization == "layer":
            return run_layer_norm(self.norm, outputs)
        return self.norm(outputs, mask=mask, training=training)

    @property
    def receptive_field(self):
        """Time steps, the present one included, that an output depends on."""
        return self.multires_layer.receptive_field

    def initial_state(self, batch_size):
        """State of `step` before the first time step; see `MultiresLayer`."""
        return self.multires_layer.initial_state(batch_size)

    def transition(self):
        """As `MultiresLayer.transition`."""
        return self.multires_layer.transition()

    def step(self, inputs, state, transition=None, in_place=False):
        """Outputs of the next time steps, in inference mode.

        Args:
            inputs: Float tensor `(batch, steps, channels)`, at least one step.
            state: The state that `initial_state` or the last `step` returned.
            transition: As in `MultiresLayer.step`.
            in_place: As in `MultiresLayer.step`.

        Returns:
            `(outputs, state)`, as in `MultiresLayer.step`.

        Raises:
            ValueError: if `inputs`, `state` or `transition` do not fit the
                layer or each other, or the layer is not built.
        """
        inputs = check_tensor("inputs", inputs, cast_to=self.compute_dtype)
        filtered, state = self.multires_layer.step(
            inputs, state, transition, in_place
        )
        mixed = self._limit(run_layer(self.mixing, filtered))
        outputs = ops.glu(mixed, axis=-1)
        if self.output_projection:
            outputs = self._limit(run_layer(self.projection, outputs))
        outputs = self._limit(inputs + outputs)
        return run_layer(self.norm, outputs), state

    def compute_output_shape(self, input_shape):
        return tuple(input_shape)

    def get_config(self):
        own = super().get_config()
        multires = self.multires_layer.get_config()
        for name in ("activation", "seed", *own):
            multires.pop(name, None)
        return {
            **own,
            **multires,
            **{
                name: keras.saving.serialize_keras_object(option)
                for name, option in self._dense_options.items()
            },
            "normalization": self.normalization,
            "output_projection": self.output_projection,
        }
