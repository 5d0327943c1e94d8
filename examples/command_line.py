"""Command-line options that the examples share.

Keras reads its backend once, when it is first imported. So a script imports
Keras only inside the functions that run after the options are read, and
`training_options` has chosen the backend by then.
"""

import contextlib
import dataclasses
import functools
import importlib.util
import itertools
import os
from pathlib import Path

import click

BACKENDS = ("jax", "tensorflow", "torch")
POLICIES = ("float32", "mixed_bfloat16", "mixed_float16", "bfloat16")


@dataclasses.dataclass(frozen=True)
class Preset:
    """The size of an experiment.

    Args:
        model: Dict of arguments of the model.
        learning_rate: Float, after the warm-up and before the decay.
        weight_decay: Float, of AdamW, which is Adam without it, at 0.
        epochs: Integer, passes over the training set.
        batch_size: Integer, sequences in a training step.
        warmup_epochs: Float, passes in which the learning rate rises from 0.
        data: Dict of arguments of the data set.
    """

    model: dict
    learning_rate: float
    weight_decay: float
    epochs: int
    batch_size: int
    warmup_epochs: float = 0
    data: dict = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class TrainingOptions:
    """What the command line says of a training.

    Its attributes are the options of `training_options`. `preset` is the
    `Preset` with the epochs and the batch size that were asked for, and
    `preset_name` its name.
    """

    backend: str
    preset_name: str
    preset: Preset
    output_dir: Path
    seed: int
    dtype_policy: str
    jit_compile: str
    resume: bool
    data_dir: Path | None = None
    devices: int = 1


class _Path(click.Path):
    """A path; the `~` that shells leave in `--option=~/folder` is expanded."""

    def __init__(self, **options):
        super().__init__(path_type=Path, **options)

    def convert(self, value, parameter, context):
        return super().convert(os.path.expanduser(value), parameter, context)


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


@contextlib.contextmanager
def usage_errors(option):
    """Context in which bad input is an error of an option, not a traceback.

    Args:
        option: Name of the option that gave the input.
    """
    try:
        yield
    except (ImportError, OSError, ValueError) as error:
        raise click.UsageError(f"{option}: {error}") from error


def _options(decorators):
    """One decorator of several options, which --help lists in this order."""

    def decorate(function):
        for decorator in reversed(decorators):
            function = decorator(function)
        return function

    return decorate


def training_options(output_dir, presets, data=None):
    """Decorator with the options of a script that trains a model.

    Args:
        output_dir: Default of `--output-dir`.
        presets: Dict from names to `Preset`, the choices of `--preset`. Where
            there are several data sets, a dict from their names, the choices
            of `--data`, to such dicts. The first is the default.
        data: What the folder of `--data-dir` holds, if there is such an
            option.

    Returns:
        A decorator of a function that takes `options`, a `TrainingOptions`,
        beside what other decorators give it, and the string `data` where there
        are several data sets. When the function runs, the environment tells
        Keras to use the backend.
    """
    data_options = []
    first = next(iter(presets))
    if isinstance(presets[first], Preset):
        presets = {None: presets}
    else:
        data_options.append(
            click.option(
                "--data",
                type=click.Choice(list(presets)),
                default=first,
                show_default=True,
                help="Data set.",
            )
        )
    # Each once, in order.
    preset_names = list(dict.fromkeys(itertools.chain(*presets.values())))
    if data is not None:
        data_options.append(
            click.option(
                "--data-dir",
                type=_Path(),
                help=data,
            )
        )

    def find_preset(name, data):
        known = presets[data]
        if name not in known:
            raise click.UsageError(
                f"--preset: {data!r} has no {name!r}, only "
                f"{', '.join(map(repr, known))}."
            )
        return known[name]

    def collect(function):
        @functools.wraps(function)
        def collected(preset, epochs, batch_size, **arguments):
            changes = {"epochs": epochs, "batch_size": batch_size}
            changes = {k: v for k, v in changes.items() if v is not None}
            shared = {
                field.name: arguments.pop(field.name)
                for field in dataclasses.fields(TrainingOptions)
                if field.name in arguments
            }
            options = TrainingOptions(
                preset_name=preset,
                preset=dataclasses.replace(
                    find_preset(preset, arguments.get("data")), **changes
                ),
                **shared,
            )
            return function(options=options, **arguments)

        return _options(
            [
                click.option(
                    "--backend",
                    type=click.Choice(BACKENDS),
                    envvar="KERAS_BACKEND",
                    default=_first_installed,
                    callback=_choose_backend,
                    help="Backend of Keras.  [default: environment variable "
                    "KERAS_BACKEND, or the first one installed]",
                ),
                *data_options,
                click.option(
                    "--preset",
                    type=click.Choice(preset_names),
                    default="small",
                    show_default=True,
                    help="Size of the experiment.",
                ),
                click.option(
                    "--output-dir",
                    type=_Path(),
                    default=output_dir,
                    show_default=True,
                    help="Folder for the results, made if missing.",
                ),
                click.option(
                    "--epochs",
                    type=click.IntRange(min=1),
                    help="Passes over the training set.  [default: the "
                    "preset's]",
                ),
                click.option(
                    "--batch-size",
                    type=click.IntRange(min=1),
                    help="Sequences in a training step.  [default: the "
                    "preset's]",
                ),
                click.option(
                    "--seed",
                    type=click.IntRange(0, 2**32 - 1),
                    default=0,
                    show_default=True,
                    help="Seed of all that is random.",
                ),
                click.option(
                    "--dtype-policy",
                    type=click.Choice(POLICIES),
                    default="float32",
                    show_default=True,
                    help="Precision of the layers.",
                ),
                click.option(
                    "--jit-compile",
                    type=click.Choice(["auto", "on", "off"]),
                    default="auto",
                    show_default=True,
                    help="Whether the backend's compiler is used.",
                ),
                click.option(
                    "--devices",
                    type=click.IntRange(min=1),
                    default=1,
                    show_default=True,
                    help="Number of GPUs to train on, or without one into how "
                    "many devices to split the processor.",
                ),
                click.option(
                    "--resume/--no-resume",
                    default=True,
                    show_default=True,
                    help="Go on with an interrupted run of the same options "
                    "in the output folder, or start over.",
                ),
            ]
        )(collected)

    return collect


