import keras
import numpy as np
import pytest
from keras import ops
from scipy.special import expit
from scipy.special import softmax

from keras_multires.distributions import DiscretizedLogisticMixture
from keras_multires.distributions import num_parameters

VALUES = np.arange(256) / 127.5 - 1


def random_parameters(shape, channels, num_mixtures, seed=0, scale=1.0):
    rng = np.random.default_rng(seed)
    shape = (*shape, num_parameters(channels, num_mixtures))
    return (scale * rng.normal(size=shape)).astype("float32")


def log_prob(parameters, values):
    values = ops.convert_to_tensor(np.asarray(values, "float32"))
    mixture = DiscretizedLogisticMixture(parameters, values.shape[-1])
    return ops.convert_to_numpy(mixture.log_prob(values))


def bin_probabilities(mean, log_scale):
    """Probabilities of the 256 values under one logistic, in float64."""
    edges = (VALUES[1:] + VALUES[:-1]) / 2
    below = expit((edges - mean) / np.exp(max(log_scale, -7.0)))
    return np.diff([0, *below, 1])


@pytest.mark.parametrize("seed", range(3))
def test_probabilities_of_one_channel_match_the_bins(seed):
    parameters = random_parameters((), 1, 3, seed)
    logits, means, log_scales = np.split(parameters.astype("float64"), 3)
    expected = softmax(logits) @ [
        bin_probabilities(mean, log_scale - 2)
        for mean, log_scale in zip(means, log_scales, strict=True)
    ]
    parameters[6:] -= 2
    received = np.exp(
        log_prob(np.tile(parameters, (256, 1)), VALUES[:, np.newaxis])
    )
    np.testing.assert_allclose(received, expected, rtol=1e-3, atol=1e-6)
    np.testing.assert_allclose(received.sum(), 1, atol=1e-4)


def test_components_multiply_the_probabilities_of_three_channels():
    parameters = random_parameters((), 3, 2)
    logits, rest = parameters[:2], parameters[2:].astype("float64")
    (red, green, blue) = rest.reshape(3, 3, 2)
    pixel = VALUES[[40, 130, 255]]
    expected = 0.0
    for index, weight in enumerate(softmax(logits.astype("float64"))):
        of_red_in_green = np.tanh(red[2, index])
        of_red_in_blue = np.tanh(green[2, index])
        of_green_in_blue = np.tanh(blue[2, index])
        means = (
            red[0, index],
            green[0, index] + of_red_in_green * pixel[0],
            blue[0, index]
            + of_red_in_blue * pixel[0]
            + of_green_in_blue * pixel[1],
        )
        for place, mean, channel in zip(
            (40, 130, 255), means, (red, green, blue), strict=True
        ):
            weight *= bin_probabilities(mean, channel[1, index])[place]
        expected += weight
    received = np.exp(log_prob(parameters, pixel))
    np.testing.assert_allclose(received, expected, rtol=1e-4)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("scale", [0.0, 1.0, 1e3, 1e20, 3e38])
def test_finite_parameters_never_give_nan(channels, scale):
    rng = np.random.default_rng(0)
    shape = (50, num_parameters(channels, 5))
    parameters = (scale * rng.uniform(-1, 1, size=shape)).astype("float32")
    values = rng.choice([-1, -0.2, 1], size=(50, channels))
    assert np.isfinite(log_prob(parameters, values)).all()
    mixture = DiscretizedLogisticMixture(parameters, channels)
    for sample in (mixture.sample(seed=0), mixture.mean()):
        sample = ops.convert_to_numpy(sample)
        assert (abs(sample) <= 1).all()


def test_half_precision_parameters_are_computed_in_float32():
    parameters = random_parameters((20,), 3, 4)
    values = np.random.default_rng(0).choice(VALUES, size=(20, 3))
    half = ops.cast(parameters, "bfloat16")
    expected = log_prob(ops.cast(half, "float32"), values)
    received = log_prob(half, values)
    assert received.dtype == "float32"
    np.testing.assert_allclose(received, expected, rtol=1e-6)


