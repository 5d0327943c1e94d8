"""Fits models on data at the edge of what they take, for `fit_test.py`.

    KERAS_BACKEND=jax python integration_tests/programs/fit_edge_cases.py

The batches do not divide the data, the validation set is empty, and the data
hold NaN.
"""

import keras
import numpy as np
import pytest

from keras_multires.models import MultiresClassifier
from keras_multires.models import MultiresDensityModel
from keras_multires.models import MultiresNet


def main():
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(10, 16, 3)).astype("float32")
    labels = rng.integers(2, size=10)
    model = MultiresClassifier(
        MultiresNet(4, 1, length=16, input_channels=3), num_classes=2
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    # A learning rate of 0: the losses of all batches are those of one model.
    model.compile(keras.optimizers.SGD(0.0), loss)
    history = model.fit(
        inputs, labels, batch_size=4, validation_data=(inputs[:0], labels[:0])
    ).history
    assert list(history) == ["loss"], history
    logits = model.predict(inputs, batch_size=4)
    assert logits.shape == (10, 2)
    of_all = float(keras.ops.convert_to_numpy(loss(labels, logits)))
    np.testing.assert_allclose(history["loss"], of_all, rtol=1e-5)
    of_batches = model.evaluate(inputs, labels, batch_size=4)
    np.testing.assert_allclose(of_batches, of_all, rtol=1e-5)

    inputs[9, 3, 1] = np.nan
    stop = keras.callbacks.TerminateOnNaN()
    history = model.fit(
        inputs, labels, batch_size=4, epochs=3, callbacks=[stop]
    )
    assert len(history.epoch) == 1
    assert np.isnan(history.history["loss"][0])

    pixels = np.zeros((4, 9, 1), "float32")
    pixels[2, 4] = np.nan
    model = MultiresDensityModel(MultiresNet(4, 1, length=9, input_channels=1))
    model.compile("sgd", "mse")
    with pytest.raises(ValueError, match=r"`inputs` must be in \[-1, 1\]"):
        model.fit(pixels, pixels)


if __name__ == "__main__":
    main()
