"""Trains a model and records the results: what the examples share.

A run lives in its output folder. Whatever ends it, the same command goes on
from the last epoch that it finished.
"""

import csv
import dataclasses
import datetime
import importlib
import io
import json
import math
import os
import platform
import shutil
import statistics
import sys
import tempfile

import click
import keras
from callbacks import KeepBest
from callbacks import Log
from callbacks import TensorBoard
from callbacks import best_of
from devices import find_devices
from PIL import Image

SETTINGS = "settings.json"
METRICS = "metrics.json"
MODEL = "model.keras"
LOG = "log.csv"
BACKUP = "backup"
TENSORBOARD = "tensorboard"
# Beside these, what some of the examples write.
FILES = (
    *(METRICS, MODEL, LOG, "labels.json"),
    *("overview.png", "scalogram.png", "samples.png", "samples.txt"),
)
FOLDERS = (BACKUP, TENSORBOARD)


@dataclasses.dataclass(frozen=True)
class Measure:
    """What models are judged by.

    Args:
        name: Of the score, such as `"accuracy"`.
        monitor: Name of the column of the log that tells the best epoch.
        mode: `"max"` if high is good, `"min"` if low is.
        score_format: Format of a score that is shown.
    """

    name: str
    monitor: str
    mode: str
    score_format: str

    def best_epoch(self, log):
        """The best epoch of a log, counted from 1 as Keras does.

        Args:
            log: Dict from names to one value an epoch.
        """
        return best_of(log[self.monitor], self.mode) + 1


