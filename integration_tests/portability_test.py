"""Models that are trained and saved on one backend continue on another."""

import itertools
import json

import numpy as np
import pytest

from testing.backends import BACKENDS
from testing.programs import run_program


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """A folder for each backend, with its models and what all make of them."""
    folders = {
        backend: tmp_path_factory.mktemp(backend) for backend in BACKENDS
    }
    for backend, folder in folders.items():
        run_program("save_and_continue", "save", folder, backend=backend)
    for backend in BACKENDS:
        run_program(
            "save_and_continue", "load", *folders.values(), backend=backend
        )
    return folders


@pytest.mark.parametrize(
    ("source", "target"), list(itertools.product(BACKENDS, BACKENDS))
)
def test_training_continues_on_another_backend(folders, source, target):
    folder = folders[source]
    received = json.loads((folder / f"{target}.results").read_text())
    assert len(received) == 2
    for name, model in received.items():
        expected = json.loads((folder / f"{name}.json").read_text())
        for key in ("outputs", "by_weights"):
            np.testing.assert_allclose(
                model[key], expected["outputs"], rtol=1e-5, atol=1e-5
            )
        assert not np.allclose(
            model["without_weights"], expected["outputs"], atol=1e-2
        )
        for key in ("statistics", "optimizer"):
            assert len(model[key]) == len(expected[key])
            for array, same in zip(model[key], expected[key], strict=True):
                np.testing.assert_array_equal(array, same)
        # Iterations, learning rate, and two moments of each weight.
        assert len(model["optimizer"]) > 2 + 2 * 8
        assert model["optimizer"][0] == 4
        losses = model["losses"]
        np.testing.assert_allclose(losses, expected["losses"], rtol=1e-3)
        assert losses[-1] < losses[0]


def test_the_comparison_includes_batch_statistics_that_have_moved(folders):
    path = folders["jax"] / "classifier.json"
    statistics = json.loads(path.read_text())["statistics"]
    shapes = [np.shape(array) for array in statistics]
    assert shapes.count((8,)) == 4
    assert not any(np.all(np.isin(array, (0, 1))) for array in statistics)
