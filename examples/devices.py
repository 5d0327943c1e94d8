"""Trains a model on several devices, each with its share of every batch.

Keras trains it as on one device, with the same batches in the same order. What
differs is a step: each device computes its share of the batch with the same
weights, and the gradients and metrics of all shares are put together. Who does
that depends on the backend: JAX's compiler, TensorFlow's `MirroredStrategy`, or
`torch.distributed`, with a process for each device.
"""

import contextlib
import os
import sys

import click
import keras


def find_devices(number):
    """The devices of this machine to train on.

    Args:
        number: Integer, how many devices.

    Returns:
        A `Devices`.

    Raises:
        click.UsageError: if there are fewer.
    """
    backend = keras.backend.backend()
    if number == 1 and not (backend == "torch" and _is_launched()):
        return Devices(1)
    several = {
        "jax": JaxDevices,
        "tensorflow": TensorFlowDevices,
        "torch": TorchProcesses,
    }
    return several[backend](number)


class Devices:
    """One device, and what several have in common.

    Args:
        number: Integer, how many devices.

    Attributes:
        is_first: Boolean, whether this process is the one that writes files
            and tests the model. There are others in PyTorch alone.
    """

    is_first = True

    def __init__(self, number):
        self.number = number

    def start(self):
        """Starts what there is to start, before the model is built."""

    def scope(self):
        """Context in which the model is built, compiled and trained."""
        return contextlib.nullcontext()

    def check_sizes(self, num_sequences, batch_size):
        """Raises a click.UsageError if a batch is too small to be shared."""
        smallest = min(num_sequences % batch_size or batch_size, num_sequences)
        if smallest < self.number:
            raise click.UsageError(
                f"--devices: of {num_sequences:,} sequences in batches of "
                f"{batch_size}, the last batch has {smallest}, too few for "
                f"{self.number} devices. Choose another --batch-size."
            )

    def share(self, model):
        """Lets `model.fit` compute on all devices.

        Args:
            model: A compiled model.
        """

    def callbacks(self):
        """Callbacks of Keras that come after all others."""
        return []

    def finish(self):
        """Ends the processes that are not the first."""


