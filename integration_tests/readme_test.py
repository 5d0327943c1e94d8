"""Each block of the README runs by itself, whichever backend is installed."""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BACKENDS = ("jax", "tensorflow", "torch")
BLOCKS = re.findall(
    r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL
)
OUTPUTS = {"count_params": "1365514"}


def run_alone(block, backend, folder):
    """Runs a block as a program for which only one backend is installed.

    Nothing tells it which one: `KERAS_BACKEND` is not set, and there is no
    configuration of Keras. The other backends fail to import.
    """
    others = dict.fromkeys(set(BACKENDS) - {backend})
    program = folder / "block.py"
    program.write_text(f"import sys\n\nsys.modules.update({others})\n\n{block}")
    environment = {
        **os.environ,
        "KERAS_HOME": str(folder),
        "PYTHONPATH": str(ROOT),
    }
    environment.pop("KERAS_BACKEND", None)
    return subprocess.run(
        [sys.executable, program],
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
    block = BLOCKS[number]
    result = run_alone(block, backend, tmp_path)
    assert result.returncode == 0, result.stderr[-3000:]
    for text, output in OUTPUTS.items():
        if text in block:
            assert output in result.stdout


def test_the_readme_has_the_blocks_that_are_tested():
    assert len(BLOCKS) == 5
    assert any("count_params" in block for block in BLOCKS)


@pytest.mark.parametrize("block", BLOCKS)
def test_a_block_imports_the_library_before_keras(block):
    # Keras reads which backend to use when it is first imported.
    assert block.startswith(("import keras_multires", "from keras_multires"))
