"""Callbacks that keep the files of a training whole, whatever ends it."""

import hashlib
import math
import os
import shutil
import time

import keras
from tensorboard.summary import Writer

from experiment.backup import state_of
from experiment.backup import write_backup
from experiment.files import write_rows
from experiment.files import writing


def best_of(values, mode):
    """Index of the best value of a metric, the first of several.

    Args:
        values: List of floats, which may be NaN.
        mode: `"max"` if high is good, `"min"` if low is.
    """
    sign = {"max": -1, "min": 1}[mode]
    # Any number is better than NaN.
    return min(
        range(len(values)),
        key=lambda index: (math.isnan(values[index]), sign * values[index]),
    )


class Log(keras.callbacks.Callback):
    """A CSV file of the metrics and the seconds of each epoch.

    Keras's callback of this name appends to a file, which may be cut short or
    tell of epochs that are trained again.

    Args:
        path: `pathlib.Path` of the file.
        rows: List of dicts, one for each epoch that is already finished. The
            callback extends it.
    """

    def __init__(self, path, rows):
        super().__init__()
        self.path = path
        self.rows = rows

    def on_train_begin(self, logs=None):
        write_rows(self.path, self.rows)

    def on_epoch_begin(self, epoch, logs=None):
        self.begin = time.monotonic()

    def on_epoch_end(self, epoch, logs=None):
        logs = {**logs, "seconds": time.monotonic() - self.begin}
        values = {name: float(logs[name]) for name in sorted(logs)}
        self.rows.append({"epoch": epoch, **values})
        write_rows(self.path, self.rows)


class KeepBest(keras.callbacks.ModelCheckpoint):
    """Keras's checkpoint of the best epoch, which is always a whole file.

    Until its epoch is no longer the latest one with a backup, a model waits in
    another folder. If the run had to go back to the backup before, it would be
    the model of an epoch that is trained again and may end differently.

    Args:
        path: `pathlib.Path` of the model.
        waiting: `pathlib.Path` of the folder in which models wait.
        monitor: Name of the metric that tells the best epoch.
        mode: `"max"` if high is good, `"min"` if low is.
        values: List of the metric in the epochs that are already finished.
        checksum: Checksum of the best model of these epochs.

    Attributes:
        checksum: String, SHA-256 of the file of the best model so far; None if
            there is none.
    """

    def __init__(self, path, waiting, monitor, mode, values=(), checksum=None):
        self.path, self.waiting = path, waiting
        # Keras puts the epoch into the braces.
        folder = str(waiting).replace("{", "{{").replace("}", "}}")
        super().__init__(
            f"{folder}/{self._prefix}{{epoch}}{path.suffix}",
            monitor=monitor,
            mode=mode,
            save_best_only=True,
        )
        self.mode = mode
        self.checksum = checksum
        if values:
            self.best = values[best_of(values, mode)]
            self._forget_nan()

    @property
    def _prefix(self):
        return f"{self.path.stem}_of_epoch_"

    def _forget_nan(self):
        # No value would ever be better than NaN.
        if self.best is not None and math.isnan(self.best):
            self.best = -math.inf if self.mode == "max" else math.inf

    def on_epoch_begin(self, epoch, logs=None):
        super().on_epoch_begin(epoch, logs)
        with writing(self.path):
            for number, path in self._list_waiting():
                if number > epoch:  # of an epoch that is trained again
                    path.unlink()
                elif number < epoch:
                    os.replace(path, self.path)

    def on_epoch_end(self, epoch, logs=None):
        with writing(self.path):
            super().on_epoch_end(epoch, logs)
        self._forget_nan()
        for number, path in self._list_waiting():
            if number == epoch + 1:
                self.checksum = checksum_of(path)

    def on_train_end(self, logs=None):
        for _, path in self._list_waiting():
            os.replace(path, self.path)

    def _list_waiting(self):
        paths = self.waiting.glob(f"{self._prefix}*{self.path.suffix}")
        numbers = {
            int(path.stem.removeprefix(self._prefix)): path for path in paths
        }
        return sorted(numbers.items())


def checksum_of(path):
    """SHA-256 of a file, in hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class TensorBoard(keras.callbacks.Callback):
    """The log of each epoch for TensorBoard.

    Keras's callback of this name needs TensorFlow on every backend.

    Args:
        path: `pathlib.Path` of the folder of logs.
        rows: List of dicts, one for each epoch that is already finished.
    """

    def __init__(self, path, rows):
        super().__init__()
        self.path = path
        self.rows = list(rows)

    def on_train_begin(self, logs=None):
        with writing(self.path):
            # It may tell of epochs that are trained again.
            shutil.rmtree(self.path, ignore_errors=True)
            self.writer = Writer(str(self.path))
            for row in self.rows:
                logs = dict(row)
                epoch = logs.pop("epoch")
                del logs["seconds"]
                self.on_epoch_end(epoch, logs)

    def on_epoch_end(self, epoch, logs=None):
        with writing(self.path):
            for name, value in logs.items():
                self.writer.add_scalar(f"epoch_{name}", value, epoch)
            self.writer.flush()

    def on_train_end(self, logs=None):
        self.writer.close()


class BackUp(keras.callbacks.Callback):
    """Backs up the run after each epoch.

    It comes after all callbacks whose files it mentions: an epoch that is
    interrupted between them is trained again as a whole.

    Args:
        folder: `pathlib.Path` of the folder of backups.
        progress: Function that gives what else belongs to a backup.
        epoch: Integer, how many epochs are already finished.
    """

    def __init__(self, folder, progress, epoch):
        super().__init__()
        self.folder = folder
        self.progress = progress
        self.epoch = epoch

    def on_train_begin(self, logs=None):
        # Keras's callback sets it in this way, since no public one exists.
        self.model._initial_epoch = self.epoch

    def on_epoch_end(self, epoch, logs=None):
        self.write(self.model, epoch + 1)

    def write(self, model, epoch):
        state = state_of(model)
        write_backup(self.folder, epoch, state, self.progress())
