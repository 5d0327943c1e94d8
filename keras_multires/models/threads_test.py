"""One model that several threads use."""

import numpy as np
import pytest
from keras import ops

from testing import models
from testing.threads import check_in_threads

SMALL = {"hidden_dim": 4, "num_layers": 2, "length": 6}


def classify():
    model = models.classifier(3, input_channels=1, **SMALL)
    inputs = np.random.default_rng(0).normal(size=(8, 1, 1, 1))
    state = model.get_initial_state(1)

    def run(number):
        outputs, _ = model.step(inputs[number].astype("float32"), state)
        return np.concatenate(
            [
                ops.convert_to_numpy(outputs),
                ops.convert_to_numpy(model(inputs[number])),
            ]
        )

    return run


def draw_images():
    model = models.density_model(num_mixtures=1, input_channels=1, **SMALL)
    return lambda number: ops.convert_to_numpy(model.generate(1, seed=number))


@pytest.mark.parametrize("task", [classify, draw_images])
def test_eight_threads_get_what_one_gets(task):
    check_in_threads(task())
