"""A million time steps, forward and backward, in the memory of a laptop."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

TRAIN = """
import resource

import keras
import numpy as np

from keras_multires.layers import MultiresLayer

LENGTH = 2**20
inputs = np.random.default_rng(0).normal(size=(1, LENGTH, 4))
layer = MultiresLayer()
model = keras.Sequential([keras.Input((LENGTH, 4)), layer])
assert layer.receptive_field >= LENGTH
before = layer.get_weights()
model.compile("adam", "mse")
loss = model.train_on_batch(inputs, np.zeros_like(inputs))
assert np.isfinite(loss)
for weight, earlier in zip(layer.get_weights(), before, strict=True):
    assert np.all(np.isfinite(weight)) and np.any(weight != earlier)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
"""


@pytest.mark.parametrize("backend", ["jax", "tensorflow", "torch"])
def test_a_million_steps_train_in_less_than_4_gb(backend):
    result = subprocess.run(
        [sys.executable, "-c", TRAIN],
        env={**os.environ, "KERAS_BACKEND": backend},
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[1],
    )
    assert result.returncode == 0, result.stderr[-3000:]
    assert int(result.stdout.split()[-1]) < 4e9
