"""What the tests of the examples share."""

import csv
import importlib
import sys
from types import SimpleNamespace

from testing.paths import EXAMPLES
from testing.programs import run_python


def import_example(name):
    """A module from the folder of the examples, such as `"experiment.run"`."""
    if str(EXAMPLES) not in sys.path:
        sys.path.insert(0, str(EXAMPLES))
    return importlib.import_module(name)


def run_example(name, *options, backend=None, check=False, **variables):
    """Runs an example in a process of its own, see `run_python`."""
    script = EXAMPLES / f"{name}.py"
    return run_python(
        script, *options, backend=backend, check=check, **variables
    )


def make_options(output_dir, **changes):
    """Options as the command line gives them.

    Args:
        output_dir: `pathlib.Path` of the output folder.
        **changes: Other values of hyperparameters or of options.
    """
    preset = {
        "learning_rate": 0.1,
        "weight_decay": 0.0,
        "epochs": 4,
        "batch_size": 8,
        "warmup_epochs": 0,
    }
    options = {
        "preset_name": "small",
        "output_dir": output_dir,
        "seed": 0,
        "dtype_policy": "float32",
        "jit_compile": "auto",
        "resume": True,
        "devices": 1,
    }
    for name, value in changes.items():
        (preset if name in preset else options)[name] = value
    return SimpleNamespace(preset=SimpleNamespace(**preset), **options)


def read_rows(output_dir):
    """The rows of the log of a run, a dict each."""
    with open(output_dir / "log.csv", newline="") as file:
        return list(csv.DictReader(file))


def epochs_of(rows):
    """The epochs of the rows of a log."""
    return [int(row["epoch"]) for row in rows]


def assert_usage_error(result, *words):
    """Asserts that a program refused its options before any training.

    Args:
        result: The process, with `returncode`, `stdout` and `stderr`.
        *words: Strings that the error message must contain.
    """
    assert result.returncode == 2, result.stdout + result.stderr
    assert "Traceback" not in result.stderr
    for word in words:
        assert word in result.stderr
    assert "Epoch" not in result.stdout
