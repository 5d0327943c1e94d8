"""Compiles functions that use the weights of a model."""

import functools
import inspect

import keras

from keras_multires.argument_checks import check_boolean
from keras_multires.argument_checks import check_tensor
from keras_multires.value_checks import has_values


def compiled(model, function, state=(), overwritten=()):
    """`function` of tensors, compiled where the backend compiles.

    Gradients are not taken, and the function must not change any weight. The
    weights are read at each call, not at the first.

    Args:
        model: A built `keras.Model` whose weights `function` uses.
        function: Function of tensors to tensors, without side effects but on
            `state`.
        state: Variables that `function` may change and that are none of the
            model's.
        overwritten: Places of arguments that are not used again, so that JAX
            may write its results there.

    Returns:
        A function of the same arguments.
    """
    wrap = {"jax": _jax, "tensorflow": _tensorflow, "torch": _torch}
    return wrap[keras.backend.backend()](model, function, state, overwritten)


def compiled_step(step):
    """Decorator of a model's method `step`: compiles single time steps.

    A stream has thousands of them, of one shape. Chunks of more steps, which
    come in many shapes, run as they are; and so does PyTorch, which compiles
    nothing unless it is asked to. Its states hold no graph of gradients.

    Args:
        step: Method of `inputs`, `state` and further optional arguments, of
            which `in_place` is whether the state may be overwritten.

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
        bound = signature.bind(self, inputs, state, *arguments, **options)
        in_place = bound.arguments.pop("in_place", False)
        check_boolean("in_place", in_place)
        # Compilers have errors of their own for what is no tensor.
        for name in ("state", "transition"):
            value = bound.arguments.get(name)
            if value is not None:
                bound.arguments[name] = keras.tree.map_structure(
                    functools.partial(check_tensor, name), value
                )
        name = "_step_in_place" if in_place else "_compiled_step"
        if not hasattr(self, name):
            function = functools.partial(step, self)
            # Of the arguments, the state is the second.
            overwritten = (1,) if in_place else ()
            run = compiled(self, function, overwritten=overwritten)
            setattr(self, name, run)
        return getattr(self, name)(*bound.args[1:])

    return method


def _jax(model, function, state, overwritten):
    import jax

    # The first argument is the weights.
    donated = tuple(1 + place for place in overwritten)

    @functools.partial(jax.jit, donate_argnums=donated)
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


def _tensorflow(model, function, state, overwritten):
    import tensorflow as tf

    # Without XLA a loop copies the whole state at each step.
    return tf.function(function, autograph=False, jit_compile=True)


def _torch(model, function, state, overwritten):
    import torch

    return torch.no_grad()(function)
