"""Options of layers: declared once, then stored, shown and serialized.

A constructor declares the options that it uses, and passes the others on as
`**options`. The decorator `declares_options` does what would otherwise stand
beside each of them: it stores an option under its own name, turns the name of
an initializer, regularizer, constraint or activation into the object, and shows
the options of the constructors that this one passes options on to.
"""

import functools
import inspect

import keras

from keras_multires._validation import check_keras_object

# Keras's layers store and serialize these.
KERAS_OPTIONS = ("activity_regularizer", "trainable", "dtype", "name")
KERAS_OBJECTS = ("initializer", "regularizer", "constraint", "activation")


def declares_options(*constructors):
    """Decorator of a constructor that declares options of a layer.

    Args:
        *constructors: Functions that the decorated one passes options on to.

    Returns:
        A decorator. It stores each declared option that the constructor has not
        stored itself, for instance as an `int`.
    """

    def decorate(constructor):
        signature = inspect.signature(constructor)
        instance, *declared, rest = signature.parameters.values()
        names = [p.name for p in declared if p.name not in KERAS_OPTIONS]

        @functools.wraps(constructor)
        def construct(self, *args, **kwargs):
            constructor(self, *args, **kwargs)
            given = signature.bind(self, *args, **kwargs)
            given.apply_defaults()
            for name in names:
                if not hasattr(self, name):
                    value = given.arguments[name]
                    if name.endswith(KERAS_OBJECTS):
                        value = check_keras_object(name, value)
                    setattr(self, name, value)

        shown = [instance, *declared]
        for other in constructors:
            for parameter in inspect.signature(other).parameters.values():
                known = [parameter.name for parameter in shown]
                is_rest = parameter.kind is parameter.VAR_KEYWORD
                if not is_rest and parameter.name not in known:
                    kind = parameter.KEYWORD_ONLY
                    shown.append(parameter.replace(kind=kind))
        construct.__signature__ = signature.replace(parameters=[*shown, rest])
        construct.declared_options = names
        return construct

    return decorate


def options_of(layer):
    """The declared options of a layer, as `get_config` returns them."""
    options = {}
    for kind in type(layer).__mro__:
        constructor = vars(kind).get("__init__")
        for name in getattr(constructor, "declared_options", ()):
            value = getattr(layer, name)
            if name == "activation":
                options[name] = keras.activations.serialize(value)
            else:
                options[name] = keras.saving.serialize_keras_object(value)
    return options
