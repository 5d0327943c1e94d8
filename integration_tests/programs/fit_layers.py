"""Fits layers in an ordinary Keras model, for `fit_test.py`.

    KERAS_BACKEND=jax python integration_tests/programs/fit_layers.py auto

The argument is what `compile` gets as `jit_compile`: `auto` or `True`.
"""

import sys

import keras
import numpy as np

from keras_multires.layers import MultiresLayer


def main(jit_compile):
    keras.utils.set_random_seed(0)
    inputs = np.random.default_rng(0).normal(size=(64, 40, 3))
    inputs = inputs.astype("float32")
    targets = np.maximum(inputs[:, 1:, 0] + inputs[:, :-1, 1], 0).mean(axis=1)
    model = keras.Sequential(
        [
            keras.layers.Dense(8),
            MultiresLayer(algorithm="tree"),
            MultiresLayer(algorithm="fft"),
            keras.layers.GlobalAveragePooling1D(),
            keras.layers.Dense(1),
        ]
    )
    model.compile(keras.optimizers.Adam(0.01), "mse", jit_compile=jit_compile)
    history = model.fit(inputs, targets, epochs=10, batch_size=16, verbose=0)
    losses = history.history["loss"]
    print(losses)
    assert losses[-1] < 0.5 * losses[0]


if __name__ == "__main__":
    main({"auto": "auto", "True": True}[sys.argv[1]])
