"""A training in its output folder, which can be interrupted and resumed.

Whatever ends a run, the same command continues it after the last epoch that it
finished.
"""

import csv
import datetime
import io
import json
import math
import shutil
import statistics
import sys
import tempfile

import click
import keras
from PIL import Image

from experiment.callbacks import KeepBest
from experiment.callbacks import Log
from experiment.callbacks import TensorBoard
from experiment.callbacks import best_of
from experiment.devices import accelerators
from experiment.devices import find_devices
from experiment.files import read_rows
from experiment.files import write_json
from experiment.files import write_whole
from experiment.machine import describe_machine
from experiment.machine import list_versions

SETTINGS = "settings.json"
METRICS = "metrics.json"
MODEL = "model.keras"
LOG = "log.csv"
BACKUP = "backup"
TENSORBOARD = "tensorboard"
# These, and what some of the lessons write beside them.
FILES = (
    *(METRICS, MODEL, LOG, "labels.json"),
    *("overview.png", "scalogram.png", "samples.png", "samples.txt"),
)
FOLDERS = (BACKUP, TENSORBOARD)


class Run:
    """A training in its output folder.

    Its constructor sets the dtype policy and the seed.

    Args:
        experiment: Name of the experiment.
        options: Namespace of the command line, as `training_options` gives it.

    Attributes:
        model_path: `pathlib.Path` of the model of the best epoch so far.

    Raises:
        click.UsageError: if there are too few devices; if the folder cannot be
            written to; if `options.resume` is true and the folder holds a run
            that is finished or has other settings; or if it holds files that a
            run would overwrite although they come from no run.
    """

    def __init__(self, experiment, options):
        self.options = options
        self.output_dir = options.output_dir
        self.model_path = self.output_dir / MODEL
        data_dir = getattr(options, "data_dir", None)
        self.settings = {
            "experiment": experiment,
            "preset": options.preset_name,
            "preset_settings": dict(vars(options.preset)),
            "seed": options.seed,
            "backend": keras.backend.backend(),
            "dtype_policy": options.dtype_policy,
            "jit_compile": options.jit_compile,
            "data_dir": data_dir and str(data_dir.resolve()),
            "devices": options.devices,
        }
        self._devices = find_devices(options.devices)
        if self._devices.is_first:
            self._check_folder()
        self._devices.start()
        keras.config.set_dtype_policy(options.dtype_policy)
        keras.utils.set_random_seed(options.seed)

    def _check_folder(self):
        """Makes the folder and finds out whether a run in it is resumed."""
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
        self._is_resumed = self.options.resume and earlier is not None
        if self._is_resumed:
            self._check_settings(earlier)
            self._check_progress()

    def _read_settings(self):
        """The settings of the run that is in the folder; None without one."""
        path = self.output_dir / SETTINGS
        try:
            earlier = json.loads(path.read_text())
        except FileNotFoundError:
            for name in (*FILES, *FOLDERS):
                # A run would delete it, and nobody knows whose it is.
                if (self.output_dir / name).exists():
                    raise click.UsageError(
                        f"{str(self.output_dir)!r} holds {name!r}, but no "
                        "settings of a run. Choose another --output-dir."
                    ) from None
            return None
        except (OSError, ValueError, RecursionError):
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
        """Raises an error if what the run needs to continue is damaged."""
        log, backup = self.output_dir / LOG, self.output_dir / BACKUP
        path = backup / "training_metadata.json"
        if not path.exists():
            return  # no epoch is finished
        try:
            num_epochs = json.loads(path.read_text())["epoch"]
            path = log
            logged = {int(row["epoch"]) for row in read_rows(log)}
            if not logged.issuperset(range(num_epochs)):
                raise ValueError("epochs are missing")
        except (OSError, ValueError, TypeError, KeyError, csv.Error) as error:
            raise click.UsageError(
                f"{str(path)!r} is damaged or missing, so the run in "
                f"{str(self.output_dir)!r} cannot continue ({error}). Choose "
                "another --output-dir, or --no-resume to start over and lose "
                "it."
            ) from error

    def scope(self):
        """Context in which the model is built, compiled and trained."""
        return self._devices.scope()

    @property
    def verbose(self):
        """What `model.fit` shows: a progress bar, or a line for each epoch.

        Only one of several processes shows anything.
        """
        if not self._devices.is_first:
            return 0
        return 1 if sys.stdout.isatty() else 2

    def start(self, model, parts, monitor, mode, files=None):
        """Prepares the folder and the devices for `model.fit`.

        Args:
            model: A compiled `keras.Model`, made in the `scope` of this run.
            parts: Training, validation and test set, `(inputs, targets)` each.
            monitor: Name of the column of the log that tells the best epoch.
            mode: `"max"` if high is good, `"min"` if low is.
            files: Optional dict from names of files, which are among `FILES`,
                to what they hold as JSON beside the model.

        Returns:
            List of callbacks for `model.fit`.

        Raises:
            click.UsageError: if a part is empty or a batch has too few
                sequences for the devices.
        """
        self._monitor, self._mode = monitor, mode
        self._sizes = {
            name: len(inputs)
            for name, (inputs, _) in zip(
                ("train", "validation", "test"), parts, strict=True
            )
        }
        for name, size in self._sizes.items():
            if not size:
                raise click.UsageError(f"The {name} set is empty.")
        batch_size = self.options.preset.batch_size
        for name in ("train", "validation"):
            self._devices.check_sizes(self._sizes[name], batch_size)
        self._devices.share(model)
        if not self._devices.is_first:
            return self._devices.callbacks()
        if not self._is_resumed:
            self._clear_folder()
        for name, content in (files or {}).items():
            write_json(self.output_dir / name, content)
        click.echo(
            f"Training {_count(model.trainable_weights):,} parameters on "
            f"{self._sizes['train']:,} sequences with "
            f"{keras.backend.backend()}, preset "
            f"{self.options.preset_name!r}, devices: {self._devices.number}"
        )
        best = KeepBest(self.model_path, monitor, mode)
        return [
            # The log and the best model come before the backup: an epoch that
            # is interrupted between them is trained again as a whole.
            Log(self.output_dir / LOG, best),
            best,
            TensorBoard(self.output_dir / TENSORBOARD),
            keras.callbacks.BackupAndRestore(
                self.output_dir / BACKUP,
                # Keeps the earlier one if this one is interrupted.
                double_checkpoint=True,
                # `finish` deletes it, when the results are written, too.
                delete_checkpoint=False,
            ),
            *self._devices.callbacks(),
        ]

    def _clear_folder(self):
        # What an earlier run left would be mistaken for results of this one.
        for name in FILES:
            (self.output_dir / name).unlink(missing_ok=True)
        for name in FOLDERS:
            shutil.rmtree(self.output_dir / name, ignore_errors=True)
        write_json(self.output_dir / SETTINGS, self.settings)

    def end_training(self):
        """Ends all processes except one, and reads the log.

        Returns:
            Dict from names to one value per epoch.
        """
        self._devices.finish()
        rows = read_rows(self.output_dir / LOG)
        self._log = {
            name: [float(row[name]) for row in rows] for name in rows[0]
        }
        return self._log

    def write_text(self, name, text):
        """Writes a file of the output folder, whole or not at all."""
        write_whole(self.output_dir / name, text)

    def finish(self, model, data, results, figures):
        """Writes the pictures and `metrics.json`, and shows the results.

        Args:
            model: The model that was tested.
            data: String, what the model was trained on.
            results: Dict of what was measured.
            figures: Dict from names of files to figures of matplotlib.
        """
        results = {
            name: round(value, 4) if isinstance(value, float) else value
            for name, value in results.items()
        }
        for name, value in results.items():
            if not isinstance(value, dict):
                click.echo(f"{name}: {value}")
        for name, figure in figures.items():
            save_figure(figure, self.output_dir / name)
        settings = dict(self.settings)
        # Where the data lay means nothing to others.
        if settings.pop("data_dir") is not None:
            settings["preset_settings"].pop("data", None)
        best_epoch = best_of(self._log[self._monitor], self._mode) + 1
        metrics = {
            **results,
            "best_epoch": best_epoch,
            **{f"num_{name}": size for name, size in self._sizes.items()},
            "data": data,
            "parameters": _count(model.trainable_weights),
            # In a long run, the median does not include the compilation.
            "seconds_per_epoch": round(
                statistics.median(self._log["seconds"]), 2
            ),
            "seconds_of_training": round(sum(self._log["seconds"]), 1),
            **settings,
            "machine": describe_machine(accelerators()),
            "versions": list_versions(),
            "date": datetime.date.today().isoformat(),
        }
        write_json(self.output_dir / METRICS, metrics)
        shutil.rmtree(self.output_dir / BACKUP, ignore_errors=True)
        for name in (MODEL, LOG, METRICS, *figures):
            click.echo(self.output_dir / name)


def save_figure(figure, path):
    """Writes a PNG of 256 colours, a third of the size of one with all."""
    content, reduced = io.BytesIO(), io.BytesIO()
    figure.savefig(content)
    picture = Image.open(content).convert("RGB").quantize(256)
    picture.save(reduced, "png", optimize=True)
    write_whole(path, reduced.getvalue())


def _count(weights):
    return sum(math.prod(weight.shape) for weight in weights)
