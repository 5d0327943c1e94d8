"""The README's examples run as they stand."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("backend", ["jax", "tensorflow", "torch"])
def test_the_readme_runs(backend):
    text = (ROOT / "README.md").read_text()
    blocks = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    assert len(blocks) == 4
    result = subprocess.run(
        [sys.executable, "-c", "\n".join(blocks)],
        env={**os.environ, "KERAS_BACKEND": backend},
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    assert result.returncode == 0, result.stderr[-3000:]
    assert "1365514" in result.stdout
