"""The layer in an ordinary Keras model, on each backend."""

import shutil

import pytest

from testing.backends import BACKENDS
from testing.programs import run_program


@pytest.mark.parametrize("backend", BACKENDS)
def test_training_lowers_the_loss(backend):
    run_program("fit_layers", "auto", backend=backend)


@pytest.mark.parametrize("backend", BACKENDS)
def test_partial_batches_empty_validation_and_nan_do_what_keras_does(backend):
    run_program("fit_edge_cases", backend=backend)


@pytest.mark.skipif(
    shutil.which("g++") is None,
    reason="the code generator of PyTorch needs a C++ compiler",
)
def test_training_lowers_the_loss_where_pytorch_generates_code():
    run_program("fit_layers", "True", backend="torch")
