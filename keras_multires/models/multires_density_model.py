import keras
from keras import ops

from keras_multires._validation import INT64_MAX
from keras_multires._validation import check_choice
from keras_multires._validation import check_integer
from keras_multires._validation import check_pixels
from keras_multires._validation import check_positive
from keras_multires._validation import check_seed
from keras_multires._validation import check_tensor
from keras_multires.distributions import DiscretizedLogisticMixture
from keras_multires.distributions import draw_noise
from keras_multires.distributions import num_parameters
from keras_multires.initializers import fan_in_uniform
from keras_multires.layers.multires_block import pop_weight_options
from keras_multires.models.base_model import BaseModel
from keras_multires.models.compilation import compiled
from keras_multires.models.compilation import compiled_step
from keras_multires.models.multires_net import MultiresNet
from keras_multires.models.scan import scan
from keras_multires.ops.precision import at_least_float32


@keras.saving.register_keras_serializable(package="keras_multires")
class MultiresDensityModel(BaseModel):
    """Autoregressive model of images, read pixel by pixel.

    From the pixels before it, each pixel gets the parameters of a
    `keras_multires.distributions.DiscretizedLogisticMixture`: the input is
    shifted right by one step, runs through a `MultiresNet` and a `Dense`. Train
    it with `keras_multires.losses.DiscretizedLogisticMixture` and the inputs as
    targets.

    The defaults are those of the paper's experiment on CIFAR-10.

    Args:
        length: Integer, pixels of an image, which the receptive field of each
            layer is to cover: `depth` follows from it. `generate` makes so
            many.
        input_channels: 1 or 3.
        num_mixtures: Integer, components of the mixture.
        hidden_dim: As in `MultiresNet`.
        num_layers: As in `MultiresNet`.
        kernel_size: As in `MultiresLayer`, by default 4, or the length of the
            wavelet.
        normalization: As in `MultiresBlock`.
        memory: As in `MultiresLayer`.
        memory_size: As in `MultiresLayer`.
        wavelet: As in `MultiresLayer`.
        dropout: As in `MultiresBlock`.
        depth: As in `MultiresLayer`; overrides what follows from `length`.
        independent_skip: As in `MultiresLayer`.
        algorithm: As in `MultiresLayer`.
        **kwargs: Initializers, regularizers and constraints of the weights of
            the blocks, as in `MultiresBlock`. And base model arguments, such
            as `name` and `dtype`.

    Call arguments:
        inputs: Float tensor `(batch, length, input_channels)` in [-1, 1].
        mask: Optional boolean tensor `(batch, length)`, False at the steps
            that are padding, before or after an image.
        training: Whether to apply dropout and to update batch statistics.

    Returns:
        Float tensor `(batch, length, parameters)`, where step `n` depends on
        the inputs before `n`. There are `3 * num_mixtures` parameters for one
        channel and `10 * num_mixtures` for three.

    Raises:
        ValueError: if an argument is out of its range or contradicts another,
            or the inputs have another number of channels or, where their
            values are known (not while a compiled function is traced), values
            outside [-1, 1].

    Example:

    >>> model = keras_multires.models.MultiresDensityModel(
    ...     length=64, input_channels=1, num_mixtures=5, hidden_dim=32,
    ...     num_layers=2,
    ... )
    >>> model(np.zeros((2, 64, 1))).shape
    (2, 64, 15)
    >>> model.generate(2, seed=0).shape
    (2, 64, 1)

    Reference:

    - [Shi, Wang and Fox, 2023](https://arxiv.org/abs/2305.01638)
    """

    def __init__(
        self,
        length,
        input_channels,
        num_mixtures=10,
        hidden_dim=512,
        num_layers=48,
        kernel_size=None,
        normalization="layer",
        memory="fading",
        memory_size=None,
        wavelet=None,
        dropout=0.1,
        depth=None,
        independent_skip=True,
        algorithm="auto",
        **kwargs,
    ):
        length = check_integer("length", length, maximum=INT64_MAX)
        input_channels = check_choice("input_channels", input_channels, (1, 3))
        num_mixtures = check_integer("num_mixtures", num_mixtures)
        num_outputs = num_parameters(input_channels, num_mixtures)
        if kernel_size is None and wavelet is None:
            kernel_size = 4
        weight_options = pop_weight_options(kwargs)
        super().__init__(**kwargs)
        self.length = length
        self.input_channels = input_channels
        self.num_mixtures = num_mixtures
        self.backbone = MultiresNet(
            hidden_dim,
            num_layers,
            kernel_size=kernel_size,
            depth=depth,
            memory=memory,
            memory_size=memory_size,
            wavelet=wavelet,
            independent_skip=independent_skip,
            algorithm=algorithm,
            normalization=normalization,
            dropout=dropout,
            output_projection=True,
            **weight_options,
            dtype=self.dtype_policy,
            name="backbone",
        )
        self.head = keras.layers.Dense(
            num_outputs,
            kernel_initializer=fan_in_uniform(hidden_dim),
            bias_initializer=fan_in_uniform(hidden_dim),
            dtype=self.dtype_policy,
            name="head",
        )
        self._generator = None
        self.build((None, length, input_channels))

    def check_inputs(self, inputs):
        """Raises a `ValueError` for pixels outside [-1, 1]."""
        check_pixels("inputs", inputs)

    def check_targets(self, targets):
        """Raises a `ValueError` for pixels outside [-1, 1]."""
        check_pixels("targets", targets)

    def build(self, input_shape):
        if self.built:  # by the constructor
            return
        # The depth follows from `length`, whatever the length at hand.
        self.backbone.build((input_shape[0], self.length, self.input_channels))
        self.head.build((input_shape[0], None, self.backbone.hidden_dim))
        self.input_spec = keras.layers.InputSpec(
            ndim=3, axes={-1: self.input_channels}
        )

    def call(self, inputs, mask=None, training=None):
        if mask is None:
            self.check_inputs(inputs)
        else:
            # Padding may hold anything, and its last pixel comes to stand at
            # the first step of the image.
            inputs = ops.where(ops.expand_dims(mask, -1), inputs, 0)
        before = ops.zeros_like(inputs[:, :1])
        shifted = ops.concatenate([before, inputs[:, :-1]], axis=1)
        outputs = self.backbone(shifted, mask=mask, training=training)
        return self.head(outputs)

    def compute_output_shape(self, input_shape):
        return (*input_shape[:2], self.head.units)

    def compute_mask(self, inputs, mask=None):
        return mask

    @property
    def receptive_field(self):
        """Pixels before it that a pixel's parameters depend on."""
        return self.backbone.receptive_field

    def initial_state(self, batch_size):
        """State of `step` before the first pixel.

        Args:
            batch_size: Integer, images that are run side by side.

        Returns:
            A dict of tensors that may be stored like any others: the state of
            the backbone, and the last pixel.

        Raises:
            ValueError: if `batch_size` is not a positive integer.
        """
        backbone = self.backbone.initial_state(batch_size)
        shape = (batch_size, 1, self.input_channels)
        return {
            "backbone": backbone,
            "last": ops.zeros(shape, dtype=self.compute_dtype),
        }

    def transition(self):
        """As `MultiresNet.transition`."""
        return self.backbone.transition()

    @compiled_step
    def step(self, inputs, state, transition=None):
        """Parameters of the next pixels, in inference mode.

        However an image is cut into chunks, the outputs are those of the whole
        image.

        Args:
            inputs: Float tensor `(batch, steps, input_channels)` in [-1, 1],
                the next pixels. Their parameters do not depend on the last one,
                those of the pixels after them do.
            state: The state that `initial_state` or the last `step` returned.
            transition: Optional result of the method `transition`, as in
                `MultiresLayer.step`.

        Returns:
            `(outputs, state)`: float tensor `(batch, steps, parameters)`, and
            the state after these pixels.

        Raises:
            ValueError: if the inputs do not fit the model or the state.
        """
        inputs = check_tensor("inputs", inputs, cast_to=self.compute_dtype)
        self._check_step(inputs.shape, state)
        last = ops.convert_to_tensor(state["last"], dtype=self.compute_dtype)
        shifted = ops.concatenate([last, inputs[:, :-1]], axis=1)
        outputs, backbone = self.backbone.step(
            shifted, state["backbone"], transition
        )
        state = {"backbone": backbone, "last": inputs[:, -1:]}
        return self.head(outputs), state

    def _check_step(self, input_shape, state):
        if not isinstance(state, dict) or set(state) != {"backbone", "last"}:
            raise ValueError(
                "`state`, the state of `step`, must be one that "
                "`initial_state` or `step` of this model returned. "
                f"Received: {type(state)}"
            )
        axes = ("batch", 1, self.input_channels)
        last = check_tensor("state['last']", state["last"], axes)
        batch_size = last.shape[0]
        if (
            len(input_shape) != 3
            or input_shape[0] not in (None, batch_size)
            or input_shape[1] == 0
            or input_shape[2] != self.input_channels
        ):
            raise ValueError(
                f"The inputs of `step` must have the shape ({batch_size}, "
                f"steps, {self.input_channels}), with at least one step. "
                f"Received: inputs.shape={tuple(input_shape)}"
            )

    def generate(self, num_samples, temperature=1.0, seed=None, prefix=None):
        """Draws images from the model, pixel by pixel.

        Nothing is computed twice: the time grows in proportion to the length.

        Args:
            num_samples: Integer, the images.
            temperature: Positive float, as in
                `DiscretizedLogisticMixture.sample`.
            seed: As in `keras.random`. The same integer gives the same images.
            prefix: Optional float array in [-1, 1], `(num_samples, pixels,
                input_channels)`, or `(pixels, input_channels)` for all: the
                first pixels, which are continued.

        Returns:
            Tensor `(num_samples, length, input_channels)` of float32 or
            float64, with the 256 values in [-1, 1], after the prefix.

        Raises:
            ValueError: if an argument is out of its range or its shape.
        """
        num_samples = check_integer("num_samples", num_samples)
        if not isinstance(seed, keras.random.SeedGenerator):
            seed = check_seed("seed", seed)
        check_positive("temperature", temperature)
        prefix = self._check_prefix(prefix, num_samples)
        numbers = self.num_mixtures + self.input_channels
        noise = draw_noise((self.length, num_samples, 1, numbers), seed)
        if self._generator is None:
            self._generator = compiled(self, self._generate)
        return self._generator(
            prefix, noise, ops.convert_to_tensor(temperature, dtype="float32")
        )

    def _check_prefix(self, prefix, num_samples):
        shape = (num_samples, 0, self.input_channels)
        # Half precision has no room for all the values of a pixel.
        dtype = at_least_float32(self.compute_dtype)
        if prefix is None:
            return ops.zeros(shape, dtype=dtype)
        prefix = ops.convert_to_numpy(check_tensor("prefix", prefix))
        if prefix.ndim == 2:
            prefix = prefix[None].repeat(num_samples, axis=0)
        if (
            prefix.ndim != 3
            or prefix.shape[::2] != shape[::2]
            or prefix.shape[1] > self.length
        ):
            raise ValueError(
                f"`prefix` must have the shape ({num_samples}, pixels, "
                f"{self.input_channels}) or (pixels, {self.input_channels}), "
                f"with at most {self.length} pixels. "
                f"Received: prefix.shape={prefix.shape}"
            )
        check_pixels("prefix", prefix)
        return ops.convert_to_tensor(prefix, dtype=dtype)

    def _generate(self, prefix, noise, temperature):
        num_samples, num_given, channels = prefix.shape
        if num_given == self.length:
            return prefix
        state = self.initial_state(num_samples)
        if num_given:
            _, state = self.step(prefix, state)
        transition = self.backbone.transition()

        def draw(carried, noise):
            last, backbone = carried
            outputs, backbone = self.backbone.step(
                last, backbone, transition, in_place=True
            )
            mixture = DiscretizedLogisticMixture(
                self.head(outputs), self.input_channels
            )
            drawn = mixture.sample_by_noise(noise, temperature)
            last = ops.cast(drawn, self.compute_dtype)
            return (last, backbone), ops.cast(drawn, prefix.dtype)

        steps = self.length - num_given
        drawn = scan(
            draw,
            (state["last"], state["backbone"]),
            noise[num_given:],
            ops.zeros((steps, num_samples, 1, channels), prefix.dtype),
        )
        pixels = ops.transpose(drawn[:, :, 0], (1, 0, 2))
        return ops.concatenate([prefix, pixels], axis=1)

    def get_config(self):
        own = super().get_config()
        backbone = self.backbone.get_config()
        for name in ("output_projection", "vocabulary_size", *own):
            backbone.pop(name, None)
        return {
            **own,
            **backbone,
            "length": self.length,
            "input_channels": self.input_channels,
            "num_mixtures": self.num_mixtures,
        }
