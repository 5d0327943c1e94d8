"""Fixtures for tests that hold on whatever backend Keras runs."""

import keras
import pytest
from keras.src.testing import TestCase

from testing.backends import MODES
from testing.backends import double_precision as double_precision_context
from testing.gradients import outputs_and_gradients
from testing.published import read_golden


@pytest.fixture(params=MODES)
def mode(request):
    """Each way in which the backend runs a function."""
    return request.param


@pytest.fixture
def run_layer_test():
    """Keras's own harness for layers."""
    keras.utils.set_random_seed(0)
    case = TestCase()
    case.setUp()
    yield case.run_layer_test
    case.doCleanups()


@pytest.fixture(scope="session")
def golden():
    """Reads a golden file: `(config, arrays)`."""
    return read_golden


@pytest.fixture
def double_precision():
    """A context in which the backend can compute in float64."""
    return double_precision_context


@pytest.fixture
def gradients():
    """See `outputs_and_gradients`."""
    return outputs_and_gradients
