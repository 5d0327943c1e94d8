import keras
import numpy as np
import pytest
from keras import ops

from keras_multires.losses import BitsPerDimension
from testing.backends import use_floatx
from testing.paths import GOLDEN


@pytest.fixture(
    scope="module",
    params=["mixture_of_logistics", "mixture_of_logistics_extreme"],
)
def published(request):
    with np.load(GOLDEN / f"{request.param}.npz") as file:
        return dict(file)


class Parameters(keras.layers.Layer):
    """Layer from parameters to the loss, to take gradients of."""

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
        BitsPerDimension(int(published["num_mixtures"])), targets
    )
    outputs, by_parameters, _ = gradients(
        layer, published["parameters"], 1.0, mode
    )
    np.testing.assert_allclose(outputs, published["bits_per_dim"], rtol=1e-5)
    # The published gradient is that of the sum, in nats.
    expected = published["grad_parameters"] / (np.log(2) * targets.size)
    np.testing.assert_allclose(
        by_parameters, expected, atol=1e-5 * abs(expected).max()
    )


def test_the_default_reduction_is_the_mean_over_pixels(published):
    num_mixtures = int(published["num_mixtures"])
    loss = BitsPerDimension(num_mixtures, reduction=None)
    targets, parameters = published["targets"], published["parameters"]
    each = ops.convert_to_numpy(loss(targets, parameters))
    assert each.shape == targets.shape[:2]
    mean = BitsPerDimension(num_mixtures)(targets, parameters)
    np.testing.assert_allclose(
        ops.convert_to_numpy(mean), each.mean(), rtol=1e-5
    )


def test_a_flat_distribution_costs_the_bits_of_its_density():
    # The scale is so large that all bins except the open ones are alike.
    parameters = np.tile(np.float32([0, 0, 3]), (1, 200, 1))
    targets = np.linspace(-0.9, 0.9, 200)[None, :, None]
    received = BitsPerDimension(1)(targets, parameters)
    # The density in the middle of a logistic is 1 / (4 s).
    expected = -np.log2(2 / 255 / (4 * np.exp(3)))
    np.testing.assert_allclose(
        ops.convert_to_numpy(received), expected, atol=1e-2
    )


def test_serialisation_restores_the_configuration():
    loss = BitsPerDimension(7, reduction="sum", name="bits")
    again = keras.losses.deserialize(keras.losses.serialize(loss))
    assert isinstance(again, BitsPerDimension)
    assert again.get_config() == loss.get_config()


@pytest.mark.parametrize("num_mixtures", [0, 1.5, None])
def test_an_invalid_number_of_mixtures_is_refused(num_mixtures):
    with pytest.raises(ValueError, match="`num_mixtures`"):
        BitsPerDimension(num_mixtures)


@pytest.mark.parametrize(
    ("channels", "num_parameters", "problem"),
    [(3, 30, "20 parameters"), (1, 20, "6 parameters"), (2, 20, "`channels`")],
)
def test_shapes_that_do_not_fit_are_refused(channels, num_parameters, problem):
    loss = BitsPerDimension(2)
    with pytest.raises(ValueError, match=problem):
        loss(np.zeros((1, 4, channels)), np.zeros((1, 4, num_parameters)))


@pytest.mark.parametrize("shape", [(1, 5, 6), (4, 6)])
def test_axes_that_differ_from_those_of_the_targets_are_refused(shape):
    message = r"except the last axis.*y_pred.shape=.*y_true.shape="
    with pytest.raises(ValueError, match=message):
        BitsPerDimension(2).call(np.zeros((1, 4, 1)), np.zeros(shape))


def test_the_default_name_says_the_unit():
    assert BitsPerDimension(2).name == "bits_per_dimension"


def test_pixels_are_not_rounded_if_floatx_is_of_half_precision(published):
    targets, parameters = published["targets"], published["parameters"]
    num_mixtures = int(published["num_mixtures"])
    with use_floatx("bfloat16"):
        loss = BitsPerDimension(num_mixtures)(
            ops.convert_to_tensor(targets, dtype="float32"),
            ops.convert_to_tensor(parameters, dtype="float32"),
        )
    np.testing.assert_allclose(
        ops.convert_to_numpy(loss), published["bits_per_dim"], rtol=1e-5
    )
