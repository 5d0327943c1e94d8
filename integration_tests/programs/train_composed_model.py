"""Trains a Functional model that contains a backbone, and saves it.

One block is frozen, and the other has a quantised layer.

python train_composed_model.py PATH
"""

import sys

import keras
import numpy as np
import pytest

from keras_multires import models

tokens = keras.Input((16,), dtype="int32")
backbone = models.MultiresNet(8, 2, length=16, vocabulary_size=7)
backbone.blocks[0].trainable = False
backbone.blocks[1].mixing.quantize("int8")
features = keras.layers.GlobalAveragePooling1D()(backbone(tokens))
model = keras.Model(tokens, keras.layers.Dense(3)(features))
model.compile(
    keras.optimizers.AdamW(0.01),
    keras.losses.SparseCategoricalCrossentropy(from_logits=True),
)

rng = np.random.default_rng(0)
x, y = rng.integers(1, 7, size=(8, 16)), rng.integers(3, size=8)
models.check_data(model, x, y)
with pytest.raises(ValueError, match="`vocabulary_size` is 7"):
    models.check_data(model, x + 1, y)

models.build_optimizer(model)
traces = []
train_step = model.train_step


def counted_step(*arguments):
    traces.append(1)
    return train_step(*arguments)


model.train_step = counted_step
model.fit(x, y, batch_size=4, epochs=2, verbose=0)
if keras.backend.backend() == "tensorflow":
    assert len(traces) == 1, traces
del model.train_step

models.save_model(model, sys.argv[1])
assert "get_compile_config" not in vars(model)
outputs = model.predict(x, verbose=0)
np.save(f"{sys.argv[1]}.npy", outputs)
loaded = keras.models.load_model(sys.argv[1])
np.testing.assert_allclose(loaded.predict(x, verbose=0), outputs, atol=1e-6)