def prediction_options(metavar, description):
    """Decorator with the options of a script that predicts with a model.

    Args:
        metavar: What stands for a value in `--help`.
        description: What a value is, such as "a ListOps expression".

    Returns:
        A decorator of a function that takes `model` (a `pathlib.Path` or None)
        and `predict` (a tuple of strings). Both are given or neither is.
    """
    return _model_options(
        ["predict"],
        click.option(
            "--predict",
            metavar=metavar,
            multiple=True,
            help=f"{description}, to predict for instead of training; "
            "may be given several times.",
        ),
    )


def generation_options(what, beginning, metavar, description):
    """Decorator with the options of a script that generates with a model.

    Args:
        what: Plural of what is generated.
        beginning: Name of the option whose value is gone on from, such as
            `"complete"`.
        metavar: What stands for that value in `--help`.
        description: What that value is.

    Returns:
        A decorator of a function that takes `model` (a `pathlib.Path` or None)
        and `generate` (an integer or None), of which both are given or neither
        is, `temperature` (a float), and under its name the beginning (a string
        or None), which is given with them only.
    """
    return _model_options(
        ["generate", beginning],
        click.option(
            "--generate",
            type=click.IntRange(min=1),
            help=f"Number of {what} to generate, instead of training.",
        ),
        click.option(
            f"--{beginning}",
            metavar=metavar,
            help=f"{description}, with --generate.",
        ),
        click.option(
            "--temperature",
            type=click.FloatRange(min=0, min_open=True, max=1e3),
            default=1.0,
            show_default=True,
            help="Below 1, the likely becomes likelier, with --generate.",
        ),
    )


def _model_options(names, *options):
    """Decorator with `--model` and options that go with it.

    Args:
        names: List of names of options: of the one that says what to do with a
            model, which both are given or neither is, then of those that
            cannot be given without.
        *options: Decorators of all the options that go with it.
    """
    action, *companions = names

    def check(function):
        @functools.wraps(function)
        def checked(model, **arguments):
            if (model is None) != (not arguments[action]):
                raise click.UsageError(
                    f"--model and --{action} belong together: give both, or "
                    "neither to train."
                )
            for name in companions:
                if model is None and arguments[name] is not None:
                    raise click.UsageError(f"--{name} goes with --{action}.")
            return function(model=model, **arguments)

        return _options(
            [
                click.option(
                    "--model",
                    type=_Path(exists=True, dir_okay=False),
                    help=f"File of a trained model, to {action} with.",
                ),
                *options,
            ]
        )(checked)

    return check
