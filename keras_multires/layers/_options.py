"""Options of weights, and constructors that pass options on.

An option is declared once, by the constructor that uses it. Constructors above
it take `**options` and pass them on whole.
"""

import inspect

import keras

from keras_multires._validation import check_keras_object


def shows_options_of(*constructors):
    """Decorator that lists options that a constructor passes on as `**options`.

    `help` and documentation then show every option by its name and default.

    Args:
        *constructors: Functions whose options the decorated one passes on.
    """

    def decorate(function):
        signature = inspect.signature(function)
        *own, rest = signature.parameters.values()
        shown = {parameter.name: parameter for parameter in own}
        for constructor in constructors:
            for parameter in inspect.signature(constructor).parameters.values():
                if parameter.kind is not parameter.VAR_KEYWORD:
                    shown.setdefault(
                        parameter.name,
                        parameter.replace(kind=parameter.KEYWORD_ONLY),
                    )
        function.__signature__ = signature.replace(
            parameters=[*shown.values(), rest]
        )
        return function

    return decorate


def store_keras_objects(layer, **options):
    """Stores initializers, regularizers and constraints by their names.

    Args:
        layer: The layer to store them in.
        **options: What the user gave: an object, a name, a configuration or
            None each.

    Raises:
        ValueError: if Keras cannot make an object of one.
    """
    for name, value in options.items():
        setattr(layer, name, check_keras_object(name, value))


def serialize_keras_objects(layer, *prefixes):
    """The configurations of what `store_keras_objects` stored.

    Args:
        layer: The layer.
        *prefixes: Beginnings of the names, such as `"filter"`.
    """
    return {
        f"{prefix}_{kind}": keras.saving.serialize_keras_object(
            getattr(layer, f"{prefix}_{kind}")
        )
        for prefix in prefixes
        for kind in ("initializer", "regularizer", "constraint")
    }
