"""The layer in an ordinary Keras model, on each backend."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

FIT = """
import sys
import keras
import numpy as np
from keras_multires.layers import MultiresLayer

keras.utils.set_random_seed(0)
inputs = np.random.default_rng(0).normal(size=(64, 40, 3)).astype("float32")
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
jit_compile = {"auto": "auto", "True": True}[sys.argv[1]]
model.compile(keras.optimizers.Adam(0.01), "mse", jit_compile=jit_compile)
history = model.fit(inputs, targets, epochs=10, batch_size=16, verbose=0)
losses = history.history["loss"]
print(losses)
assert losses[-1] < 0.5 * losses[0]
"""

# Batches that are cut short, validation on nothing, and NaN in the data.
EDGES = """
import keras
import numpy as np
from keras_multires.models import MultiresClassifier
from keras_multires.models import MultiresDensityModel

rng = np.random.default_rng(0)
inputs = rng.normal(size=(10, 16, 3)).astype("float32")
labels = rng.integers(2, size=10)
model = MultiresClassifier(
    2, 16, input_channels=3, hidden_dim=4, num_layers=1, dropout=0.0
)
loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
# A learning rate of 0: the losses of the batches are those of one model.
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
history = model.fit(inputs, labels, batch_size=4, epochs=3, callbacks=[stop])
assert len(history.epoch) == 1
assert np.isnan(history.history["loss"][0])

pixels = np.zeros((4, 9, 1), "float32")
pixels[2, 4] = np.nan
model = MultiresDensityModel(9, 1, hidden_dim=4, num_layers=1)
model.compile("sgd", "mse")
try:
    model.fit(pixels, pixels)
except ValueError as error:
    assert "`inputs` must be in [-1, 1]" in str(error)
else:
    raise AssertionError("NaN among the pixels was not refused.")
"""


def run(backend, script, *arguments):
    result = subprocess.run(
        [sys.executable, "-c", script, *arguments],
        env={**os.environ, "KERAS_BACKEND": backend},
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[1],
    )
    assert result.returncode == 0, result.stdout + result.stderr[-3000:]


@pytest.mark.parametrize("backend", ["jax", "tensorflow", "torch"])
def test_training_lowers_the_loss(backend):
    run(backend, FIT, "auto")


@pytest.mark.parametrize("backend", ["jax", "tensorflow", "torch"])
def test_data_at_the_edge_do_what_users_of_keras_expect(backend):
    run(backend, EDGES)


@pytest.mark.skipif(
    shutil.which("g++") is None,
    reason="the code generator of PyTorch needs a C++ compiler",
)
def test_training_lowers_the_loss_where_pytorch_generates_code():
    run("torch", FIT, "True")
