"""Compiles a function that uses the weights of a model."""

import functools

import keras


def compiled(model, function):
    """`function` of tensors, compiled where the backend compiles.

    Gradients are not taken, and the function must not change any weight. The
    weights are read at each call, not at the first.

    Args:
        model: A built `keras.Model` whose weights `function` uses.
        function: Function of tensors to tensors, without side effects.

    Returns:
        A function of the same arguments.
    """
    wrap = {"jax": _jax, "tensorflow": _tensorflow, "torch": _torch}
    return wrap[keras.backend.backend()](model, function)


def _jax(model, function):
    import jax

    @jax.jit
    def pure(weights, *arguments):
        # Read from the variables, weights would become constants.
        mapping = list(zip(model.variables, weights, strict=True))
        with keras.StatelessScope(state_mapping=mapping):
            return function(*arguments)

    @functools.wraps(function)
    def call(*arguments):
        return pure([v.value for v in model.variables], *arguments)

    return call


def _tensorflow(model, function):
    import tensorflow as tf

    return tf.function(function)


def _torch(model, function):
    import torch

    return torch.no_grad()(function)
