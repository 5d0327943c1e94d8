"""Models that are trained and saved on one backend, and go on on another."""

import itertools
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[1]
BACKENDS = ("jax", "tensorflow", "torch")
# Makes each model, and continues each that another backend left.
SCRIPT = """
import json
import sys
from pathlib import Path

import keras
import numpy as np

import keras_multires
from keras_multires import losses
from keras_multires import models

SIZE = {"hidden_dim": 8, "num_layers": 2, "dropout": 0.0}


def classifier():
    model = models.MultiresClassifier(
        3, 24, vocabulary_size=6, normalization="batch", **SIZE
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    return model, loss, ["accuracy"]


def density_model():
    model = models.MultiresDensityModel(
        24,
        3,
        num_mixtures=2,
        memory="uniform",
        memory_size=7,
        kernel_size=3,
        **SIZE,
    )
    return model, losses.DiscretizedLogisticMixture(2), []


MODELS = {
    "classifier": classifier,
    "density model": density_model,
}
rng = np.random.default_rng(0)
labels = rng.integers(3, size=16)
tokens = rng.integers(1, 6, size=(16, 24))
tokens[:, 20:] = 0  # padding
images = rng.integers(256, size=(16, 24, 3)) / 127.5 - 1
DATA = {"classifier": (tokens, labels), "density model": (images, images)}


def outputs(model, name):
    return model.predict(DATA[name][0], verbose=0)


def train(model, name, epochs):
    history = model.fit(
        *DATA[name], epochs=epochs, batch_size=8, shuffle=False, verbose=0
    )
    return history.history["loss"]


def arrays(variables):
    return [keras.ops.convert_to_numpy(v).tolist() for v in variables]


def description(model, name):
    return {
        "outputs": outputs(model, name).tolist(),
        "statistics": arrays(model.non_trainable_variables),
        "optimizer": arrays(model.optimizer.variables),
        "losses": train(model, name, 3),
    }


def save(folder):
    for name, make in MODELS.items():
        keras.utils.set_random_seed(1)
        model, loss, metrics = make()
        # With Adam's small epsilon, gradients that are zero but for rounding
        # would move weights as far as others.
        optimizer = keras.optimizers.AdamW(0.01, epsilon=1e-3)
        model.compile(optimizer, loss=loss, metrics=metrics)
        train(model, name, 2)
        model.save(folder / f"{name}.keras")
        model.save_weights(folder / f"{name}.weights.h5")
        results = description(model, name)
        (folder / f"{name}.json").write_text(json.dumps(results))


def load(folder):
    received = {}
    for name, make in MODELS.items():
        model = keras.models.load_model(folder / f"{name}.keras")
        received[name] = description(model, name)
        keras.utils.set_random_seed(2)
        fresh, _, _ = make()
        before = outputs(fresh, name)
        fresh.load_weights(folder / f"{name}.weights.h5")
        received[name]["by_weights"] = outputs(fresh, name).tolist()
        received[name]["without_weights"] = before.tolist()
    return received


if sys.argv[1] == "save":
    save(Path(sys.argv[2]))
else:
    for source in map(Path, sys.argv[2:]):
        target = source / f"{keras.backend.backend()}.results"
        target.write_text(json.dumps(load(source)))
"""


def run(backend, *arguments):
    result = subprocess.run(
        [sys.executable, "-c", SCRIPT, *map(str, arguments)],
        env={**os.environ, "KERAS_BACKEND": backend},
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    assert result.returncode == 0, result.stdout + result.stderr[-3000:]


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """A folder a backend, with what it saved and what all make of that."""
    folders = {
        backend: tmp_path_factory.mktemp(backend) for backend in BACKENDS
    }
    for backend, folder in folders.items():
        run(backend, "save", folder)
    for backend in BACKENDS:
        run(backend, "load", *folders.values())
    return folders


@pytest.mark.parametrize(
    ("source", "target"), list(itertools.product(BACKENDS, BACKENDS))
)
def test_a_model_goes_on_where_another_backend_left_it(folders, source, target):
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


def test_the_statistics_of_batches_are_among_what_is_compared(folders):
    path = folders["jax"] / "classifier.json"
    statistics = json.loads(path.read_text())["statistics"]
    shapes = [np.shape(array) for array in statistics]
    assert shapes.count((8,)) == 4
    assert not any(np.all(np.isin(array, (0, 1))) for array in statistics)
