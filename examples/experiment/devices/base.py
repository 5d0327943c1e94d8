"""One device, and what the several devices of each backend share."""

import contextlib
import os

import click
import keras


class Devices:
    """One device, and what several have in common.

    Args:
        number: Integer, how many devices.

    Attributes:
        rank: Integer, number of this process. Only PyTorch has others than 0.
        is_first: Boolean, whether this process writes the files and tests the
            model.
    """

    rank = 0
    is_first = True

    def __init__(self, number):
        self.number = number

    def start(self, release):
        """Starts the processes, before the model is built.

        Args:
            release: Function that is called if another process takes over.
        """

    def scope(self):
        """Context in which the model is built, compiled and trained."""
        return contextlib.nullcontext()

    def check_sizes(self, num_sequences, batch_size):
        """Raises a click.UsageError if a batch is too small to be shared."""
        smallest = min(num_sequences % batch_size or batch_size, num_sequences)
        if smallest < self.number:
            raise click.UsageError(
                f"--devices: the last batch has {smallest} of the "
                f"{num_sequences:,} sequences, in batches of {batch_size}. "
                f"That is too few for {self.number} devices. Choose another "
                "--batch-size."
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


class MeanStatistics(keras.callbacks.Callback):
    """Averages the statistics of batch normalisation over all devices.

    It does so at the end of an epoch, before the validation.

    Args:
        mean: Function from a list of tensors to a list of their means over the
            devices.
    """

    def __init__(self, mean):
        super().__init__()
        self.mean = mean

    def on_test_begin(self, logs=None):
        statistics = self.model.non_trainable_weights
        values = [variable.value for variable in statistics]
        assign(statistics, self.mean(values))


def assign(variables, values):
    """Assigns each variable its value."""
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


def is_launched():
    """Whether `torchrun` started this process as one of several."""
    return keras.backend.backend() == "torch" and (
        {"RANK", "WORLD_SIZE"} <= os.environ.keys()
    )


def check_number(number, num_accelerators):
    """Raises a click.UsageError if there are fewer devices.

    The processor of a machine without accelerators is split into at most as
    many devices as it has cores.
    """
    kind = "accelerators" if num_accelerators else "processor cores"
    available = num_accelerators or os.cpu_count()
    if number > available:
        raise click.UsageError(
            f"--devices: this machine has {available} {kind}. Received: "
            f"{number}"
        )
