"""The backend that runs, and its ways of running a function."""

import contextlib

import keras

BACKENDS = ("jax", "tensorflow", "torch")
BACKEND = keras.backend.backend()

# The ways in which this backend runs a function.
MODES = {
    "jax": ("eager", "jit"),
    "tensorflow": ("eager", "graph", "xla"),
    "torch": ("eager", "compile"),
}[BACKEND]

# The cheapest way for many small cases: without a compiler, except on JAX,
# which otherwise compiles each operation of each shape.
CHEAPEST_MODE = "jit" if BACKEND == "jax" else "eager"


def run_function(function, mode):
    """Returns `function`, which takes backend tensors, in a mode."""
    if mode == "jit":
        import jax

        return jax.jit(function)
    if mode in ("graph", "xla"):
        import tensorflow as tf

        return tf.function(function, jit_compile=mode == "xla")
    if mode == "compile":
        import torch

        torch.compiler.reset()
        # Dynamo and autograd may be confused by the library's code. The code
        # generator behind them takes 40 s a layer, so that only
        # `integration_tests/fit_test.py` runs it, once.
        return torch.compile(function, backend="aot_eager")
    return function


def double_precision():
    """Returns a context in which the backend can compute in float64."""
    if BACKEND == "jax":
        import jax

        return jax.enable_x64()
    return contextlib.nullcontext()


@contextlib.contextmanager
def use_floatx(name):
    """A context in which `keras.config.floatx()` is another.

    The policy of new layers follows it only in a new process.
    """
    before = keras.config.floatx(), keras.config.dtype_policy()
    keras.config.set_floatx(name)
    keras.config.set_dtype_policy(name)
    try:
        yield
    finally:
        keras.config.set_floatx(before[0])
        keras.config.set_dtype_policy(before[1])