class JaxDevices(Devices):
    """Devices of JAX, for which its compiler splits the computation.

    The loss, batch normalisation and dropout are those of the whole batch, as
    on one device.
    """

    def __init__(self, number):
        super().__init__(number)
        import jax

        if "device_count" not in os.environ.get("XLA_FLAGS", ""):
            # Unless JAX has already started. Says nothing of accelerators.
            with contextlib.suppress(RuntimeError):
                jax.config.update(
                    "jax_num_cpu_devices", min(number, os.cpu_count())
                )
        names = keras.distribution.list_devices()
        is_cpu = names[0].startswith("cpu")
        _check_number(number, 0 if is_cpu else len(names))
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

    Keras splits all batches of an epoch as the first one, which fails at a last
    one that the number of devices does not divide.
    """

    def get_data_layout(self, data_shape):
        return keras.distribution.TensorLayout(
            [None] * len(data_shape), self.device_mesh
        )

    def split(self, array):
        """Splits a batch; one that cannot be split is computed by all."""
        if array.shape[0] % self.device_mesh.shape[0]:
            return array
        return keras.distribution.distribute_tensor(
            array, super().get_data_layout(array.shape)
        )


class TensorFlowDevices(Devices):
    """Devices of TensorFlow's `MirroredStrategy`.

    Batch normalisation takes the statistics of the shares, which are averaged
    at the end of an epoch.
    """

    def __init__(self, number):
        super().__init__(number)
        import tensorflow as tf

        kind = "GPU"
        names = tf.config.list_physical_devices(kind)
        _check_number(number, len(names))
        if not names:
            kind = "CPU"
            (processor,) = tf.config.list_physical_devices(kind)
            # Unless TensorFlow has already started.
            with contextlib.suppress(RuntimeError):
                tf.config.set_logical_device_configuration(
                    processor, [tf.config.LogicalDeviceConfiguration()] * number
                )
        self.strategy = tf.distribute.MirroredStrategy(
            [f"{kind}:{index}" for index in range(number)]
        )

    def scope(self):
        return self.strategy.scope()

    def share(self, model):
        import tensorflow as tf

        train_step, test_step = model.train_step, model.test_step
        compute_loss = model.compute_loss

        def own_share(data):
            context = tf.distribute.get_replica_context()
            index = context.replica_id_in_sync_group

            def cut(array):
                # TensorFlow fills one device's share after the other, and
                # leaves the last ones with little or nothing of a last batch.
                # It can gather no integers below 32 bits.
                is_short = array.dtype.is_integer and array.dtype.size < 4
                whole = context.all_gather(
                    tf.cast(array, "int32") if is_short else array, axis=0
                )
                size = tf.shape(whole)[0]
                begin = index * size // self.number
                share = whole[begin : (index + 1) * size // self.number]
                return tf.cast(share, array.dtype)

            return keras.tree.map_structure(cut, data)

        def weighted_loss(
            x=None, y=None, y_pred=None, sample_weight=None, training=True
        ):
            loss = compute_loss(x, y, y_pred, sample_weight, training)
            context = tf.distribute.get_replica_context()
            if context is None or not training:
                return loss
            size = tf.cast(tf.shape(x)[0], "float32")
            mean_size = context.all_reduce("MEAN", size)
            weight = tf.cast(size / mean_size, loss.dtype)
            # Keras takes the mean of the shares' gradients, as if they were
            # all of one size. The loss itself it weights rightly in the log.
            return weight * loss + tf.stop_gradient(loss - weight * loss)

        model.train_step = lambda data: train_step(own_share(data))
        model.test_step = lambda data: test_step(own_share(data))
        model.compute_loss = weighted_loss

    def callbacks(self):
        return [_MeanStatistics(self._mean)]

    def _mean(self, tensors):
        # Keras leaves each device its own, and saves those of the first.
        replicas = map(self.strategy.experimental_local_results, tensors)
        return [sum(values) / self.number for values in replicas]


class TorchProcesses(Devices):
    """Processes of `torch.distributed`, one for each device.

    They are started by `torchrun`, or by the script itself on one machine. Each
    reads the whole batch and computes its share. Batch normalisation takes the
    statistics of the shares, which are averaged at the end of an epoch.
    """

    def __init__(self, number):
        super().__init__(number)
        import torch

        self.is_launched = _is_launched()
        started = int(os.environ["WORLD_SIZE"]) if self.is_launched else number
        if started != number:
            raise click.UsageError(
                f"--devices: there are {started} processes, and {number} "
                f"devices are asked for. Give --devices {started}."
            )
        if not torch.distributed.is_available():
            raise click.UsageError(
                "--devices: this PyTorch was built without torch.distributed."
            )
        self.rank = int(os.environ["RANK"]) if self.is_launched else 0
        self.is_first = self.rank == 0
        self.num_gpus = torch.cuda.device_count()
        if self.is_launched:
            # Of this machine. What starts processes without it has counted.
            number = int(os.environ.get("LOCAL_WORLD_SIZE", 1))
        _check_number(number, self.num_gpus)

    def start(self):
        from torch import cuda
        from torch import distributed

        if not self.is_launched:
            # It takes the place of this process, and runs the same command.
            torchrun = [
                *(sys.executable, "-m", "torch.distributed.run"),
                *("--standalone", f"--nproc-per-node={self.number}"),
            ]
            os.execv(sys.executable, [*torchrun, *sys.argv])
        if self.num_gpus:
            cuda.set_device(int(os.environ.get("LOCAL_RANK", self.rank)))
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
            # Of means over the shares, the mean over the batch.
            apply(_sum([weight * each for each in gradients]), variables)

        def result_of_all():
            variables = model.metrics_variables
            own = [variable.value.clone() for variable in variables]
            _assign(variables, _sum(own))
            values = result()
            _assign(variables, own)
            return values

        model.train_step = lambda data: train_step(own_share(data))
        model.test_step = lambda data: test_step(own_share(data))
        model.optimizer.apply = apply_sum
        model.get_metrics_result = result_of_all

    def callbacks(self):
        return [_SameWeights(self.rank), _MeanStatistics(self._mean)]

    def _mean(self, tensors):
        return [value / self.number for value in _sum(tensors)]

    def finish(self):
        from torch import distributed

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
        from torch import distributed

        # The first has perhaps just read them from a backup.
        model, optimizer = self.model, self.model.optimizer
        if not optimizer.built:
            optimizer.build(model.trainable_variables)
        for variable in [*model.variables, *optimizer.variables]:
            value = variable.value.detach().clone()
            distributed.broadcast(value, src=0)
            variable.assign(value)
        # As Keras's callback does, which has no public way either.
        epoch = [model._initial_epoch]
        distributed.broadcast_object_list(epoch, src=0)
        (model._initial_epoch,) = epoch
        for variable in model.variables:
            if variable.name == "seed_generator_state":
                # Other masks of dropout for another share: seed and counter
                # are added, so that the seeds must lie far apart.
                seed, counter = map(int, variable.value)
                variable.assign([seed + 1_000_003 * self.rank, counter])


class _MeanStatistics(keras.callbacks.Callback):
    """Averages the statistics of batch normalisation over all devices.

    It does so at the end of an epoch, before the validation.

    Args:
        mean: Function of a list of tensors to a list of their means over the
            devices.
    """

    def __init__(self, mean):
        super().__init__()
        self.mean = mean

    def on_test_begin(self, logs=None):
        statistics = self.model.non_trainable_weights
        values = [variable.value for variable in statistics]
        _assign(statistics, self.mean(values))


def _is_launched():
    return {"RANK", "WORLD_SIZE"} <= os.environ.keys()


def _check_number(number, num_accelerators):
    """Raises a click.UsageError if there are fewer devices.

    A machine without accelerators is split, into no more than its cores.
    """
    kind = "accelerators" if num_accelerators else "processor cores"
    available = num_accelerators or os.cpu_count()
    if number > available:
        raise click.UsageError(
            f"--devices: {number} are asked for, and this machine has "
            f"{available} {kind}."
        )


def _sum(tensors):
    """The sums of tensors over all processes, in one message."""
    import torch

    if not tensors:
        return []
    message = torch.cat([tensor.detach().flatten() for tensor in tensors])
    torch.distributed.all_reduce(message)
    parts = message.split([tensor.numel() for tensor in tensors])
    return [
        part.reshape(tensor.shape)
        for part, tensor in zip(parts, tensors, strict=True)
    ]


def _assign(variables, values):
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)
