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


def fit(backend, jit_compile):
    result = subprocess.run(
        [sys.executable, "-c", FIT, jit_compile],
        env={**os.environ, "KERAS_BACKEND": backend},
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[1],
    )
    assert result.returncode == 0, result.stdout + result.stderr[-3000:]


@pytest.mark.parametrize("backend", ["jax", "tensorflow", "torch"])
def test_training_lowers_the_loss(backend):
    fit(backend, "auto")


@pytest.mark.skipif(
    shutil.which("g++") is None,
    reason="the code generator of PyTorch needs a C++ compiler",
)
def test_training_lowers_the_loss_where_pytorch_generates_code():
    fit("torch", "True")
