"""Several devices of PyTorch: a process of `torch.distributed` for each."""

import os
import sys

import click
import keras
import torch
from torch import distributed

from experiment.backup import state_of
from experiment.devices.base import Devices
from experiment.devices.base import MeanStatistics
from experiment.devices.base import assign
from experiment.devices.base import check_number
from experiment.devices.base import is_launched


def accelerators():
    """Names of the accelerators of this machine."""
    return [
        torch.cuda.get_device_name(index)
        for index in range(torch.cuda.device_count())
    ]


class SeveralDevices(Devices):
    """Processes of `torch.distributed`, one for each device.

    They are started by `torchrun`, or by the script itself on one machine. Each
    reads the whole batch and computes its share. Batch normalisation takes the
    statistics of the shares, which are averaged at the end of an epoch.
    """

    def __init__(self, number):
        super().__init__(number)
        self.is_launched = is_launched()
        started = int(os.environ["WORLD_SIZE"]) if self.is_launched else number
        if started != number:
            raise click.UsageError(
                f"--devices: there are {started} processes. Give --devices "
                f"{started}. Received: {number}"
            )
        if not distributed.is_available():
            raise click.UsageError(
                "--devices: this PyTorch was built without torch.distributed."
            )
        self.rank = int(os.environ["RANK"]) if self.is_launched else 0
        self.is_first = self.rank == 0
        self.num_gpus = torch.cuda.device_count()
        if self.is_launched:
            # Those of this machine. A launcher that does not say how many
            # these are has counted them itself.
            number = int(os.environ.get("LOCAL_WORLD_SIZE", 1))
        check_number(number, self.num_gpus)

    def start(self, release):
        if not self.is_launched:
            release()
            # It takes the place of this process and runs the same command.
            torchrun = [
                *(sys.executable, "-m", "torch.distributed.run"),
                *("--standalone", f"--nproc-per-node={self.number}"),
            ]
            os.execv(sys.executable, [*torchrun, *sys.argv])
        if self.num_gpus:
            torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", self.rank)))
        distributed.init_process_group("nccl" if self.num_gpus else "gloo")

    def share(self, model):
        train_step, test_step = model.train_step, model.test_step
        apply, result = model.optimizer.apply, model.get_metrics_result
        weight = None

        def own_share(data):
            nonlocal weight
            size = len(keras.tree.flatten(data)[0])
            begin = self.rank * size // self.number
            end = (self.rank + 1) * size // self.number
            weight = (end - begin) / size
            return keras.tree.map_structure(
                lambda array: array[begin:end], data
            )

        def apply_sum(gradients, variables):
            # The mean over the batch, from the means over the shares.
            apply(_sum([weight * each for each in gradients]), variables)

        def result_of_all():
            variables = model.metrics_variables
            own = [variable.value.clone() for variable in variables]
            assign(variables, _sum(own))
            values = result()
            assign(variables, own)
            return values

        model.train_step = lambda data: train_step(own_share(data))
        model.test_step = lambda data: test_step(own_share(data))
        model.optimizer.apply = apply_sum
        model.get_metrics_result = result_of_all

    def callbacks(self):
        return [_SameWeights(self.rank), MeanStatistics(self._mean)]

    def _mean(self, tensors):
        return [value / self.number for value in _sum(tensors)]

    def finish(self):
        distributed.destroy_process_group()
        if not self.is_first:
            sys.exit()


class _SameWeights(keras.callbacks.Callback):
    """Gives all processes the weights of the first one.

    Args:
        rank: Integer, number of this process.
    """

    def __init__(self, rank):
        super().__init__()
        self.rank = rank

    def on_train_begin(self, logs=None):
        # The first may just have read them from a backup.
        model = self.model
        for variable in state_of(model):
            value = variable.value.detach().clone()
            distributed.broadcast(value, src=0)
            variable.assign(value)
        # Keras's callback sets it in this way, since no public one exists.
        epoch = [model._initial_epoch]
        distributed.broadcast_object_list(epoch, src=0)
        (model._initial_epoch,) = epoch
        for variable in model.variables:
            if variable.name == "seed_generator_state":
                # Other dropout masks for another share. Keras adds seed and
                # counter, so the seeds must lie far apart.
                seed, counter = map(int, variable.value)
                variable.assign([seed + 1_000_003 * self.rank, counter])


def _sum(tensors):
    """The sums of tensors over all processes, in one message."""
    if not tensors:
        return []
    message = torch.cat([tensor.detach().flatten() for tensor in tensors])
    distributed.all_reduce(message)
    parts = message.split([tensor.numel() for tensor in tensors])
    return [
        part.reshape(tensor.shape)
        for part, tensor in zip(parts, tensors, strict=True)
    ]
