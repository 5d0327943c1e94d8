"""Trains a layer on a million time steps, for `long_sequence_test.py`.

    KERAS_BACKEND=jax python integration_tests/programs/fit_million_steps.py

prints the most memory that the process held, in bytes.
"""

import resource

import keras
import numpy as np

from keras_multires.layers import MultiresLayer

LENGTH = 2**20


def main():
    inputs = np.random.default_rng(0).normal(size=(1, LENGTH, 4))
    layer = MultiresLayer()
    model = keras.Sequential([keras.Input((LENGTH, 4)), layer])
    assert layer.receptive_field >= LENGTH
    before = layer.get_weights()
    model.compile("adam", "mse")
    loss = model.train_on_batch(inputs, np.zeros_like(inputs))
    assert np.isfinite(loss)
    for weight, earlier in zip(layer.get_weights(), before, strict=True):
        assert np.all(np.isfinite(weight))
        assert np.any(weight != earlier)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)


if __name__ == "__main__":
    main()
