"""A training that is interrupted, in whatever way and place, continues."""

import json
import signal
import subprocess
import time
from pathlib import Path

import keras
import numpy as np
import pytest

from testing.example_runs import epochs_of
from testing.example_runs import import_example
from testing.example_runs import make_options
from testing.example_runs import read_rows
from testing.paths import EXAMPLES
from testing.programs import command
from testing.programs import environment

EPOCHS = 4


def wait_for_backup(process, output_dir):
    """Waits until an epoch is backed up, and returns how many are."""
    path = output_dir / "backup" / "training_metadata.json"
    while process.poll() is None:
        try:
            return json.loads(path.read_text())["epoch"]
        except (OSError, ValueError):  # not there yet, or half written
            time.sleep(0.01)
    raise AssertionError(process.communicate()[1][-3000:])


@pytest.mark.parametrize("backend", ["jax", "tensorflow", "torch"])
def test_the_same_command_continues_a_killed_run(backend, tmp_path):
    digits = command(
        EXAMPLES / "digits.py", "--epochs", EPOCHS, "--output-dir", tmp_path
    )
    options = {
        "env": environment(backend),
        "stdout": subprocess.PIPE,
        "stderr": subprocess.PIPE,
        "text": True,
    }
    with subprocess.Popen(digits, **options) as process:
        wait_for_backup(process, tmp_path)
        # An epoch takes a second: this is in the middle of one.
        time.sleep(0.2)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert process.returncode == -signal.SIGKILL
    path = tmp_path / "backup" / "training_metadata.json"
    num_finished = json.loads(path.read_text())["epoch"]
    assert 1 <= num_finished < EPOCHS
    finished = read_rows(tmp_path)[:num_finished]
    assert not (tmp_path / "metrics.json").exists()

    result = subprocess.run(digits, **options)
    assert result.returncode == 0, result.stderr[-3000:]
    assert f"Epoch {num_finished}/{EPOCHS}" not in result.stdout
    assert f"Epoch {num_finished + 1}/{EPOCHS}" in result.stdout
    rows = read_rows(tmp_path)
    assert epochs_of(rows) == list(range(EPOCHS))
    assert rows[:num_finished] == finished
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    values = [float(row["val_accuracy"]) for row in rows]
    assert metrics["best_epoch"] == values.index(max(values)) + 1
    assert not (tmp_path / "backup").exists()


# Interruptions at a chosen place, of a model small enough to be trained often.


class InterruptionError(Exception):
    pass


callbacks = import_example("experiment.callbacks")


@pytest.fixture
def fit(tmp_path):
    """Runs the same training, or what is left of it: its log's rows."""
    inputs = np.random.default_rng(0).normal(size=(2, 32, 3))
    inputs = inputs.astype("float32")
    targets = inputs.argmax(axis=-1)
    parts = [*zip(inputs, targets, strict=True)]

    def fit():
        options = make_options(tmp_path, epochs=EPOCHS)
        run = import_example("experiment").Run("test", options)
        model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(3)])
        model.compile(
            keras.optimizers.Adam(options.preset.learning_rate),
            keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            metrics=["accuracy"],
        )
        model.fit(
            *parts[0],
            batch_size=options.preset.batch_size,
            epochs=options.preset.epochs,
            validation_data=parts[1],
            callbacks=run.start(
                model, [*parts, parts[1]], "val_accuracy", "max"
            ),
            verbose=0,
        )
        run.end_training()
        model = keras.models.load_model(run.model_path)
        predictions = model.predict(inputs[1], verbose=0).argmax(axis=-1)
        rows = read_rows(tmp_path)
        assert epochs_of(rows) == list(range(EPOCHS))
        # The model is that of the best epoch.
        best = max(float(row["val_accuracy"]) for row in rows)
        assert (predictions == targets[1]).mean() == best
        return rows

    return fit


def interrupt(monkeypatch, callback, epoch):
    """Lets a class of callbacks raise an error at the end of an epoch."""

    def fail(self, ended, logs=None):
        if ended == epoch:
            raise InterruptionError
        method(self, ended, logs)

    method = callback.on_epoch_end
    monkeypatch.setattr(callback, "on_epoch_end", fail)


def interrupted(*arguments, **options):
    raise InterruptionError


