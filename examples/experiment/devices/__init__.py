"""Trains a model on several devices, each with its share of every batch.

Keras trains it as on one device, with the same batches in the same order. Only
a step differs: each device computes its share of the batch with the same
weights, and the gradients and metrics of all shares are combined. Who does that
depends on the backend: JAX's compiler, TensorFlow's `MirroredStrategy`, or
`torch.distributed`, with a process for each device.

Each backend's module offers

- `SeveralDevices(number)`, a `Devices`;
- `accelerators()`, the names of the accelerators of this machine.
"""

import importlib

import keras

from experiment.devices.base import Devices
from experiment.devices.base import is_launched

_backend = importlib.import_module(
    f"experiment.devices.{keras.backend.backend()}"
)
accelerators = _backend.accelerators


def find_devices(number):
    """The devices of this machine to train on.

    Args:
        number: Integer, how many devices.

    Returns:
        A `Devices`.

    Raises:
        click.UsageError: if there are fewer.
    """
    if number == 1 and not is_launched():
        return Devices(1)
    return _backend.SeveralDevices(number)