@pytest.mark.parametrize("temperature", [1.0, 0.5])
def test_samples_follow_the_probabilities_of_the_bins(temperature):
    parameters = np.float32([0.3, -0.3, -0.5, 0.4, -3.0, -2.0])
    mixture = DiscretizedLogisticMixture(np.tile(parameters, (40_000, 1)), 1)
    sample = ops.convert_to_numpy(mixture.sample(0, temperature))
    assert sample.shape == (40_000, 1)
    places = np.round((sample[:, 0] + 1) * 127.5).astype(int)
    np.testing.assert_allclose(sample[:, 0], VALUES[places], atol=1e-6)
    weights = softmax(parameters[:2] / temperature)
    expected = weights @ [
        bin_probabilities(mean, log_scale + np.log(temperature))
        for mean, log_scale in zip(parameters[2:4], parameters[4:], strict=True)
    ]
    # Kolmogorov-Smirnov test: a correct sampler fails once in 1000 seeds.
    counts = np.bincount(places, minlength=256) / len(places)
    assert abs(np.cumsum(counts - expected)).max() < 1.95 / 40_000**0.5


def test_samples_of_three_channels_depend_on_each_other():
    # Narrow scales, with green = red and blue = -red + 0.5 green.
    coefficients = np.arctanh([0.99, -0.99, 0.5])
    rest = [
        (0.0, log_scale, c)
        for log_scale, c in zip((-1.0, -6.0, -6.0), coefficients, strict=True)
    ]
    parameters = np.float32([0.0, *np.ravel(rest)])
    mixture = DiscretizedLogisticMixture(np.tile(parameters, (500, 1)), 3)
    red, green, blue = ops.convert_to_numpy(mixture.sample(seed=0)).T
    assert red.std() > 0.3
    np.testing.assert_allclose(green, np.clip(0.99 * red, -1, 1), atol=0.05)
    np.testing.assert_allclose(
        blue, np.clip(-0.99 * red + 0.5 * green, -1, 1), atol=0.05
    )


@pytest.mark.parametrize("channels", [1, 3])
def test_the_mean_matches_the_mean_of_samples(channels):
    parameters = random_parameters((4,), channels, 3, scale=0.3)
    # Narrow and central, so that clipping to [-1, 1] changes nothing.
    for channel in range(channels):
        first = 3 + 3 * (3 if channels == 3 else 2) * channel
        parameters[:, first : first + 3] *= 0.3
        parameters[:, first + 3 : first + 6] -= 4
    mean = DiscretizedLogisticMixture(parameters, channels).mean()
    many = np.repeat(parameters[:, np.newaxis], 4000, axis=1)
    samples = DiscretizedLogisticMixture(many, channels).sample(seed=0)
    np.testing.assert_allclose(
        ops.convert_to_numpy(mean),
        ops.convert_to_numpy(samples).mean(axis=1),
        atol=0.01,
    )


def test_the_same_seed_draws_the_same_samples():
    mixture = DiscretizedLogisticMixture(random_parameters((50,), 3, 2), 3)
    first, again, other = (
        ops.convert_to_numpy(mixture.sample(seed)) for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
    generator = keras.random.SeedGenerator(0)
    first, other = (
        ops.convert_to_numpy(mixture.sample(generator)) for _ in range(2)
    )
    assert (first != other).any()


@pytest.mark.parametrize("channels", [0, 2, "3", None])
def test_other_numbers_of_channels_are_refused(channels):
    with pytest.raises(ValueError, match="`channels` must be 1 or 3"):
        DiscretizedLogisticMixture(np.zeros((2, 30)), channels)


@pytest.mark.parametrize(("size", "channels"), [(0, 1), (4, 1), (15, 3)])
def test_parameters_that_do_not_fit_are_refused(size, channels):
    with pytest.raises(ValueError, match=r"parameters\.shape"):
        DiscretizedLogisticMixture(np.zeros((2, size)), channels)


@pytest.mark.parametrize("temperature", [0, -1, np.inf, np.nan, True, "1"])
def test_a_temperature_that_is_not_positive_is_refused(temperature):
    mixture = DiscretizedLogisticMixture(np.zeros((2, 3)), 1)
    with pytest.raises(ValueError, match="`temperature`"):
        mixture.sample(temperature=temperature)


@pytest.mark.parametrize("values", [[1.5], [-2.0], [np.nan], [0.0, 0.0]])
def test_values_that_are_not_pixels_are_refused(values):
    mixture = DiscretizedLogisticMixture(np.zeros(6), channels=1)
    with pytest.raises(ValueError, match="`values`"):
        mixture.log_prob(np.array(values))
