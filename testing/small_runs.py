"""A run of the examples whose result depends on all that a run must restore."""

import hashlib

import keras
import numpy as np

from keras_multires.models import save_model
from testing.example_runs import import_example
from testing.example_runs import make_options
from testing.example_runs import read_rows


@keras.saving.register_keras_serializable("testing")
class UnseededNoise(keras.Layer):
    """Draws from the seed generator of all that has none of its own."""

    def call(self, inputs, training=False):
        if not training:
            return inputs
        return inputs + 0.1 * keras.random.normal(keras.ops.shape(inputs))


@keras.saving.register_keras_serializable("testing")
class SavedAsTask(keras.Sequential):
    """Is written as the tasks of the library are."""

    def save(self, filepath, overwrite=True, zipped=None, **kwargs):
        save_model(self, filepath, overwrite, zipped, **kwargs)


def _make_model(units):
    """A model of three numbers with each kind of state."""
    return SavedAsTask(
        [
            keras.Input((3,)),
            keras.layers.Dense(units),
            keras.layers.BatchNormalization(),
            keras.layers.GaussianNoise(0.1),
            # Keras does not allow it in a function that JAX compiles.
            *([UnseededNoise()] if keras.backend.backend() != "jax" else []),
            # On PyTorch, it draws from PyTorch's own generator.
            keras.layers.Dropout(0.5),
            keras.layers.Dense(3),
        ]
    )


def make_parts(seed=0):
    """Training and validation set of 20 sequences: `(inputs, targets)` each."""
    inputs = np.random.default_rng(seed).normal(size=(2, 20, 3))
    return [(part.astype("float32"), part.argmax(axis=-1)) for part in inputs]


def train(output_dir, eagerly=False, units=6, data_seed=0, **changes):
    """Starts or continues a run: `(run, model)`.

    Args:
        output_dir: `pathlib.Path` of its folder.
        eagerly: Boolean, for `model.compile`.
        units: Integer, size of the model.
        data_seed: Integer, seed of the data.
        **changes: Other options than those of `make_options`.
    """
    options = make_options(output_dir, **changes)
    preset = options.preset
    run = import_example("experiment").Run("test", options)
    inputs = np.random.default_rng(data_seed).normal(size=(2, 20, 3))
    parts = [(part.astype("float32"), part.argmax(axis=-1)) for part in inputs]
    with run.scope():
        model = _make_model(units)
        model.compile(
            # The schedule depends on the number of steps.
            keras.optimizers.AdamW(
                import_example("experiment").warmup_then_cosine(preset, 20)
            ),
            keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            metrics=["accuracy"],
            run_eagerly=eagerly,
        )
        model.fit(
            run.batches(parts[0]),
            epochs=preset.epochs,
            shuffle=False,
            validation_data=parts[1],
            validation_batch_size=preset.batch_size,
            callbacks=run.start(model, [*parts, parts[1]], "val_loss", "min"),
            verbose=0,
        )
    run.end_training()
    return run, model


def outcome(run, model):
    """All that a run without an interruption must have, too, bit by bit.

    Returns:
        Dict from names to checksums or values.
    """
    backup = import_example("experiment.backup")
    best = keras.models.load_model(run.model_path)
    rows = read_rows(run.output_dir)
    for row in rows:
        assert float(row.pop("seconds")) > 0
    return {
        "state": _checksum(backup.state_of(model)),
        "best": _checksum([*best.variables, *best.optimizer.variables]),
        "log": rows,
        "next": [float(np.random.random()), float(keras.random.uniform(()))],
    }


def _checksum(variables):
    checksum = hashlib.sha256()
    for variable in variables:
        value = keras.ops.convert_to_numpy(variable)
        checksum.update(np.ascontiguousarray(value))
    return checksum.hexdigest()