class Run:
    """A training in its output folder.

    Args:
        experiment: Name of the experiment.
        options: The `TrainingOptions` of the command line.

    Raises:
        click.UsageError: if there are too few devices, or if the folder cannot
            be written to, or holds a run that is finished or has other settings
            and `options.resume` is true, or holds files that would be taken for
            a run's.
    """

    def __init__(self, experiment, options):
        self.options = options
        self.output_dir = options.output_dir
        self.settings = {
            "experiment": experiment,
            "preset": options.preset_name,
            "preset_settings": dataclasses.asdict(options.preset),
            "seed": options.seed,
            "backend": keras.backend.backend(),
            "dtype_policy": options.dtype_policy,
            "jit_compile": options.jit_compile,
            "data_dir": options.data_dir and str(options.data_dir.resolve()),
            "devices": options.devices,
        }
        self._beside_model = {}
        self._devices = find_devices(options.devices)
        if self._devices.is_first:
            self._check_folder()
        self._devices.start()
        keras.config.set_dtype_policy(options.dtype_policy)
        keras.utils.set_random_seed(options.seed)

    def _check_folder(self):
        """Makes the folder, and finds out whether a run in it goes on."""
        try:
            self.output_dir.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self.output_dir):
                pass
        except OSError as error:
            raise click.UsageError(
                f"--output-dir: cannot write to {str(self.output_dir)!r}: "
                f"{error.strerror}"
            ) from error
        earlier = self._read_settings()
        self.goes_on = self.options.resume and earlier is not None
        if self.goes_on:
            self._check_settings(earlier)
            self._check_progress()

    def _read_settings(self):
        """The settings of the run that is in the folder; None without one."""
        path = self.output_dir / SETTINGS
        try:
            earlier = json.loads(path.read_text())
        except FileNotFoundError:
            for name in (*FILES, *FOLDERS):
                # A run would delete it, and whose it is nobody knows.
                if (self.output_dir / name).exists():
                    raise click.UsageError(
                        f"{str(self.output_dir)!r} holds {name!r} of no known "
                        "run. Choose another --output-dir."
                    ) from None
            return None
        except (OSError, ValueError):
            earlier = None
        if not isinstance(earlier, dict) or "experiment" not in earlier:
            raise click.UsageError(
                f"{str(path)!r} does not hold the settings of a run, or is "
                "damaged. Choose another --output-dir."
            )
        return earlier

    def _check_settings(self, earlier):
        remedy = (
            "Choose another --output-dir, or --no-resume to start over and "
            "lose it."
        )
        changed = [
            f"{name} was {earlier.get(name)!r} and is {value!r}"
            for name, value in self.settings.items()
            if earlier.get(name) != value
        ]
        if changed:
            raise click.UsageError(
                f"{str(self.output_dir)!r} holds a run with other settings: "
                f"{'; '.join(changed)}. {remedy}"
            )
        if (self.output_dir / METRICS).exists():
            raise click.UsageError(
                f"{str(self.output_dir)!r} holds this run, finished. {remedy}"
            )

    def _check_progress(self):
        """Raises an error if what the run needs to go on is damaged."""
        log, backup = self.output_dir / LOG, self.output_dir / BACKUP
        path = backup / "training_metadata.json"
        if not path.exists():
            return  # no epoch is finished
        try:
            num_epochs = json.loads(path.read_text())["epoch"]
            path = log
            logged = {int(row["epoch"]) for row in _read_rows(log)}
            if not logged.issuperset(range(num_epochs)):
                raise ValueError("epochs are missing")
        except (OSError, ValueError, TypeError, KeyError, csv.Error) as error:
            raise click.UsageError(
                f"{str(path)!r} is damaged or missing, so that the run in "
                f"{str(self.output_dir)!r} cannot go on ({error}). Choose "
                "another --output-dir, or --no-resume to start over and lose "
                "it."
            ) from error

    def _begin(self):
        """Begins anew, unless an earlier run goes on."""
        if not self.goes_on:
            # What an earlier run left would be taken for this one's.
            for name in FILES:
                (self.output_dir / name).unlink(missing_ok=True)
            for name in FOLDERS:
                shutil.rmtree(self.output_dir / name, ignore_errors=True)
            self.write_json(SETTINGS, self.settings)
        for name, content in self._beside_model.items():
            self.write_json(name, content)

    def put_beside_model(self, name, content):
        """Has a file written before the first model is, in `fit`.

        Args:
            name: Name of the file, one of `FILES`.
            content: What goes into it, as JSON.
        """
        self._beside_model[name] = content

    def write_json(self, name, content):
        """Writes a file of the output folder, whole or not at all."""
        self.write_text(name, json.dumps(content, indent=2) + "\n")

    def write_text(self, name, text):
        """Writes a file of the output folder, whole or not at all."""
        path = self.output_dir / name
        temporary = path.with_suffix(".tmp")
        temporary.write_text(text, encoding="utf-8")
        os.replace(temporary, path)

    def scope(self):
        """Context in which what is trained is built: model and metrics."""
        return self._devices.scope()

    def fit(self, model, training, validation, loss, measure, metrics=()):
        """Trains a model, from the last finished epoch on.

        Only one process returns, where several train.

        Args:
            model: A built `keras.Model`, made in the `scope` of this run.
            training: Pair of arrays, inputs and targets.
            validation: Another such pair.
            loss: Loss of Keras.
            measure: The `Measure` whose best epoch's model is kept.
            metrics: Metrics of Keras to be logged beside the loss, made in the
                `scope`, too.

        Returns:
            `(model, log)`: the model of the best epoch, and a dict from names
            to one value an epoch.

        Raises:
            click.UsageError: if a batch has too few sequences for the devices.
        """
        preset = self.options.preset
        for inputs, _ in (training, validation):
            self._devices.check_sizes(len(inputs), preset.batch_size)
        with self._devices.scope():
            self._fit(model, training, validation, loss, measure, metrics)
        self._devices.finish()
        model = keras.models.load_model(self.output_dir / MODEL, compile=False)
        return model, _read_log(self.output_dir / LOG)

    def _fit(self, model, training, validation, loss, measure, metrics):
        preset = self.options.preset
        steps_per_epoch = -(-len(training[0]) // preset.batch_size)
        model.compile(
            optimizer=keras.optimizers.AdamW(
                _learning_rate(preset, steps_per_epoch),
                weight_decay=preset.weight_decay,
                epsilon=1e-8,
            ),
            loss=loss,
            metrics=list(metrics),
            jit_compile={"auto": "auto", "on": True, "off": False}[
                self.options.jit_compile
            ],
        )
        self._devices.share(model)
        callbacks = self._devices.callbacks()
        verbose = 0
        if self._devices.is_first:
            self._begin()
            click.echo(
                f"Training {_count(model.trainable_weights):,} parameters on "
                f"{len(training[0]):,} sequences with "
                f"{keras.backend.backend()}, preset "
                f"{self.options.preset_name!r}, devices: {self._devices.number}"
            )
            callbacks = [*self._file_callbacks(measure), *callbacks]
            verbose = 1 if sys.stdout.isatty() else 2
        model.fit(
            *training,
            batch_size=preset.batch_size,
            epochs=preset.epochs,
            validation_data=validation,
            verbose=verbose,
            callbacks=callbacks,
        )

    def _file_callbacks(self, measure):
        best = KeepBest(self.output_dir / MODEL, measure.monitor, measure.mode)
        return [
            # The log and the best model come before the backup: of an epoch
            # that is interrupted between them, all is done again.
            Log(self.output_dir / LOG, best),
            best,
            TensorBoard(self.output_dir / TENSORBOARD),
            keras.callbacks.BackupAndRestore(
                self.output_dir / BACKUP,
                # The earlier one, if this is interrupted.
                double_checkpoint=True,
                # Until the results are written, too.
                delete_checkpoint=False,
            ),
        ]

    def finish(self, model, log, data, results, figures):
        """Writes `metrics.json` and the pictures, and shows them.

        Args:
            model: The model that was tested.
            log: Dict from names to one value an epoch.
            data: String, what the model was trained on.
            results: Dict of what was measured.
            figures: Dict from names of files to figures of matplotlib.
        """
        for name, figure in figures.items():
            save_figure(figure, self.output_dir / name)
        settings = dict(self.settings)
        # Where the data lay says nothing to others.
        if settings.pop("data_dir") is not None:
            settings["preset_settings"].pop("data")
        self.write_json(
            METRICS,
            {
                **results,
                "data": data,
                "parameters": _count(model.trainable_weights),
                # Of a long run, the median does not hold the compilation.
                "seconds_per_epoch": round(
                    statistics.median(log["seconds"]), 2
                ),
                "seconds_of_training": round(sum(log["seconds"]), 1),
                **settings,
                "machine": _machine(),
                "versions": _versions(),
                "date": datetime.date.today().isoformat(),
            },
        )
        shutil.rmtree(self.output_dir / BACKUP, ignore_errors=True)
        for name in (MODEL, LOG, METRICS, *figures):
            click.echo(self.output_dir / name)


def save_figure(figure, path):
    """Writes a PNG of 256 colours, a third of the size of one with all."""
    content = io.BytesIO()
    figure.savefig(content)
    Image.open(content).convert("RGB").quantize(256).save(path, optimize=True)


def _learning_rate(preset, steps_per_epoch):
    """Linear from zero in the warm-up, then a cosine to zero, step by step."""
    warmup_steps = round(preset.warmup_epochs * steps_per_epoch)
    decay_steps = max(preset.epochs * steps_per_epoch - warmup_steps, 1)
    if warmup_steps == 0:
        return keras.optimizers.schedules.CosineDecay(
            preset.learning_rate, decay_steps
        )
    return keras.optimizers.schedules.CosineDecay(
        0.0,
        decay_steps,
        warmup_target=preset.learning_rate,
        warmup_steps=warmup_steps,
    )


def _count(weights):
    return sum(math.prod(weight.shape) for weight in weights)


def _read_rows(path):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file, strict=True))


def _read_log(path):
    rows = _read_rows(path)
    return {name: [float(row[name]) for row in rows] for name in rows[0]}


def _machine():
    backend = keras.backend.backend()
    if backend == "torch":
        import torch

        accelerators = [
            torch.cuda.get_device_name(index)
            for index in range(torch.cuda.device_count())
        ]
    elif backend == "jax":
        import jax

        accelerators = [
            device.device_kind
            for device in jax.devices()
            if device.platform != "cpu"
        ]
    else:
        import tensorflow as tf

        accelerators = [
            tf.config.experimental.get_device_details(device)["device_name"]
            for device in tf.config.list_physical_devices("GPU")
        ]
    cores = f"{os.cpu_count()} CPU cores ({platform.machine()})"
    return ", ".join([cores, *accelerators])


def _versions():
    # Not of the distributions, whose names differ by hardware.
    names = ("keras_multires", "keras", keras.backend.backend(), "numpy")
    versions = {
        name: importlib.import_module(name).__version__ for name in names
    }
    return {**versions, "python": platform.python_version()}
