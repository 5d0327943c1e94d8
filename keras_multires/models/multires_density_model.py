"""`MultiresDensityModel`: the density of images, and images drawn from it."""

import keras
from keras import ops

from keras_multires import backend
from keras_multires._precision import at_least_float32
from keras_multires._validation import check_integer
from keras_multires._validation import check_pixels
from keras_multires._validation import check_positive
from keras_multires._validation import check_tensor
from keras_multires._validation import require
from keras_multires.distributions import DiscretizedLogisticMixture
from keras_multires.distributions import draw_noise
from keras_multires.distributions import num_parameters
from keras_multires.layers._padding import without_padding
from keras_multires.layers._streams import TensorSpec
from keras_multires.models.presets import DENSITY_PRESETS
from keras_multires.models.task import Task

__all__ = ["MultiresDensityModel"]


@keras.saving.register_keras_serializable(package="keras_multires")
class MultiresDensityModel(Task):
    """Autoregressive model of images, read pixel by pixel.

    From the pixels before it, each pixel gets the parameters of a
    `keras_multires.distributions.DiscretizedLogisticMixture`. The input is
    shifted right by one step and runs through the backbone and a `Dense`. Train
    the model with `keras_multires.losses.BitsPerDimension`, and the inputs as
    targets.

    Args:
        backbone: A `MultiresNet` with the `length` of an image in pixels, which
            `generate` makes, and with 1 or 3 `input_channels`. The paper's has
            `output_projection=True` and `independent_skip=True`.
        num_mixtures: Integer, components of the mixture.
        **kwargs: Base model arguments, such as `name` and `dtype`.

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
            the inputs have another number of channels, or a value is outside
            [-1, 1] and is known (not while a compiled function is traced).

    Example:

    >>> backbone = keras_multires.models.MultiresNet(
    ...     hidden_dim=32, num_layers=2, length=64, input_channels=1
    ... )
    >>> model = keras_multires.models.MultiresDensityModel(
    ...     backbone, num_mixtures=5
    ... )
    >>> model(np.zeros((2, 64, 1))).shape
    (2, 64, 15)
    >>> model.generate(2, seed=0).shape
    (2, 64, 1)

    Reference:

    - [Shi, Wang and Fox, 2023](https://arxiv.org/abs/2305.01638)
    """

    presets = DENSITY_PRESETS

    def __init__(self, backbone, num_mixtures=10, **kwargs):
        num_mixtures = check_integer("num_mixtures", num_mixtures)
        channels = getattr(backbone, "input_channels", 1)
        is_right = channels in (1, 3) and getattr(backbone, "length", 1)
        expected = (
            "`backbone` must have a `length` and 1 or 3 `input_channels`."
        )
        require(is_right, expected, f"backbone.input_channels={channels!r}")
        num_outputs = num_parameters(channels, num_mixtures)
        super().__init__(backbone, num_outputs, **kwargs)
        self.num_mixtures = num_mixtures
        self.input_spec = backbone.input_spec
        self._compiled.generate = backend.compiled(self, self._generate)

    def check_inputs(self, inputs):
        """Raises a `ValueError` for pixels outside [-1, 1]."""
        check_pixels("inputs", inputs)

    def check_targets(self, targets):
        """Raises a `ValueError` for pixels outside [-1, 1]."""
        check_pixels("targets", targets)

    def call(self, inputs, mask=None, training=None):
        if mask is None:
            self.check_inputs(inputs)
        else:
            # The last padded pixel before an image is shifted to the image's
            # first step.
            inputs = without_padding(inputs, mask)
        before = ops.zeros_like(inputs[:, :1])
        shifted = ops.concatenate([before, inputs[:, :-1]], axis=1)
        outputs = self.backbone(shifted, mask=mask, training=training)
        return self.head(outputs)

    def _stream_specs(self, batch_size):
        backbone, transition = self.backbone._stream_specs(batch_size)
        shape = (batch_size, 1, self.backbone.input_channels)
        last_pixel = TensorSpec(shape, self.compute_dtype)
        return {"backbone": backbone, "last": last_pixel}, transition

    def _step(self, inputs, state, transition=None, in_place=False):
        inputs = ops.cast(inputs, self.compute_dtype)
        shifted = ops.concatenate([state["last"], inputs[:, :-1]], axis=1)
        outputs, backbone = self.backbone._step(
            shifted, state["backbone"], transition, in_place
        )
        state = {"backbone": backbone, "last": inputs[:, -1:]}
        return self.head(outputs), state

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
        check_positive("temperature", temperature)
        prefix = self._read_prefix(prefix, num_samples)
        length, channels = self.backbone.built_shape[1:]
        numbers = self.num_mixtures + channels
        noise = draw_noise((length, num_samples, 1, numbers), seed)
        return self._compiled.generate(
            prefix, noise, ops.convert_to_tensor(temperature, dtype="float32")
        )

    def _read_prefix(self, prefix, num_samples):
        length, channels = self.backbone.built_shape[1:]
        # Half precision cannot hold all the values of a pixel.
        dtype = at_least_float32(self.compute_dtype)
        if prefix is None:
            return ops.zeros((num_samples, 0, channels), dtype=dtype)
        prefix = ops.convert_to_numpy(check_tensor("prefix", prefix))
        if prefix.ndim == 2:
            prefix = prefix[None].repeat(num_samples, axis=0)
        shape = prefix.shape
        fits = len(shape) == 3 and shape[::2] == (num_samples, channels)
        expected = (
            f"({num_samples}, pixels, {channels}) or (pixels, {channels})"
        )
        expected = f"`prefix` must have the shape {expected}, with at most "
        expected += f"{length} pixels."
        require(fits and shape[1] <= length, expected, f"prefix.shape={shape}")
        check_pixels("prefix", prefix)
        return ops.convert_to_tensor(prefix, dtype=dtype)

    def _generate(self, prefix, noise, temperature):
        num_samples, num_given, channels = prefix.shape
        num_drawn = self.backbone.length - num_given
        if num_drawn == 0:
            return prefix
        state = self._initial_state(num_samples)
        if num_given:
            _, state = self._step(prefix, state)
        transition = self._transition()

        def draw(carried, noise):
            last, past = carried
            outputs, past = self.backbone._step(
                last, past, transition, in_place=True
            )
            mixture = DiscretizedLogisticMixture(self.head(outputs), channels)
            drawn = mixture.sample_by_noise(noise, temperature)
            last = ops.cast(drawn, self.compute_dtype)
            return (last, past), ops.cast(drawn, prefix.dtype)

        drawn = backend.loop(
            draw,
            (state["last"], state["backbone"]),
            noise[num_given:],
            ops.zeros((num_drawn, num_samples, 1, channels), prefix.dtype),
        )
        pixels = ops.transpose(drawn[:, :, 0], (1, 0, 2))
        return ops.concatenate([prefix, pixels], axis=1)

    def get_config(self):
        return {**super().get_config(), "num_mixtures": self.num_mixtures}
