"""Checkpoints of PyTorch on the backends that are tested without PyTorch."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("backend", ["jax", "tensorflow"])
def test_checkpoints_are_read_and_written(backend):
    result = subprocess.run(
        [sys.executable, "-m", "pytest", "keras_multires/checkpoints_test.py"],
        env={**os.environ, "KERAS_BACKEND": backend},
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    summary = result.stdout.strip().rpartition("\n")[-1]
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-3000:]
    assert " passed" in summary
    assert "skipped" not in summary
