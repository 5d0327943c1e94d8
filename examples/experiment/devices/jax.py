"""Several devices of JAX, for which its compiler splits the computation."""

import contextlib
import os

import click
import jax
import keras

from experiment.devices.base import Devices
from experiment.devices.base import check_number


def accelerators():
    """Names of the accelerators of this machine."""
    return [
        device.device_kind
        for device in jax.devices()
        if device.platform != "cpu"
    ]


class SeveralDevices(Devices):
    """Devices of JAX.

    The loss, batch normalisation and dropout are those of the whole batch, as
    on one device.
    """

    def __init__(self, number):
        super().__init__(number)
        if "device_count" not in os.environ.get("XLA_FLAGS", ""):
            # Has no effect on accelerators. Fails if JAX has already started.
            with contextlib.suppress(RuntimeError):
                jax.config.update(
                    "jax_num_cpu_devices", min(number, os.cpu_count())
                )
        names = keras.distribution.list_devices()
        is_cpu = names[0].startswith("cpu")
        check_number(number, 0 if is_cpu else len(names))
        if number > len(names):
            raise click.UsageError(
                f"--devices: JAX has started with {len(names)} of {number}. "
                "Set the environment variable XLA_FLAGS="
                f"--xla_force_host_platform_device_count={number}."
            )
        self.distribution = _WholeBatches(devices=names[:number])

    def scope(self):
        return self.distribution.scope()

    def share(self, model):
        train_step, test_step = model.train_step, model.test_step

        def split(data):
            return keras.tree.map_structure(self.distribution.split, data)

        model.train_step = lambda state, data: train_step(state, split(data))
        model.test_step = lambda state, data: test_step(state, split(data))


class _WholeBatches(keras.distribution.DataParallel):
    """Gives each device the whole batch, to be split when it is computed.

    Keras splits all batches of an epoch in the same way as the first one. That
    fails at a last batch that the number of devices does not divide.
    """

    def get_data_layout(self, data_shape):
        return keras.distribution.TensorLayout(
            [None] * len(data_shape), self.device_mesh
        )

    def split(self, array):
        """Splits a batch; each device computes one that cannot be split."""
        if array.shape[0] % self.device_mesh.shape[0]:
            return array
        return keras.distribution.distribute_tensor(
            array, super().get_data_layout(array.shape)
        )
