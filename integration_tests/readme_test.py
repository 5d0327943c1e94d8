"""Each block of the README runs by itself, whichever backend is installed."""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
RUNNER = ROOT / "integration_tests" / "programs" / "run_with_one_backend.py"
BACKENDS = ("jax", "tensorflow", "torch")
BLOCKS = re.findall(
    r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL
)


def run_alone(block, backend, folder):
    """Runs a block where one backend is installed and nothing names it."""
    program = folder / "block.py"
    program.write_text(block)
    environment = {
        **os.environ,
        "KERAS_HOME": str(folder),  # no configuration of the user's
        "PYTHONPATH": str(ROOT),
    }
    environment.pop("KERAS_BACKEND", None)
    return subprocess.run(
        [sys.executable, RUNNER, backend, program],
        env=environment,
        capture_output=True,
        text=True,
        cwd=folder,
    )


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("number", range(len(BLOCKS)))
def test_a_block_of_the_readme_runs_by_itself(number, backend, tmp_path):
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    result = run_alone(BLOCKS[number], backend, tmp_path)
    assert result.returncode == 0, result.stderr[-3000:]
    if "count_params" in BLOCKS[number]:
        assert "1365514" in result.stdout


def test_the_readme_has_the_blocks_that_are_tested():
    assert len(BLOCKS) == 5
    assert sum("count_params" in block for block in BLOCKS) == 1


@pytest.mark.parametrize("block", BLOCKS)
def test_a_block_imports_the_library_before_keras(block):
    # Keras chooses its backend when it is first imported.
    assert block.startswith(("import keras_multires", "from keras_multires"))
