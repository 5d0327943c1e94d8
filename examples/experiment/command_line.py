"""Command-line options that the lessons share."""

import contextlib
import functools
import itertools
import os
from pathlib import Path
from types import SimpleNamespace

import click

POLICIES = ("float32", "mixed_bfloat16", "mixed_float16", "bfloat16")


class _Path(click.Path):
    """A path; the `~` that shells leave in `--option=~/folder` is expanded."""

    def __init__(self, **options):
        super().__init__(path_type=Path, **options)

    def convert(self, value, parameter, context):
        return super().convert(os.path.expanduser(value), parameter, context)


@contextlib.contextmanager
def usage_errors(option):
    """Context that turns errors of the input into errors of an option.

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


def training_options(output_dir, presets):
    """Decorator with the options of a lesson.

    Args:
        output_dir: Default of `--output-dir`.
        presets: Dict from names, the choices of `--preset`, to dicts of
            hyperparameters, with `epochs` and `batch_size` among them. For a
            lesson with several data sets, a dict from their names, the choices
            of `--data`, to such dicts.

    Returns:
        A decorator of a function that takes a namespace of all options, those
        of the decorators below this one included.
        `options.preset` is a namespace of the hyperparameters, where
        `--epochs` and `--batch-size` count, and `options.preset_name` the name
        of the preset.
    """
    has_data = "small" not in presets
    names = list(presets)
    if has_data:  # each name once, in order
        names = list(dict.fromkeys(itertools.chain(*presets.values())))

    def find_preset(name, data):
        known = presets[data] if has_data else presets
        if name not in known:
            raise click.UsageError(
                f"--preset: {data!r} has no {name!r}, only "
                f"{', '.join(map(repr, known))}."
            )
        return known[name]

    def collect(function):
        @functools.wraps(function)
        def collected(preset, epochs, batch_size, **others):
            settings = dict(find_preset(preset, others.get("data")))
            if epochs is not None:
                settings["epochs"] = epochs
            if batch_size is not None:
                settings["batch_size"] = batch_size
            return function(
                SimpleNamespace(
                    preset_name=preset,
                    preset=SimpleNamespace(**settings),
                    **others,
                )
            )

        data_option = click.option(
            "--data",
            type=click.Choice(list(presets)),
            default=next(iter(presets)),
            show_default=True,
            help="Data set.",
        )
        return _options(
            [
                *([data_option] if has_data else []),
                click.option(
                    "--preset",
                    type=click.Choice(names),
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
                    help="Passes over the training set.  [default: as in the "
                    "preset]",
                ),
                click.option(
                    "--batch-size",
                    type=click.IntRange(min=1),
                    help="Sequences in a training step.  [default: as in the "
                    "preset]",
                ),
                click.option(
                    "--seed",
                    type=click.IntRange(0, 2**32 - 1),
                    default=0,
                    show_default=True,
                    help="Seed of everything that is random.",
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
                    callback=_to_jit_compile,
                    help="Whether the backend's compiler is used.",
                ),
                click.option(
                    "--devices",
                    type=click.IntRange(min=1),
                    default=1,
                    show_default=True,
                    help="Number of GPUs to train on. Without a GPU, number of "
                    "devices to split the processor into.",
                ),
                click.option(
                    "--resume/--no-resume",
                    default=True,
                    show_default=True,
                    help="Continue an interrupted run of the same options in "
                    "the output folder, or start over.",
                ),
            ]
        )(collected)

    return collect


def _to_jit_compile(context, parameter, value):
    return {"auto": "auto", "on": True, "off": False}[value]


def data_dir_option(content):
    """Decorator with `--data-dir`.

    Args:
        content: String, what the folder holds.
    """
    return click.option("--data-dir", type=_Path(), help=content)


def prediction_options(metavar, description):
    """Decorator with the options of a lesson whose model predicts.

    Args:
        metavar: Name of a value in `--help`.
        description: What a value is, such as "A ListOps expression".

    Returns:
        A decorator, below `training_options`. The namespace has `model` (a
        `pathlib.Path` or None) and `predict` (a tuple of strings). Both are
        given or neither is.
    """
    return _model_options(
        "predict",
        [],
        click.option(
            "--predict",
            metavar=metavar,
            multiple=True,
            help=f"{description}, to predict instead of training; may be given "
            "several times.",
        ),
    )


def generation_options(what, beginning, metavar, description):
    """Decorator with the options of a lesson whose model generates.

    Args:
        what: Plural of what is generated.
        beginning: Name of the option for what the model continues, such as
            `"complete"`.
        metavar: Name of its value in `--help`.
        description: What its value is.

    Returns:
        A decorator, below `training_options`. The namespace has `model` (a
        `pathlib.Path` or None) and `generate` (an integer or None), of which
        both are given or neither is, `temperature` (a float) and the beginning
        (a string or None) under its name.
    """
    return _model_options(
        "generate",
        [beginning],
        click.option(
            "--generate",
            type=click.IntRange(min=1),
            help=f"Number of {what} to generate instead of training.",
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
            help="Below 1, likely values become likelier, with --generate.",
        ),
    )


def _model_options(action, companions, *decorators):
    """Decorator with `--model` and the options that need it.

    Args:
        action: Name of the option that says what to do with a model.
        companions: Names of options that only make sense with it.
        *decorators: Decorators of all these options.
    """

    def check(function):
        @functools.wraps(function)
        def checked(options):
            if (options.model is None) != (not getattr(options, action)):
                raise click.UsageError(
                    f"--model and --{action} belong together: give both, or "
                    "neither to train."
                )
            for name in companions:
                if options.model is None and getattr(options, name) is not None:
                    raise click.UsageError(f"--{name} goes with --{action}.")
            return function(options)

        return _options(
            [
                click.option(
                    "--model",
                    type=_Path(exists=True, dir_okay=False),
                    help=f"File of a trained model, to {action} with.",
                ),
                *decorators,
            ]
        )(checked)

    return check
