"""Prints the first input of each step that a run trains, as JSON."""

import json
import tempfile
from pathlib import Path

import keras

from testing import small_runs

firsts = []
train_step = keras.Model.train_step


def recording_step(model, *arguments):
    inputs, _ = arguments[-1]  # JAX gives the state before it
    firsts.append(float(keras.ops.convert_to_numpy(inputs)[0, 0]))
    return train_step(model, *arguments)


keras.Model.train_step = recording_step
with tempfile.TemporaryDirectory() as folder:
    small_runs.train(Path(folder), eagerly=True)
print(json.dumps(firsts))
