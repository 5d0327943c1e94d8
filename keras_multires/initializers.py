"""Initial values of the published model."""

import keras

from keras_multires._validation import check_integer

__all__ = ["fan_in_uniform"]


def fan_in_uniform(fan_in):
    """Initializer that draws uniformly from ±1 / sqrt(fan_in).

    Keras's `VarianceScaling` reads the fan-in off the shape of a weight. Here a
    bias follows the fan-in of its kernel, and the weights of a memory of `M`
    coefficients and a skip count `M + 1`, so the fan-in is given.

    Args:
        fan_in: Integer, number of terms that the weight is one of.

    Returns:
        A `keras.initializers.RandomUniform`. Two calls give two independent
        initializers.

    Raises:
        ValueError: if `fan_in` is not a positive integer.
    """
    fan_in = check_integer("fan_in", fan_in)
    limit = fan_in**-0.5
    return keras.initializers.RandomUniform(-limit, limit)


def initializer_of_weight(initializer, fan_in, index=0):
    """The initializer of one weight, from an option that several weights share.

    A Keras initializer gives the same values at every call, so each weight
    takes a clone. An initializer with a `SeedGenerator` gives other values each
    time, and a clone of it would start over, so it is shared.

    Args:
        initializer: The user's initializer, or None.
        fan_in: Integer for `fan_in_uniform`, which stands in for None.
        index: Integer, added to the seed of an initializer that has one.

    Returns:
        An initializer.
    """
    if initializer is None:
        return fan_in_uniform(fan_in)
    if not isinstance(initializer, keras.initializers.Initializer):
        return initializer
    seed = getattr(initializer, "seed", None)
    if isinstance(seed, keras.random.SeedGenerator):
        return initializer
    config = initializer.get_config()
    if isinstance(config.get("seed"), int):
        config["seed"] += index
    return initializer.from_config(config)
