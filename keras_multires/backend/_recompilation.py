"""Compiled functions that notice when their model changes.

A compiled function keeps the model as it was when it was traced. LoRA,
quantization, another dtype policy, activation or layer change what must run.
"""

import functools

import keras

# Of the attributes that every model has, those that change its outputs.
STRUCTURE = {
    "_dtype_policy",
    "_layers",
    "_non_trainable_variables",
    "_trainable_variables",
    "autocast",
}
SET_BY_TRAINING = {
    "_compiled_trainable_state",
    "history",
    "optimizer",
    "stop_evaluating",
    "stop_predicting",
    "stop_training",
}


def recompiled_on_change(model, compile_function):
    """The function that `compile_function` returns, made again after a change.

    Args:
        model: The `keras.Model` that the function computes with.
        compile_function: Function without arguments that returns the compiled
            function of the model as it is.
    """
    kept = None

    def call(*arguments):
        nonlocal kept
        # One read, since another thread may replace it.
        version = kept
        if version is None or not version.is_current():
            version = kept = _Version(model, compile_function, version)
        return version.function(*arguments)

    return call


class _Version:
    """A compiled function, and all attributes of the layers behind it."""

    def __init__(self, model, compile_function, before):
        layers = list(model._flatten_layers())
        self.attributes = [vars(layer) for layer in layers]
        self.copies = [_copy(attributes) for attributes in self.attributes]
        # `fit` sets attributes, too, which must not cost another compilation.
        self.structure = [
            (layer, {k: v for k, v in copy.items() if _changes_outputs(k)})
            for layer, copy in zip(layers, self.copies, strict=True)
        ]
        if before is not None and _are_equal(before.structure, self.structure):
            self.function = before.function
        else:
            self.function = compile_function()

    def is_current(self):
        return _are_equal(self.attributes, self.copies)


def _copy(attributes):
    """The attributes, with copies of the lists and dicts among them."""
    return {
        name: value.copy() if isinstance(value, (dict, list, set)) else value
        for name, value in attributes.items()
    }


def _are_equal(first, second):
    try:
        return first == second
    except Exception:
        # Two arrays, or two variables: they are not the same object, or they
        # would not have been compared.
        return False


@functools.cache
def _changes_outputs(attribute):
    if attribute in STRUCTURE:
        return True
    return not (
        attribute in vars(keras.Model())
        or attribute in SET_BY_TRAINING
        or attribute.startswith("_self_")  # TensorFlow's own
    )
