"""Trains models, and continues those of others, for `portability_test.py`.

    KERAS_BACKEND=jax python integration_tests/programs/save_and_continue.py \
        save FOLDER

trains and saves each model, and writes a JSON file with its outputs, its state
and the losses of further epochs. With `load FOLDER ...` it loads what `save`
left in each folder, trains the same epochs and writes `BACKEND.results`.
"""

import json
import sys
from pathlib import Path

import keras
import numpy as np

from keras_multires import losses
from keras_multires import models

SIZE = {"hidden_dim": 8, "num_layers": 2}


def classifier():
    backbone = models.MultiresNet(
        length=24, vocabulary_size=6, normalization="batch", **SIZE
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    return models.MultiresClassifier(backbone, 3), loss, ["accuracy"]


def density_model():
    backbone = models.MultiresNet(
        length=24,
        input_channels=3,
        output_projection=True,
        independent_skip=True,
        memory="uniform",
        memory_size=7,
        kernel_size=3,
        **SIZE,
    )
    model = models.MultiresDensityModel(backbone, num_mixtures=2)
    return model, losses.BitsPerDimension(2), []


MODELS = {
    "classifier": classifier,
    "density model": density_model,
}


def make_data():
    """Pairs of inputs and targets, by the name of the model."""
    rng = np.random.default_rng(0)
    labels = rng.integers(3, size=16)
    tokens = rng.integers(1, 6, size=(16, 24))
    tokens[:, 20:] = 0  # padding
    images = rng.integers(256, size=(16, 24, 3)) / 127.5 - 1
    return {"classifier": (tokens, labels), "density model": (images, images)}


DATA = make_data()


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
        # With a small epsilon, Adam would move weights whose gradients are
        # zero except for rounding as far as others.
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


def main(action, *folders):
    for folder in map(Path, folders):
        if action == "save":
            save(folder)
        else:
            target = folder / f"{keras.backend.backend()}.results"
            target.write_text(json.dumps(load(folder)))


if __name__ == "__main__":
    main(*sys.argv[1:])
