import math

import keras

from keras_multires._validation import check_integer
from keras_multires.distributions import DiscretizedLogisticMixture as Mixture
from keras_multires.distributions import num_parameters


@keras.saving.register_keras_serializable(package="keras_multires")
class DiscretizedLogisticMixture(keras.losses.Loss):
    """Bits per dimension of pixels by a mixture of discretised logistics.

    The negative logarithm to base 2 of their probability, divided by the number
    of channels. See `keras_multires.distributions.DiscretizedLogisticMixture`.

    Args:
        num_mixtures: Integer, the components of the mixture.
        reduction: As in `keras.losses.Loss`. By default the mean over batch and
            time steps.
        name: Name of the loss.
        dtype: As in `keras.losses.Loss`.

    Call arguments:
        y_true: Float tensor `(batch, length, channels)` of pixels in [-1, 1],
            of 1 or 3 channels.
        y_pred: Float tensor `(batch, length, parameters)`, with `parameters`
            of `keras_multires.distributions.num_parameters(channels,
            num_mixtures)`.

    Returns:
        Float tensor, `()` with the default reduction.

    Raises:
        ValueError: if `num_mixtures` is not a positive integer, or if the
            channels and parameters do not fit each other.

    Example:

    >>> loss = keras_multires.losses.DiscretizedLogisticMixture(10)
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
        name="discretized_logistic_mixture",
        dtype=None,
    ):
        num_mixtures = check_integer("num_mixtures", num_mixtures)
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        self.num_mixtures = num_mixtures

    def call(self, y_true, y_pred):
        channels = y_true.shape[-1] if len(y_true.shape) else 0
        if channels not in (1, 3):
            raise ValueError(
                "`channels`, the last axis of `y_true`, must be 1 or 3. "
                f"Received: y_true.shape={tuple(y_true.shape)}"
            )
        expected = num_parameters(channels, self.num_mixtures)
        if len(y_pred.shape) != len(y_true.shape) or any(
            None not in sizes and sizes[0] != sizes[1]
            for sizes in zip(y_pred.shape[:-1], y_true.shape[:-1], strict=True)
        ):
            raise ValueError(
                "`y_pred` must have the shape of `y_true` but for its last "
                f"axis. Received: y_pred.shape={tuple(y_pred.shape)}, "
                f"y_true.shape={tuple(y_true.shape)}"
            )
        if y_pred.shape[-1] != expected:
            raise ValueError(
                f"`y_pred` must have {expected} parameters a time step for "
                f"{channels} channel{'s' * (channels > 1)} and "
                f"{self.num_mixtures} mixtures. "
                f"Received: y_pred.shape={tuple(y_pred.shape)}"
            )
        log_probs = Mixture(y_pred, channels).log_prob(y_true)
        return -log_probs / (channels * math.log(2))

    def get_config(self):
        # The dtype is left out where it is Keras's own default.
        return {**super().get_config(), "num_mixtures": self.num_mixtures}
