"""A training in its output folder, which can be interrupted and resumed.

Whatever ends a run, the same command continues it after the last epoch that it
finished.
"""

import datetime
import hashlib
import io
import json
import math
import shutil
import statistics
import sys
import tempfile
from pathlib import Path

import click
import keras
import numpy as np
from filelock import FileLock
from filelock import Timeout
from PIL import Image

from experiment.backup import PREFIX
from experiment.backup import Backup
from experiment.backup import list_backups
from experiment.backup import state_of
from experiment.batches import Batches
from experiment.callbacks import BackUp
from experiment.callbacks import KeepBest
from experiment.callbacks import Log
from experiment.callbacks import TensorBoard
from experiment.callbacks import best_of
from experiment.callbacks import checksum_of
from experiment.devices import accelerators
from experiment.devices import find_devices
from experiment.files import write_json
from experiment.files import write_whole
from experiment.files import writing
from experiment.machine import describe_machine
from experiment.machine import list_versions
from experiment.randomness import seed_epoch
from keras_multires.models import check_data

LOCK = ".lock"
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
REMEDY = (
    "Choose another --output-dir, or --no-resume to start over and lose it."
)


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
            written to, or another process is training in it; if
            `options.resume` is true and the folder holds a run that is
            finished, has other settings or has lost its backups; or if it holds
            files that a run would overwrite although they come from no run.
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
        self._lock = FileLock(self.output_dir / LOCK, is_singleton=True)
        self._backup = None
        if self._devices.is_first:
            self._check_folder()
        self._devices.start(self._lock.release)
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
        try:
            # The system releases it when the process ends, in whatever way.
            self._lock.acquire(timeout=0)
        except Timeout as error:
            raise click.UsageError(
                f"Another process is training in {str(self.output_dir)!r}. "
                "Wait until it ends, or choose another --output-dir."
            ) from error
        earlier = self._read_settings()
        if self.options.resume and earlier is not None:
            self._check_settings(earlier)
            self._backup = self._find_backup()

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
        changed = [
            f"{name} was {earlier.get(name)!r} and is {value!r}"
            for name, value in self.settings.items()
            if earlier.get(name) != value
        ]
        if changed:
            raise click.UsageError(
                f"{str(self.output_dir)!r} holds a run with other settings: "
                f"{'; '.join(changed)}. {REMEDY}"
            )
        if (self.output_dir / METRICS).exists():
            raise click.UsageError(
                f"{str(self.output_dir)!r} holds this run, finished. {REMEDY}"
            )

    def _find_backup(self):
        """The latest backup that is whole; None if no training has begun."""
        folder, problems = self.output_dir / BACKUP, []
        for epoch, path in list_backups(folder):
            try:
                backup = Backup(path)
                self._check_best_model(epoch, backup.progress["best_model"])
            except (OSError, ValueError) as error:
                problems.append(f"{str(path)!r}: {error}")
            else:
                for problem in problems:
                    click.echo(f"Not used: {problem}", err=True)
                return backup
        if not problems:
            names = [
                name for name in FILES if (self.output_dir / name).exists()
            ]
            if not names:
                return None
            problems = [f"{str(folder)!r} has none, but there is {names[0]!r}"]
        raise click.UsageError(
            "There is no backup from which the run in "
            f"{str(self.output_dir)!r} can continue ({'; '.join(problems)}). "
            f"{REMEDY}"
        )

    def _check_best_model(self, epoch, checksum):
        waiting = self.output_dir / BACKUP
        paths = [self.model_path, *waiting.glob(f"*{self.model_path.suffix}")]
        if checksum is not None and checksum not in map(
            checksum_of, filter(Path.exists, paths)
        ):
            raise ValueError(
                f"the best model of its {epoch} epochs is damaged or missing"
            )

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

    def batches(self, part):
        """A training set for `model.fit`, shuffled anew in each epoch.

        Args:
            part: `(inputs, targets)`.

        Returns:
            A `keras.utils.PyDataset`. Keras must not shuffle it, too.
        """
        batch_size = self.options.preset.batch_size
        self._batches = Batches(*part, batch_size, self.options.seed)
        return self._batches

    def start(self, model, parts, monitor, mode, files=None):
        """Prepares the folder and the devices for `model.fit`.

        If the run was interrupted, it also restores the state of the model, its
        optimizer and the seed generators of Keras. `model.fit` then ends with
        the same weights and log as without the interruption.

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
            click.UsageError: if a part is empty, a batch has too few sequences
                for the devices, or the interrupted run was of another model or
                other data.
            click.ClickException: if a file cannot be written.
            ValueError: if the model refuses the values of the training set.
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
        check_data(model, *parts[0])
        self._devices.share(model)
        begin = keras.callbacks.LambdaCallback(on_epoch_begin=self._begin_epoch)
        if not self._devices.is_first:
            return [begin, *self._devices.callbacks()]
        progress = {"log": [], "best_model": None, "data": _checksum(parts)}
        is_resumed = self._backup is not None
        if is_resumed:
            progress = self._restore(model, progress["data"])
        self._rows = rows = progress["log"]
        best = KeepBest(
            self.model_path,
            self.output_dir / BACKUP,
            monitor,
            mode,
            [row[monitor] for row in rows],
            progress["best_model"],
        )
        back_up = BackUp(
            self.output_dir / BACKUP,
            lambda: {**progress, "best_model": best.checksum},
            len(rows),
        )
        if not is_resumed:
            self._clear_folder()
            # Before all other files: if these are there and no backup is, it
            # was lost.
            back_up.write(model, 0)
        for name, content in (files or {}).items():
            write_json(self.output_dir / name, content)
        click.echo(
            f"Training {_count(model.trainable_weights):,} parameters on "
            f"{self._sizes['train']:,} sequences with "
            f"{keras.backend.backend()}, preset "
            f"{self.options.preset_name!r}, devices: {self._devices.number}"
        )
        return [
            begin,
            # The log and the best model come before the backup: an epoch that
            # is interrupted between them is trained again as a whole.
            Log(self.output_dir / LOG, rows),
            best,
            TensorBoard(self.output_dir / TENSORBOARD, rows),
            back_up,
            *self._devices.callbacks(),
        ]

    def _begin_epoch(self, epoch, logs=None):
        self._batches.shuffle(epoch)
        seed_epoch(self.options.seed, epoch, self._devices.rank)

    def _restore(self, model, data):
        """Assigns the state of the backup and returns its progress."""
        backup, self._backup = self._backup, None
        try:
            if backup.progress["data"] != data:
                raise ValueError("the data are not those of its backup")
            backup.restore(state_of(model))
        except ValueError as error:
            raise click.UsageError(
                f"The run in {str(self.output_dir)!r} cannot continue: "
                f"{error}. {REMEDY}"
            ) from error
        # Unfinished backups, which would otherwise become more with each kill.
        # `save_model` removes what is left of models.
        for path in (self.output_dir / BACKUP).glob(f"{PREFIX}*.tmp"):
            path.unlink()
        return backup.progress

    def _clear_folder(self):
        # What an earlier run left would be mistaken for results of this one.
        with writing(self.output_dir):
            for name in FILES:
                (self.output_dir / name).unlink(missing_ok=True)
            for folder in map(self.output_dir.joinpath, FOLDERS):
                if folder.exists():
                    shutil.rmtree(folder)
            write_json(self.output_dir / SETTINGS, self.settings)
            (self.output_dir / BACKUP).mkdir()

    def end_training(self):
        """Ends all processes except one, and gives the log.

        What is random from here on does not depend on where the run began.

        Returns:
            Dict from names to one value per epoch.
        """
        self._devices.finish()
        keras.utils.set_random_seed(self.options.seed)
        self._log = {
            name: [row[name] for row in self._rows] for name in self._rows[0]
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


def _checksum(parts):
    """SHA-256 of the arrays of a data set, in hexadecimal digits."""
    checksum = hashlib.sha256()
    for array in map(np.ascontiguousarray, keras.tree.flatten(parts)):
        checksum.update(f"{array.dtype} {array.shape}".encode())
        checksum.update(array)
    return checksum.hexdigest()


def _count(weights):
    return sum(math.prod(weight.shape) for weight in weights)
