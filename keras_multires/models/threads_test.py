"""One model that several threads use."""

import threading

import numpy as np
import pytest
from keras import ops

from testing import models

NUM_THREADS = 8
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


def write_text():
    model = models.language_model(vocabulary_size=9, **SMALL)
    return lambda number: model.generate([number + 1], 6, sampler="greedy")


@pytest.mark.parametrize("task", [classify, draw_images, write_text])
def test_eight_threads_get_what_one_gets(task):
    run = task()
    expected = [run(number) for number in range(NUM_THREADS)]
    received = {}
    start = threading.Barrier(NUM_THREADS)

    def work(number):
        start.wait()
        received[number] = [run(number) for _ in range(3)]

    threads = [
        threading.Thread(target=work, args=(number,))
        for number in range(NUM_THREADS)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(received) == list(range(NUM_THREADS))
    for number, results in received.items():
        for result in results:
            np.testing.assert_allclose(result, expected[number], atol=1e-5)
