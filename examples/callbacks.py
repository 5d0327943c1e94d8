"""Callbacks that keep the files of a training whole, whatever ends it."""

import csv
import os
import time

import keras
from tensorboard.summary import Writer


class Log(keras.callbacks.CSVLogger):
    """Keras's log of the epochs, with their seconds, whole after a restart.

    Args:
        path: `pathlib.Path` of the log.
        best: The `KeepBest` that is to know the best epoch of the log.
    """

    def __init__(self, path, best):
        super().__init__(path, append=True)
        self.path = path
        self.best = best
        self.is_open = False

    def on_train_begin(self, logs=None):
        # Only the first epoch's number tells which epochs are in the backup.
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
        temporary = self.path.with_suffix(".tmp")
        with open(temporary, "w", newline="") as file:
            if rows:
                writer = csv.DictWriter(file, reader.fieldnames)
                writer.writeheader()
                writer.writerows(rows)
        os.replace(temporary, self.path)
        self.best.know([float(row[self.best.monitor]) for row in rows])

    def on_epoch_end(self, epoch, logs=None):
        seconds = time.monotonic() - self.begin
        super().on_epoch_end(epoch, {**logs, "seconds": seconds})

    def on_train_end(self, logs=None):
        if self.is_open:
            super().on_train_end(logs)


class KeepBest(keras.callbacks.ModelCheckpoint):
    """Keras's checkpoint of the best epoch, whole whenever it is there.

    Args:
        path: `pathlib.Path` of the model.
        monitor: Name of what is to be high.
    """

    def __init__(self, path, monitor):
        self.path = path
        self.partial_path = path.with_name(f"partial_{path.name}")
        super().__init__(
            str(self.partial_path),
            monitor=monitor,
            mode="max",
            save_best_only=True,
        )

    def know(self, values):
        """Takes the values of epochs before a restart into account."""
        self.best = max(values, default=None)

    def on_epoch_end(self, epoch, logs=None):
        super().on_epoch_end(epoch, logs)
        if self.partial_path.exists():
            os.replace(self.partial_path, self.path)


class TensorBoard(keras.callbacks.Callback):
    """The log of each epoch for TensorBoard.

    Keras has a callback of this name, which needs TensorFlow on any backend.

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
