"""The digits example from the command line, as a user runs it."""

import csv
import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"
SCRIPT = EXAMPLES / "digits.py"

PREDICT = """
import sys
import keras
import keras_multires

inputs, targets = keras_multires.datasets.digits.load_data()[2]
assert inputs.dtype == "uint8"
logits = keras.models.load_model(sys.argv[1]).predict(inputs, verbose=0)
assert logits.shape == (360, 10), logits.shape
accuracy = (logits.argmax(axis=-1) == targets).mean()
print(f"Test accuracy: {accuracy:.1%} of 360 digits")
"""

# Runs the script where Python finds no package of the given name.
RUN_WITHOUT = """
import runpy
import sys

missing, script = sys.argv[1:3]
sys.modules[missing] = None
sys.argv = sys.argv[2:]
runpy.run_path(script, run_name="__main__")
"""


def run(*arguments, **environment):
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        # The process finds the packages that this one finds.
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join([*sys.path, str(EXAMPLES)]),
            **environment,
        },
        capture_output=True,
        text=True,
    )


def assert_usage_error(result, *words):
    assert result.returncode == 2, result.stderr
    assert "Traceback" not in result.stderr
    for word in words:
        assert word in result.stderr
    assert "Epoch" not in result.stdout


@pytest.mark.parametrize("backend", ["jax", "tensorflow", "torch"])
def test_one_epoch_leaves_a_model_that_takes_raw_pixels(backend, tmp_path):
    output_dir = tmp_path / "new" / "folder"
    options = ["--backend", backend, "--output-dir", output_dir]
    result = run(SCRIPT, *options, "--epochs", 1)
    assert result.returncode == 0, result.stderr
    assert f"with {backend}" in result.stdout
    for name in ("digits.keras", "log.csv", "digits.png"):
        assert (output_dir / name).stat().st_size > 0
        assert str(output_dir / name) in result.stdout
    assert (output_dir / "digits.png").stat().st_size < 200_000
    with open(output_dir / "log.csv", newline="") as file:
        (row,) = csv.DictReader(file)
    assert 0 <= float(row["val_accuracy"]) <= 1

    prediction = run(
        "-c", PREDICT, output_dir / "digits.keras", KERAS_BACKEND=backend
    )
    assert prediction.returncode == 0, prediction.stderr
    assert prediction.stdout.splitlines()[-1] in result.stdout


@pytest.mark.parametrize("backend", ["jax", "tensorflow", "torch"])
def test_a_backend_that_is_not_installed_is_a_usage_error(backend, tmp_path):
    result = run(
        "-c",
        RUN_WITHOUT,
        backend,
        SCRIPT,
        "--backend",
        backend,
        "--output-dir",
        tmp_path,
    )
    assert_usage_error(result, "--backend", f"pip install {backend}")


@pytest.mark.parametrize("from_environment", [False, True])
def test_an_unknown_backend_is_a_usage_error(from_environment, tmp_path):
    if from_environment:
        options, environment = [], {"KERAS_BACKEND": "theano"}
    else:
        options, environment = ["--backend", "theano"], {}
    result = run(SCRIPT, "--output-dir", tmp_path, *options, **environment)
    assert_usage_error(result, "theano", "'jax', 'tensorflow', 'torch'")


def test_an_output_folder_that_cannot_be_made_is_a_usage_error(tmp_path):
    file = tmp_path / "file"
    file.touch()
    result = run(SCRIPT, "--output-dir", file / "folder")
    assert_usage_error(result, "--output-dir", "cannot write")


def test_help_names_every_option():
    result = run(SCRIPT, "--help")
    assert result.returncode == 0
    for option in ("backend", "output-dir", "epochs", "batch-size", "seed"):
        assert f"--{option}" in result.stdout
