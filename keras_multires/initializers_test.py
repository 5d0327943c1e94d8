import keras
import numpy as np
from keras import ops

from keras_multires.initializers import fan_in_uniform
from keras_multires.initializers import initializer_of_weight


def draw(initializer):
    return ops.convert_to_numpy(initializer((20_000,)))


def test_fan_in_uniform_fills_its_interval_evenly():
    keras.utils.set_random_seed(0)
    values = draw(fan_in_uniform(4))
    counts, _ = np.histogram(values, bins=10, range=(-0.5, 0.5))
    assert counts.sum() == len(values)
    # Five standard deviations of a bin's count around its mean.
    assert np.all(np.abs(counts - 2_000) < 5 * np.sqrt(2_000 * 0.9))


def test_each_weight_draws_its_own_values():
    given = keras.initializers.RandomNormal()
    assert not np.array_equal(
        draw(initializer_of_weight(given, 4)),
        draw(initializer_of_weight(given, 4)),
    )
    assert not np.array_equal(
        draw(initializer_of_weight(None, 4)),
        draw(initializer_of_weight(None, 4)),
    )


def test_a_seed_generator_gives_each_weight_other_values():
    given = keras.initializers.RandomNormal(seed=keras.random.SeedGenerator(3))
    assert not np.array_equal(
        draw(initializer_of_weight(given, 4)),
        draw(initializer_of_weight(given, 4)),
    )


def test_a_function_can_be_an_initializer():
    assert initializer_of_weight(ops.ones, 4) is ops.ones
