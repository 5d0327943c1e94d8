"""Backups of a run: in each, all that the rest of its training depends on.

Keras's `BackupAndRestore` cannot carry a run. It writes the weights and the
number of the epoch to two files, and a kill between the two mixes two epochs.
It has no checksum and leaves out the states of the seed generators.
"""

import hashlib
import json

import keras
import numpy as np

from experiment.files import whole_file
from experiment.randomness import global_generator
from keras_multires.models import build_optimizer

PREFIX = "epoch_"


def state_of(model):
    """The variables that change in training, in an order that is always same.

    Metrics are left out, for they are reset in each epoch.

    Args:
        model: A built and compiled `keras.Model`.

    Returns:
        List of variables: of the model with its seed generators, of the
        optimizer, and of the seed generator of all that has none.
    """
    build_optimizer(model)
    generator = global_generator()
    return [*model.variables, *model.optimizer.variables, generator.state]


def write_backup(folder, epoch, variables, progress):
    """Writes a backup and deletes all except this and the one before.

    Args:
        folder: `pathlib.Path` of the folder of backups.
        epoch: Integer, how many epochs are finished.
        variables: List of variables, as `state_of` gives it.
        progress: Dict of what else belongs to it, which JSON can hold.
    """
    values = list(map(keras.ops.convert_to_numpy, variables))
    header = {"progress": progress, "variables": list(map(_describe, values))}
    checksum = hashlib.sha256()
    with whole_file(folder / f"{PREFIX}{epoch}") as file:
        parts = (value.tobytes() for value in values)
        for part in (json.dumps(header).encode(), b"\n", *parts):
            checksum.update(part)
            file.write(part)
        file.write(checksum.digest())
    earlier = [each for each in list_backups(folder) if each[0] < epoch]
    for _, path in earlier[1:]:
        path.unlink()


def list_backups(folder):
    """The backups of a folder, latest first: `(epoch, path)` of each."""
    epochs = [
        path.name.removeprefix(PREFIX) for path in folder.glob(f"{PREFIX}*")
    ]
    return [
        (epoch, folder / f"{PREFIX}{epoch}")
        for epoch in sorted(map(int, filter(str.isdecimal, epochs)))[::-1]
    ]


class Backup:
    """A backup that was read.

    Args:
        path: `pathlib.Path` of the file.

    Attributes:
        progress: The dict that `write_backup` got.

    Raises:
        ValueError: if the file is damaged.
    """

    def __init__(self, path):
        content = path.read_bytes()
        end = len(content) - hashlib.sha256().digest_size
        body = memoryview(content)[:end]
        if hashlib.sha256(body).digest() != content[end:]:
            raise ValueError("its checksum is wrong")
        begin = content.index(b"\n")
        header = json.loads(content[:begin])
        self._values = body[begin + 1 :]
        self.progress = header["progress"]
        self._descriptions = header["variables"]

    def restore(self, variables):
        """Assigns the values of the backup.

        Args:
            variables: List of variables, as `state_of` gives it.

        Raises:
            ValueError: if they are not those of the backup.
        """
        values = list(map(keras.ops.convert_to_numpy, variables))
        if self._descriptions != list(map(_describe, values)):
            raise ValueError("the backup is of another model")
        begin = 0
        for variable, value in zip(variables, values, strict=True):
            end = begin + value.nbytes
            saved = np.frombuffer(self._values[begin:end], value.dtype)
            variable.assign(saved.reshape(value.shape))
            begin = end


def _describe(value):
    return [value.dtype.name, list(value.shape)]
