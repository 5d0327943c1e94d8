"""Command-line options that the examples share.

Keras reads its backend once, when it is first imported. So a script imports
Keras only inside the functions that run after the options are read, and
`training_options` has chosen the backend by then.
"""

import importlib.util
import os
import tempfile
from pathlib import Path

import click

BACKENDS = ("jax", "tensorflow", "torch")


def _is_installed(backend):
    return importlib.util.find_spec(backend) is not None


def _first_installed():
    for backend in BACKENDS:
        if _is_installed(backend):
            return backend
    raise click.UsageError(
        f"None of the backends is installed: {', '.join(BACKENDS)}. "
        "Install one, such as: pip install jax"
    )


def _choose_backend(context, parameter, backend):
    if not _is_installed(backend):
        raise click.BadParameter(
            f"{backend} is not installed. Install it: pip install {backend}",
            context,
            parameter,
        )
    os.environ["KERAS_BACKEND"] = backend
    return backend


def _make_output_dir(context, parameter, path):
    """Finds out before the training, not after, whether files can be saved."""
    try:
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            pass
    except OSError as error:
        raise click.BadParameter(
            f"cannot write to {str(path)!r}: {error.strerror}",
            context,
            parameter,
        ) from error
    return path


def training_options(output_dir, epochs, batch_size):
    """Decorator with the options of a script that trains a model.

    Args:
        output_dir: Default of `--output-dir`.
        epochs: Default of `--epochs`.
        batch_size: Default of `--batch-size`.

    Returns:
        A decorator of a function that takes `backend`, `output_dir` (a
        `pathlib.Path` of a folder that can be written to), `epochs`,
        `batch_size` and `seed`. When the function runs, the environment tells
        Keras to use the backend.
    """
    options = (
        click.option(
            "--backend",
            type=click.Choice(BACKENDS),
            envvar="KERAS_BACKEND",
            default=_first_installed,
            callback=_choose_backend,
            help="Backend of Keras.  [default: environment variable "
            "KERAS_BACKEND, or the first one installed]",
        ),
        click.option(
            "--output-dir",
            type=click.Path(path_type=Path),
            default=output_dir,
            show_default=True,
            callback=_make_output_dir,
            help="Folder for the results, made if missing.",
        ),
        click.option(
            "--epochs",
            type=click.IntRange(min=1),
            default=epochs,
            show_default=True,
            help="Passes over the training set.",
        ),
        click.option(
            "--batch-size",
            type=click.IntRange(min=1),
            default=batch_size,
            show_default=True,
            help="Sequences in a training step.",
        ),
        click.option(
            "--seed",
            type=click.IntRange(0, 2**32 - 1),
            default=0,
            show_default=True,
            help="Seed of the initial weights, the shuffling and the dropout.",
        ),
    )

    def decorate(function):
        # Applied last to first, so that --help lists them first to last.
        for option in reversed(options):
            function = option(function)
        return function

    return decorate
