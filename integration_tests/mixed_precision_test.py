"""Training in half precision ends where training in float32 does."""

import json

import pytest

from testing.backends import BACKENDS
from testing.programs import run_program


@pytest.mark.parametrize("backend", BACKENDS)
def test_float16_with_a_scaled_loss_is_as_accurate_as_float32(backend):
    result = run_program("fit_half_precision", backend=backend)
    accuracies, optimizers, steps, scale = json.loads(
        result.stdout.splitlines()[-1]
    )
    assert accuracies["float32"] > 0.9
    difference = accuracies["mixed_float16"] - accuracies["float32"]
    assert abs(difference) <= 0.01
    assert optimizers["float32"] == "AdamW"
    assert optimizers["mixed_float16"] == "LossScaleOptimizer"
    # Steps whose gradients overflow are left out and halve the scale.
    assert 190 <= steps <= 200
    assert 1 < scale <= 2**15
