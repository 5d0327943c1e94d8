"""Compiles a function that uses the weights of a model."""

import functools

import keras


def compiled(model, function, state=()):
    """`function` of tensors, compiled where the backend compiles.

    Gradients are not taken, and the function must not change any weight. The
    weights are read at each call, not at the first.

    Args:
        model: A built `keras.Model` whose weights `function` uses.
        function: Function of tensors to tensors, without side effects but on
            `state`.
        state: Variables that `function` may change and that are none of the
            model's.

    Returns:
        A function of the same arguments.
    """
    wrap = {"jax": _jax, "tensorflow": _tensorflow, "torch": _torch}
    return wrap[keras.backend.backend()](model, function, state)


def _jax(model, function, state):
    import jax

    @jax.jit
    def pure(values, *arguments):
        # Read from the variables, values would become constants.
        mapping = list(zip([*model.variables, *state], values, strict=True))
        with keras.StatelessScope(state_mapping=mapping) as scope:
            outputs = function(*arguments)
        return outputs, [scope.get_current_value(v) for v in state]

    @functools.wraps(function)
    def call(*arguments):
        values = [v.value for v in (*model.variables, *state)]
        outputs, updated = pure(values, *arguments)
        for variable, value in zip(state, updated, strict=True):
            variable.assign(value)
        return outputs

    return call


def _tensorflow(model, function, state):
    import tensorflow as tf

    return tf.function(function, autograph=False)


def _torch(model, function, state):
    import torch

    return torch.no_grad()(function)
