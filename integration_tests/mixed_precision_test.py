"""Training in half precision ends where training in float32 does."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"
# The digits' demo, for fewer epochs.
TRAIN = """
import json

import keras
import numpy as np
from digits import build_model

import keras_multires
from keras_multires.datasets import digits

(inputs, labels), _, test = digits.load_data()
accuracies, optimizers = {}, {}
for policy in ("float32", "mixed_float16"):
    keras.config.set_dtype_policy(policy)
    keras.utils.set_random_seed(0)
    model = build_model({"hidden_dim": 32, "num_layers": 2})
    rate = keras.optimizers.schedules.CosineDecay(0.02, 10 * 20)
    model.compile(
        keras.optimizers.AdamW(rate, weight_decay=0.01, epsilon=1e-8),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    model.fit(inputs, labels, batch_size=64, epochs=10, verbose=0)
    logits = model.predict(test[0], verbose=0)
    assert logits.dtype == policy.removeprefix("mixed_")
    accuracies[policy] = float(np.mean(logits.argmax(axis=-1) == test[1]))
    optimizers[policy] = type(model.optimizer).__name__
    steps = int(model.optimizer.iterations)
    scale = getattr(model.optimizer, "dynamic_scale", None)
print(json.dumps([accuracies, optimizers, steps, float(scale)]))
"""


@pytest.mark.parametrize("backend", ["jax", "tensorflow", "torch"])
def test_float16_with_a_scaled_loss_is_as_accurate_as_float32(backend):
    result = subprocess.run(
        [sys.executable, "-c", TRAIN],
        env={
            **os.environ,
            "KERAS_BACKEND": backend,
            "PYTHONPATH": os.pathsep.join([*sys.path, str(EXAMPLES)]),
        },
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stdout + result.stderr[-3000:]
    accuracies, optimizers, steps, scale = json.loads(
        result.stdout.splitlines()[-1]
    )
    assert accuracies["float32"] > 0.9
    difference = accuracies["mixed_float16"] - accuracies["float32"]
    assert abs(difference) <= 0.01
    assert optimizers["float32"] == "AdamW"
    assert optimizers["mixed_float16"] == "LossScaleOptimizer"
    # Steps whose gradients overflow are left out, and halve the scale.
    assert 190 <= steps <= 200
    assert 1 < scale <= 2**15
