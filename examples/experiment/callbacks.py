"""Callbacks that keep the files of a training whole, whatever ends it."""

import csv
import io
import math
import os
import time

import keras
from tensorboard.summary import Writer

from experiment.files import write_whole


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


class Log(keras.callbacks.CSVLogger):
    """Keras's log of the epochs, with their seconds, whole after a restart.

    Args:
        path: `pathlib.Path` of the log.
        best: The `KeepBest` that must know the best epoch of the log.
    """

    def __init__(self, path, best):
        super().__init__(path, append=True)
        self.path = path
        self.best = best
        self.is_open = False

    def on_train_begin(self, logs=None):
        # Only the number of the first epoch tells which epochs are backed up.
        pass

    def on_epoch_begin(self, epoch, logs=None):
        if not self.is_open:
            self._drop_epochs_from(epoch)
            super().on_train_begin()
            self.is_open = True
        self.begin = time.monotonic()

    def _drop_epochs_from(self, epoch):
        if not self.path.exists():
            return
        with open(self.path, newline="") as file:
            reader = csv.DictReader(file)
            # A row that was cut short lacks columns.
            rows = [
                row
                for row in reader
                if None not in row.values() and int(row["epoch"]) < epoch
            ]
        content = io.StringIO(newline="")
        if rows:
            writer = csv.DictWriter(content, reader.fieldnames)
            writer.writeheader()
            writer.writerows(rows)
        write_whole(self.path, content.getvalue())
        self.best.know([float(row[self.best.monitor]) for row in rows])

    def on_epoch_end(self, epoch, logs=None):
        seconds = time.monotonic() - self.begin
        super().on_epoch_end(epoch, {**logs, "seconds": seconds})

    def on_train_end(self, logs=None):
        if self.is_open:
            super().on_train_end(logs)


class KeepBest(keras.callbacks.ModelCheckpoint):
    """Keras's checkpoint of the best epoch, which is always a whole file.

    A model waits under another name until its epoch is backed up, which is the
    case when the next one begins. Otherwise, after an interruption, it would be
    the model of an epoch that is trained again and ends differently.

    Args:
        path: `pathlib.Path` of the model.
        monitor: Name of the metric that tells the best epoch.
        mode: `"max"` if high is good, `"min"` if low is.
    """

    def __init__(self, path, monitor, mode):
        self.path = path
        # Keras puts the epoch into the braces.
        folder = str(path.parent).replace("{", "{{").replace("}", "}}")
        super().__init__(
            f"{folder}/{self._prefix}{{epoch}}{path.suffix}",
            monitor=monitor,
            mode=mode,
            save_best_only=True,
        )
        self.mode = mode

    @property
    def _prefix(self):
        return f"{self.path.stem}_of_epoch_"

    def know(self, values):
        """Takes the values of epochs before a restart into account."""
        if values:
            self.best = values[best_of(values, self.mode)]
            self._forget_nan()

    def _forget_nan(self):
        # No value would ever be better than NaN.
        if self.best is not None and math.isnan(self.best):
            self.best = -math.inf if self.mode == "max" else math.inf

    def on_epoch_end(self, epoch, logs=None):
        super().on_epoch_end(epoch, logs)
        self._forget_nan()

    def on_epoch_begin(self, epoch, logs=None):
        super().on_epoch_begin(epoch, logs)
        self._keep_those_up_to(epoch)

    def on_train_end(self, logs=None):
        self._keep_those_up_to(math.inf)

    def _keep_those_up_to(self, num_epochs):
        candidates = {
            int(path.stem.removeprefix(self._prefix)): path
            for path in self.path.parent.glob(f"{self._prefix}*")
        }
        for epoch, path in sorted(candidates.items()):
            if epoch <= num_epochs:
                os.replace(path, self.path)
            else:
                path.unlink()


class TensorBoard(keras.callbacks.Callback):
    """The log of each epoch for TensorBoard.

    Keras's callback of this name needs TensorFlow on every backend.

    Args:
        path: `pathlib.Path` of the folder of logs.
    """

    def __init__(self, path):
        super().__init__()
        self.path = path

    def on_train_begin(self, logs=None):
        self.writer = Writer(str(self.path))

    def on_epoch_end(self, epoch, logs=None):
        for name, value in logs.items():
            self.writer.add_scalar(f"epoch_{name}", value, epoch)
        self.writer.flush()

    def on_train_end(self, logs=None):
        self.writer.close()
