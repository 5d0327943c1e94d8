"""Probability distributions of pixels."""

import math
import numbers

import keras
import numpy as np
from keras import ops

from keras_multires._precision import at_least_float32
from keras_multires._validation import check_choice
from keras_multires._validation import check_integer
from keras_multires._validation import check_pixels
from keras_multires._validation import check_positive
from keras_multires._validation import check_seed
from keras_multires._validation import check_tensor
from keras_multires._validation import require

__all__ = ["DiscretizedLogisticMixture", "draw_noise", "num_parameters"]

# Distance between the values of neighbouring bytes, mapped to [-1, 1].
_BIN_WIDTH = 2 / 255
_MIN_LOG_SCALE = -7.0
# Parameters are clipped to this magnitude, so that sums of them stay finite.
_MAX_PARAMETER_MAGNITUDE = 1e30
# Bins of a lower probability take the density at their middle times their
# width instead. The published code does the same, so losses stay comparable,
# and the approximation is no worse.
_MIN_BIN_LOG_PROBABILITY = math.log(1e-5)


def num_parameters(channels, num_mixtures):
    """Number of parameters of a mixture of discretised logistics.

    Args:
        channels: 1 or 3.
        num_mixtures: Integer, number of components.

    Returns:
        Integer, `3 * num_mixtures` for one channel and `10 * num_mixtures` for
        three.

    Raises:
        ValueError: if `channels` is neither 1 nor 3, or `num_mixtures` is not
            a positive integer.
    """
    num_mixtures = check_integer("num_mixtures", num_mixtures)
    channels = check_choice("channels", channels, (1, 3))
    return num_mixtures * (3 if channels == 1 else 10)


def draw_noise(shape, seed=None):
    """Uniform random numbers between 0 and 1, both excluded.

    Args:
        shape: Tuple of integers.
        seed: As in `keras.random`.

    Returns:
        float32 tensor of this shape.

    Raises:
        ValueError: if `shape` is not a tuple of integers of at least 0, or
            `keras.random` does not take `seed`.
    """
    expected = "`shape` must be a tuple of integers of at least 0."
    require(isinstance(shape, (tuple, list)), expected, shape=shape)
    shape = tuple(
        # In a graph of TensorFlow, a size may be a tensor.
        size if ops.is_tensor(size) else check_integer("shape", size, 0)
        for size in shape
    )
    seed = check_seed("seed", seed)
    # The logarithms that follow are infinite at 0 and at 1.
    return keras.random.uniform(
        shape, 1e-6, 1 - 1e-6, dtype="float32", seed=seed
    )


