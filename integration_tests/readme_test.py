"""Each block of the README runs by itself, whichever backend is installed."""

import importlib.util
import re

import pytest

from testing.backends import BACKENDS
from testing.paths import ROOT
from testing.programs import run_program

BLOCKS = re.findall(
    r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL
)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("number", range(len(BLOCKS)))
def test_a_block_runs_where_one_backend_is_installed_and_nothing_is_set(
    number, backend, tmp_path, monkeypatch
):
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    program = tmp_path / "block.py"
    program.write_text(BLOCKS[number])
    result = run_program(
        "run_with_one_backend",
        backend,
        program,
        cwd=tmp_path,
        # Without the user's configuration of Keras.
        KERAS_HOME=str(tmp_path),
    )
    if "count_params" in BLOCKS[number]:
        assert "1365514" in result.stdout


def test_the_readme_has_the_blocks_that_are_tested():
    assert len(BLOCKS) == 5
    assert sum("count_params" in block for block in BLOCKS) == 1


@pytest.mark.parametrize("block", BLOCKS)
def test_a_block_imports_the_library_before_keras(block):
    # Keras chooses its backend when it is first imported.
    assert block.startswith(("import keras_multires", "from keras_multires"))