@pytest.mark.parametrize("epoch", range(EPOCHS))
@pytest.mark.parametrize("name", ["Log", "KeepBest", "TensorBoard"])
def test_an_epoch_that_is_not_backed_up_is_trained_again(
    fit, monkeypatch, tmp_path, name, epoch
):
    with monkeypatch.context() as context:
        interrupt(context, getattr(callbacks, name), epoch)
        with pytest.raises(InterruptionError):
            fit()
    before = read_rows(tmp_path)
    assert epochs_of(before) == list(range(epoch + (name != "Log")))
    rows = fit()
    assert rows[:epoch] == before[:epoch]


def test_a_run_that_was_interrupted_in_its_first_epoch_starts_over(
    fit, monkeypatch, tmp_path
):
    with monkeypatch.context() as context:
        context.setattr(callbacks.Log, "on_epoch_end", interrupted)
        with pytest.raises(InterruptionError):
            fit()
    assert (tmp_path / "log.csv").read_bytes() == b""
    fit()


def test_the_best_model_is_whole_when_its_successor_is_not(
    fit, monkeypatch, tmp_path
):
    saved = []
    save = keras.Model.save

    def save_once(self, path, overwrite):
        if saved:
            Path(path).write_bytes(b"half of it")
            raise InterruptionError
        saved.append(path)
        save(self, path, overwrite=overwrite)

    with monkeypatch.context() as context:
        context.setattr(keras.Model, "save", save_once)
        with pytest.raises(InterruptionError):
            fit()
    (partial,) = tmp_path.glob("model_of_epoch_*")
    assert partial.read_bytes() == b"half of it"
    keras.models.load_model(tmp_path / "model.keras")
    fit()
    assert not list(tmp_path.glob("model_of_epoch_*"))


@pytest.mark.parametrize("num_kept", [0, 1, 2])
def test_only_models_of_epochs_that_are_backed_up_are_kept(tmp_path, num_kept):
    path = tmp_path / "model.keras"
    path.write_text("0")
    for epoch in (1, 2):
        (tmp_path / f"model_of_epoch_{epoch}.keras").write_text(str(epoch))
    keep_best = callbacks.KeepBest(path, "accuracy", "max")
    keep_best.on_epoch_begin(num_kept)
    assert [file.name for file in tmp_path.iterdir()] == ["model.keras"]
    assert path.read_text() == str(num_kept)


@pytest.mark.parametrize(
    ("mode", "values", "is_replaced"),
    [
        ("max", (2.0, -2.0), False),
        ("max", (-1.0, -2.0), True),
        ("min", (-1.0, 2.0), False),
        ("min", (2.0, 3.0), True),
    ],
)
def test_the_best_epoch_before_an_interruption_is_not_forgotten(
    tmp_path, mode, values, is_replaced
):
    log, path = tmp_path / "log.csv", tmp_path / "model.keras"
    rows = [f"{epoch},{value},1,1\n" for epoch, value in enumerate(values)]
    log.write_text("".join(["epoch,accuracy,loss,seconds\n", *rows]))
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    model.compile(loss="mse", metrics=["accuracy"])
    keep_best = callbacks.KeepBest(path, "accuracy", mode)
    model.fit(
        *(np.ones((4, 3)), np.ones((4, 2))),
        initial_epoch=2,
        epochs=3,
        verbose=0,
        callbacks=[callbacks.Log(log, keep_best), keep_best],
    )
    assert epochs_of(read_rows(tmp_path)) == [0, 1, 2]
    assert path.exists() == is_replaced


def test_a_truncated_backup_is_replaced_by_the_one_before(
    fit, monkeypatch, tmp_path
):
    with monkeypatch.context() as context:
        interrupt(context, callbacks.TensorBoard, 3)
        with pytest.raises(InterruptionError):
            fit()
    path = tmp_path / "backup" / "latest.weights.h5"
    path.write_bytes(path.read_bytes()[:-100])
    before = read_rows(tmp_path)
    assert fit()[:2] == before[:2]


def test_a_run_that_was_interrupted_after_its_training_is_not_trained_again(
    fit, tmp_path
):
    rows = fit()
    log = (tmp_path / "log.csv").read_bytes()
    assert fit() == rows
    assert (tmp_path / "log.csv").read_bytes() == log
