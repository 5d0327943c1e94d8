"""Loads a composed model of another backend and trains it further.

python continue_composed_model.py PATH
"""

import sys

import keras
import numpy as np

import keras_multires

model = keras.models.load_model(sys.argv[1])
assert keras_multires.__version__
assert type(model.optimizer).__name__ == "AdamW"
# As if it had been compiled here.
fresh = keras.models.clone_model(model)
fresh.compile("adamw")
assert model.jit_compile == fresh.jit_compile

rng = np.random.default_rng(0)
x, y = rng.integers(1, 7, size=(8, 16)), rng.integers(3, size=8)
before = model.evaluate(x, y, verbose=0)
model.fit(x, y, batch_size=4, epochs=20, verbose=0)
assert model.evaluate(x, y, verbose=0) < before
