import keras
import numpy as np
import pytest
from keras import ops

from keras_multires.losses import DiscretizedLogisticMixture


@pytest.fixture(
    scope="module",
    params=["mixture_of_logistics", "mixture_of_logistics_extreme"],
)
def published(request):
    from testing.paths import GOLDEN

    with np.load(GOLDEN / f"{request.param}.npz") as file:
        return dict(file)


class Parameters(keras.layers.Layer):
    """Parameters as inputs, and the loss as output, to take gradients of."""

    def __init__(self, loss, targets):
        super().__init__()
        self.loss = loss
        self.targets = targets
        self.built = True

    def call(self, parameters):
        return self.loss(self.targets, parameters)


def test_loss_and_gradient_are_the_published_ones(published, gradients, mode):
    targets = published["targets"].astype("float32")
    layer = Parameters(
        DiscretizedLogisticMixture(int(published["num_mixtures"])), targets
    )
    outputs, by_parameters, _ = gradients(
        layer, published["parameters"], 1.0, mode
    )
    np.testing.assert_allclose(outputs, published["bits_per_dim"], rtol=1e-5)
    # Of the sum, in nats.
    expected = published["grad_parameters"] / (np.log(2) * targets.size)
    np.testing.assert_allclose(
        by_parameters, expected, atol=1e-5 * abs(expected).max()
    )


def test_it_is_the_mean_over_pixels_or_as_reduced(published):
    num_mixtures = int(published["num_mixtures"])
    loss = DiscretizedLogisticMixture(num_mixtures, reduction=None)
    targets, parameters = published["targets"], published["parameters"]
    each = ops.convert_to_numpy(loss(targets, parameters))
    assert each.shape == targets.shape[:2]
    mean = DiscretizedLogisticMixture(num_mixtures)(targets, parameters)
    np.testing.assert_allclose(
        ops.convert_to_numpy(mean), each.mean(), rtol=1e-5
    )


def test_one_channel_of_a_flat_distribution_takes_eight_bits():
    # Scales so large that all bins but the open ones are alike.
    parameters = np.tile(np.float32([0, 0, 3]), (1, 200, 1))
    targets = np.linspace(-0.9, 0.9, 200)[None, :, None]
    received = DiscretizedLogisticMixture(1)(targets, parameters)
    # The density in the middle of a logistic is 1 / (4 s).
    expected = -np.log2(2 / 255 / (4 * np.exp(3)))
    np.testing.assert_allclose(
        ops.convert_to_numpy(received), expected, atol=1e-2
    )


def test_it_is_serialised():
    loss = DiscretizedLogisticMixture(7, reduction="sum", name="bits")
    again = keras.losses.deserialize(keras.losses.serialize(loss))
    assert isinstance(again, DiscretizedLogisticMixture)
    assert again.get_config() == loss.get_config()


@pytest.mark.parametrize("num_mixtures", [0, 1.5, None])
def test_a_wrong_number_of_mixtures_is_an_error(num_mixtures):
    with pytest.raises(ValueError, match="`num_mixtures`"):
        DiscretizedLogisticMixture(num_mixtures)


@pytest.mark.parametrize(
    ("channels", "num_parameters", "problem"),
    [(3, 30, "20 parameters"), (1, 20, "6 parameters"), (2, 20, "`channels`")],
)
def test_shapes_that_do_not_fit_are_an_error(channels, num_parameters, problem):
    loss = DiscretizedLogisticMixture(2)
    with pytest.raises(ValueError, match=problem):
        loss(np.zeros((1, 4, channels)), np.zeros((1, 4, num_parameters)))