class DiscretizedLogisticMixture:
    """Mixture of discretised logistics over pixels of one or three channels.

    A pixel has one of the 256 values `x` of a byte, mapped to [-1, 1]. Its
    probability is that of its bin, `x - 1/255` to `x + 1/255`, under a mixture
    of logistic distributions. The outermost bins are open. With the weights
    `pi`, the means `m` and the scales `s` of the mixture:

        P(x) = sum_i pi_i (sigma((x + 1/255 - m_i) / s_i)
                           - sigma((x - 1/255 - m_i) / s_i))

    With three channels, each component shifts the mean of green by a
    coefficient times the value of red, and the mean of blue by coefficients
    times the values of red and green: `P(red, green, blue) =
    sum_i pi_i P_i(red) P_i(green | red) P_i(blue | red, green)`.

    Everything is computed in float32 or a higher precision.

    Args:
        parameters: Float tensor `(..., num_parameters(channels,
            num_mixtures))`. For one channel, it holds the logits of the
            weights, the means and the logarithms of the scales, `num_mixtures`
            of each. For three channels, it holds the logits of the weights,
            then for red, green and blue in turn the means, the logarithms of
            the scales, and numbers whose tanh is a coefficient: of red in the
            mean of green, of red in the mean of blue, and of green in the mean
            of blue. A logarithm of a scale below -7 counts as -7.
        channels: 1 or 3.

    Raises:
        ValueError: if `channels` is neither 1 nor 3, or the last axis of
            `parameters` does not fit it.

    Example:

    >>> parameters = np.zeros((2, 5, 30))
    >>> pixels = DiscretizedLogisticMixture(parameters, channels=3)
    >>> pixels.sample(seed=0).shape
    (2, 5, 3)

    Reference:

    - T. Salimans et al., "PixelCNN++: Improving the PixelCNN with Discretized
      Logistic Mixture Likelihood and Other Modifications", ICLR 2017,
      [arXiv:1701.05517](https://arxiv.org/abs/1701.05517)
    """

    def __init__(self, parameters, channels):
        per_component = num_parameters(channels, 1)
        channels = int(channels)
        parameters = check_tensor("parameters", parameters)
        shape = tuple(parameters.shape)
        size = shape[-1] if shape else None
        expected = (
            f"The last axis of `parameters` must have a multiple of "
            f"{per_component} entries for {channels} "
            f"channel{'s' * (channels > 1)}."
        )
        is_multiple = size and size % per_component == 0
        require(is_multiple, expected, f"parameters.shape={shape}")
        self.channels = channels
        self.num_mixtures = size // per_component
        self.precision = at_least_float32(
            keras.backend.standardize_dtype(parameters.dtype)
        )
        parameters = ops.clip(
            ops.cast(parameters, self.precision),
            -_MAX_PARAMETER_MAGNITUDE,
            _MAX_PARAMETER_MAGNITUDE,
        )
        self.logits = parameters[..., : self.num_mixtures]  # (..., component)
        rest = ops.reshape(
            parameters[..., self.num_mixtures :],
            (*ops.shape(parameters)[:-1], channels, -1, self.num_mixtures),
        )
        # (..., channel, component)
        self.means = rest[..., 0, :]
        self.log_scales = ops.maximum(rest[..., 1, :], _MIN_LOG_SCALE)
        self.coefficients = ops.tanh(rest[..., 2, :]) if channels == 3 else None

    def log_prob(self, values):
        """Logarithm of the probability of pixels.

        Args:
            values: Float tensor `(..., channels)`, in [-1, 1].

        Returns:
            Float tensor `(...)`, the logarithm of the joint probability of the
            channels, in nats.

        Raises:
            ValueError: if the values do not have the shape of the parameters
                with the channels as last axis, or are known and outside
                [-1, 1].
        """
        values = self._fitting_tensor("values", values, self.channels)
        check_pixels("values", values)
        log_probs = self._bin_log_probs(
            ops.expand_dims(values, -1), self._shifted_means(values)
        )
        weights = ops.log_softmax(self.logits, axis=-1)
        return ops.logsumexp(ops.sum(log_probs, axis=-2) + weights, axis=-1)

    def _fitting_tensor(self, name, value, size):
        """The value as a tensor `(..., size)` that fits the parameters."""
        tensor = check_tensor(name, value, cast_to=self.precision)
        shape = tuple(tensor.shape)
        batch_shape = tuple(self.logits.shape)[:-1]
        # As in broadcasting, an axis of size 1 or a missing one fits any size.
        pairs = zip(shape[-2::-1], batch_shape[::-1], strict=False)
        fits = all(a == b or {a, b} & {1, None} for a, b in pairs)
        expected = (
            f"The last axis of `{name}` must have {size} "
            f"{'entry' if size == 1 else 'entries'}, and the others those "
            f"of the parameters, {batch_shape}."
        )
        is_right = fits and shape[-1:] == (size,)
        require(is_right, expected, f"{name}.shape={shape}")
        return tensor

    def mean(self):
        """Mean of the mixture of logistics before discretisation.

        Returns:
            Float tensor `(..., channels)`, clipped to [-1, 1].
        """
        weights = ops.softmax(self.logits, axis=-1)
        means = [self.means[..., 0, :]]
        for channel in range(1, self.channels):
            means.append(
                self.means[..., channel, :] + self._shift(means, channel)
            )
        means = ops.stack(means, axis=-2)
        mean = ops.sum(means * ops.expand_dims(weights, -2), axis=-1)
        return ops.clip(mean, -1.0, 1.0)

    @property
    def noise_shape(self):
        """Shape of the noise that `sample_by_noise` needs."""
        batch_shape = ops.shape(self.logits)[:-1]
        return (*batch_shape, self.num_mixtures + self.channels)

    def sample(self, seed=None, temperature=1.0):
        """Draws pixels.

        Args:
            seed: Integer, `keras.random.SeedGenerator` or None, as in
                `keras.random`.
            temperature: Positive float. The logits of the weights are divided
                by it and the scales are multiplied by it. Below 1, likely
                pixels are drawn even more often.

        Returns:
            Float tensor `(..., channels)` of the 256 values in [-1, 1].

        Raises:
            ValueError: if `temperature` is not a positive number, or
                `keras.random` does not take `seed`.
        """
        check_positive("temperature", temperature)
        noise = draw_noise(self.noise_shape, seed)
        return self.sample_by_noise(noise, temperature)

    def sample_by_noise(self, noise, temperature=1.0):
        """Turns noise into pixels, for loops that are compiled.

        Args:
            noise: Float tensor of the shape `noise_shape`, uniform between 0
                and 1, both excluded. `draw_noise` draws it.
            temperature: Positive scalar, as in `sample`.

        Returns:
            Float tensor `(..., channels)` of the 256 values in [-1, 1].

        Raises:
            ValueError: if `noise` does not have that shape, or `temperature`
                is not a positive scalar.
        """
        noise = self._fitting_tensor("noise", noise, self.noise_shape[-1])
        if isinstance(temperature, (numbers.Real, np.bool_)):
            check_positive("temperature", temperature)
        scalar = {"axes": (), "cast_to": self.precision}
        temperature = check_tensor("temperature", temperature, **scalar)
        # The index of the largest logit plus Gumbel noise has the probabilities
        # of the softmax.
        gumbel = -ops.log(-ops.log(noise[..., : self.num_mixtures]))
        component = ops.argmax(self.logits / temperature + gumbel, axis=-1)
        # PyTorch's `one_hot` reads the values, which are unknown in a graph.
        is_drawn = ops.equal(
            ops.expand_dims(component, -1),
            ops.arange(self.num_mixtures, dtype=component.dtype),
        )
        is_drawn = ops.cast(is_drawn, self.precision)

        def drawn(per_component):
            return ops.sum(per_component * is_drawn, axis=-1)

        values = []
        for channel in range(self.channels):
            uniform = noise[..., self.num_mixtures + channel]
            logistic = ops.log(uniform) - ops.log1p(-uniform)
            scale = ops.exp(drawn(self.log_scales[..., channel, :]))
            earlier = [ops.expand_dims(value, -1) for value in values]
            mean = drawn(
                self.means[..., channel, :] + self._shift(earlier, channel)
            )
            # To the middle of its bin. The outermost bins are open.
            value = ops.clip(mean + temperature * scale * logistic, -1.0, 1.0)
            value = ops.round((value + 1) * 127.5) / 127.5 - 1
            # Compilers that multiply by 1 / 127.5 exceed 1 by rounding.
            values.append(ops.clip(value, -1.0, 1.0))
        return ops.stack(values, axis=-1)

    def _shift(self, earlier, channel):
        """Shift of the mean of a channel by the values of earlier channels.

        Args:
            earlier: List of tensors `(..., 1 or component)`, red first.
            channel: Integer, 1 for green and 2 for blue.
        """
        if channel == 0:
            return 0.0
        first = channel - 1  # index of the first coefficient of this channel
        return sum(
            self.coefficients[..., first + index, :] * value
            for index, value in enumerate(earlier)
        )

    def _shifted_means(self, values):
        channels = [values[..., index, None] for index in range(self.channels)]
        return ops.stack(
            [
                self.means[..., index, :] + self._shift(channels[:index], index)
                for index in range(self.channels)
            ],
            axis=-2,
        )

    def _bin_log_probs(self, values, means):
        """Log-probability of each channel under each component.

        Let `a` and `b` be the ends of a bin in units of the scale, and `d`
        their distance. The identity `sigma(b) - sigma(a) = sigma(b) sigma(-a)
        (1 - exp(-d))` avoids the difference of two nearly equal numbers.
        """
        half = _BIN_WIDTH / 2
        inverse_scales = ops.exp(-self.log_scales)
        middle = inverse_scales * (values - means)
        upper = middle + inverse_scales * half
        lower = middle - inverse_scales * half
        log_below_upper = -ops.softplus(-upper)
        log_above_lower = -ops.softplus(lower)
        # log(1 - exp(-d)), by its series if d is small.
        log_width = math.log(_BIN_WIDTH) - self.log_scales
        is_wide = log_width > math.log(1e-3)
        width = ops.exp(log_width)
        wide = ops.where(is_wide, width, 1.0)
        log_mass = ops.where(
            is_wide, ops.log(-ops.expm1(-wide)), log_width - width / 2
        )
        exact = log_below_upper + log_above_lower + log_mass
        # The density is even. For arguments of at most 0, its logarithm does
        # not need a difference of large numbers.
        distance = -ops.abs(middle)
        density = distance - 2 * ops.softplus(distance) + log_width
        inner = ops.where(exact > _MIN_BIN_LOG_PROBABILITY, exact, density)
        return ops.where(
            values < -0.999,
            log_below_upper,
            ops.where(values > 0.999, log_above_lower, inner),
        )
