"""Compiles functions that use the weights of a model."""

import functools
import inspect

import keras

from keras_multires._validation import check_boolean
from keras_multires._validation import check_tensor
from keras_multires.backend import has_values


def compiled(model, function, state=(), overwritten=None):
    """`function` of tensors, compiled where the backend compiles.

    Gradients are not taken, and the function must not change any weight. The
    weights are read at each call, not at the first.

    Args:
        model: A built `keras.Model` whose weights `function` uses.
        function: Function of tensors to tensors, without side effects but on
            `state`.
        state: Variables that `function` may change and that are none of the
            model's.
        overwritten: Place of an argument that is not used again. `function`
            returns a pair, of which the second takes its place; JAX and
            TensorFlow write it there.

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
            overwritten = 1 if in_place else None
            run = compiled(self, function, overwritten=overwritten)
            setattr(self, name, run)
        return getattr(self, name)(*bound.args[1:])

    return method


def _jax(model, function, state, overwritten):
    import jax

    # The first argument is the weights.
    donated = () if overwritten is None else 1 + overwritten

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
    compile_by_xla = tf.function(autograph=False, jit_compile=True)
    if overwritten is None:
        return compile_by_xla(function)

    # XLA writes new values of variables where they are, but never those of
    # tensors. Integers stay tensors: XLA cannot reach their variables, which
    # TensorFlow keeps on the host, from a GPU.
    def variable(tensor):
        if isinstance(tensor, tf.Variable) or not tensor.dtype.is_floating:
            return tensor
        return tf.Variable(tensor, trainable=False)

    def value(leaf):
        return leaf.read_value() if isinstance(leaf, tf.Variable) else leaf

    def assign(old, new):
        # A state that was stored may come back in another precision.
        if isinstance(old, tf.Variable) and old.dtype == new.dtype:
            old.assign(new)
            return None
        return new

    @compile_by_xla
    def run(*arguments):
        outputs, updated = function(*keras.tree.map_structure(value, arguments))
        return outputs, keras.tree.map_structure(
            assign, arguments[overwritten], updated
        )

    @functools.wraps(function)
    def call(*arguments):
        arguments = list(arguments)
        before = keras.tree.map_structure(variable, arguments[overwritten])
        arguments[overwritten] = before
        outputs, updated = run(*arguments)
        return outputs, keras.tree.map_structure(
            lambda old, new: old if new is None else new, before, updated
        )

    return call


def _torch(model, function, state, overwritten):
    import torch

    return torch.no_grad()(function)
