"""Checkpoints of PyTorch on the backends that are tested without PyTorch."""

import pytest

from testing.programs import run_tests


@pytest.mark.parametrize("backend", ["jax", "tensorflow"])
def test_other_backends_read_and_write_checkpoints_of_pytorch(backend):
    result = run_tests("keras_multires/checkpoints_test.py", backend=backend)
    summary = result.stdout.strip().rpartition("\n")[-1]
    assert " passed" in summary
    assert "skipped" not in summary
