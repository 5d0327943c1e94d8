"""Losses for models of pixels."""

import math

import keras

from keras_multires._precision import at_least_float32
from keras_multires._validation import check_integer
from keras_multires._validation import require
from keras_multires.distributions import DiscretizedLogisticMixture
from keras_multires.distributions import num_parameters

__all__ = ["BitsPerDimension"]


@keras.saving.register_keras_serializable(package="keras_multires")
class BitsPerDimension(keras.losses.Loss):
    """Bits per dimension of pixels under a mixture of discretised logistics.

    This is the negative base-2 logarithm of the probability of a pixel, divided
    by the number of channels. The probability is that of
    `keras_multires.distributions.DiscretizedLogisticMixture`.

    Args:
        num_mixtures: Integer, number of components of the mixture.
        reduction: As in `keras.losses.Loss`. Defaults to the mean over batch
            and time steps.
        name: Name of the loss.
        dtype: As in `keras.losses.Loss`. Defaults to `keras.config.floatx()`,
            or to float32 if that is of half precision.

    Call arguments:
        y_true: Float tensor `(batch, length, channels)` of pixels in [-1, 1],
            of 1 or 3 channels.
        y_pred: Float tensor `(batch, length, parameters)`, where `parameters`
            is `keras_multires.distributions.num_parameters(channels,
            num_mixtures)`.

    Returns:
        Float tensor, `()` with the default reduction.

    Raises:
        ValueError: if `num_mixtures` is not a positive integer, or if the
            channels and parameters do not fit each other.

    Example:

    >>> loss = keras_multires.losses.BitsPerDimension(10)
    >>> loss(np.zeros((2, 5, 3)), np.zeros((2, 5, 100))).shape
    ()

    Reference:

    - T. Salimans et al., "PixelCNN++: Improving the PixelCNN with Discretized
      Logistic Mixture Likelihood and Other Modifications", ICLR 2017,
      [arXiv:1701.05517](https://arxiv.org/abs/1701.05517)
    """

    def __init__(
        self,
        num_mixtures,
        reduction="sum_over_batch_size",
        name="bits_per_dimension",
        dtype=None,
    ):
        num_mixtures = check_integer("num_mixtures", num_mixtures)
        # Half precision cannot hold all the values of a pixel.
        dtype = dtype or at_least_float32(keras.config.floatx())
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        self.num_mixtures = num_mixtures

    def call(self, y_true, y_pred):
        channels = y_true.shape[-1] if len(y_true.shape) else 0
        true_shape = f"y_true.shape={tuple(y_true.shape)}"
        expected = "`channels`, the last axis of `y_true`, must be 1 or 3."
        require(channels in (1, 3), expected, true_shape)
        pred_shape = f"y_pred.shape={tuple(y_pred.shape)}"
        are_alike = len(y_pred.shape) == len(y_true.shape) and all(
            a == b or None in (a, b)
            for a, b in zip(y_pred.shape[:-1], y_true.shape[:-1], strict=True)
        )
        expected = (
            "`y_pred` must have the shape of `y_true` except the last axis."
        )
        require(are_alike, expected, f"{pred_shape}, {true_shape}")
        size = num_parameters(channels, self.num_mixtures)
        expected = (
            f"`y_pred` must have {size} parameters a time step for {channels} "
            f"channel{'s' * (channels > 1)} and {self.num_mixtures} mixtures."
        )
        require(y_pred.shape[-1] == size, expected, pred_shape)
        mixture = DiscretizedLogisticMixture(y_pred, channels)
        return -mixture.log_prob(y_true) / (channels * math.log(2))

    def get_config(self):
        # The dtype is left out where it is Keras's own default.
        return {**super().get_config(), "num_mixtures": self.num_mixtures}
