"""A million time steps, forward and backward, in the memory of a laptop."""

import pytest

from testing.backends import BACKENDS
from testing.programs import run_program


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_million_steps_train_in_less_than_4_gb(backend):
    result = run_program("fit_million_steps", backend=backend)
    assert int(result.stdout.split()[-1]) < 4e9
