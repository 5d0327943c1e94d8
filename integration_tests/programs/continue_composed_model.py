"""Loads a composed model of another backend and trains it further.

python continue_composed_model.py PATH
"""

import sys
import warnings

import keras
import numpy as np

import keras_multires

# Such as that the state of the optimizer does not fit.
warnings.filterwarnings("error", message="Skipping variable loading")
model = keras.models.load_model(sys.argv[1])
assert keras_multires.__version__
assert type(model.optimizer).__name__ == "AdamW"
assert int(model.optimizer.iterations) == 4
backbone = model.layers[1]
assert not any(v.trainable for v in backbone.blocks[0].variables)
assert backbone.blocks[1].mixing.quantization_mode == "int8"
# As if it had been compiled here.
fresh = keras.models.clone_model(model)
fresh.compile("adamw")
assert model.jit_compile == fresh.jit_compile

rng = np.random.default_rng(0)
x, y = rng.integers(1, 7, size=(8, 16)), rng.integers(3, size=8)
np.testing.assert_allclose(
    model.predict(x, verbose=0), np.load(f"{sys.argv[1]}.npy"), atol=1e-4
)
before = model.evaluate(x, y, verbose=0)
model.fit(x, y, batch_size=4, epochs=20, verbose=0)
assert model.evaluate(x, y, verbose=0) < before
