"""Compiles functions that use the weights of a model."""

import functools
import inspect

import keras

from keras_multires.argument_checks import check_boolean
from keras_multires.argument_checks import check_tensor
from keras_multires.value_checks import has_values


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


def compiled_step(step):
    """Decorator of a model's method `step`: compiles single time steps.

    A stream has thousands of them, of one shape. Chunks of more steps, which
    come in many shapes, run as they are; and so does PyTorch, which compiles
    nothing unless it is asked to. Its states hold no graph of gradients.

    Args:
        step: Method of `inputs`, `state` and further optional arguments, of
            which `in_place` is for PyTorch alone.

    Returns:
        A method of the same arguments.
    """

    signature = inspect.signature(step)

    @functools.wraps(step)
    def method(self, inputs, state, *arguments, **options):
        inputs = check_tensor("inputs", inputs)
        self.check_inputs(inputs)
        if keras.backend.backend() == "torch":
            import torch

            with torch.no_grad():
                return step(self, inputs, state, *arguments, **options)
        if (
            inputs.shape[1:2] != (1,)
            or self.run_eagerly
            or not has_values(inputs)
        ):
            return step(self, inputs, state, *arguments, **options)
        if not hasattr(self, "_compiled_step"):
            self._compiled_step = compiled(self, functools.partial(step, self))
        bound = signature.bind(self, inputs, state, *arguments, **options)
        check_boolean("in_place", bound.arguments.pop("in_place", False))
        # Compilers have errors of their own for what is no tensor.
        for name in ("state", "transition"):
            value = bound.arguments.get(name)
            if value is not None:
                bound.arguments[name] = keras.tree.map_structure(
                    functools.partial(check_tensor, name), value
                )
        return self._compiled_step(*bound.args[1:])

    return method


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

    # Without XLA a loop copies the whole state at each step.
    return tf.function(function, autograph=False, jit_compile=True)


def _torch(model, function, state):
    import torch

    return torch.no_grad()(function)
