"""Checks of arguments, with one wording for every error."""

import math
import numbers
import os
import re
from pathlib import Path

import keras
import numpy as np
from keras import ops

# Sizes and counts are at most what an int32 holds: backends index with it, and
# JAX has no larger integer by default.
LARGEST = 2**31 - 1
# Lengths that no tensor needs to have, such as that of a receptive field.
LONGEST = 2**63 - 1

_KERAS_OBJECTS = {
    "activation": keras.activations,
    "constraint": keras.constraints,
    "initializer": keras.initializers,
    "regularizer": keras.regularizers,
}


def check_integer(name, value, minimum=1, maximum=LARGEST):
    """The value as an `int`; a `ValueError` unless it is one in the range.

    NumPy's integers pass, but must not go further: they overflow, and Keras
    takes none.
    """
    if (
        isinstance(value, bool)
        or not isinstance(value, numbers.Integral)
        or value < minimum
    ):
        raise ValueError(
            f"`{name}` must be an integer of at least {minimum}. "
            f"Received: {name}={value!r}"
        )
    if value > maximum:
        raise ValueError(
            f"`{name}` must be an integer of at most {maximum}. "
            f"Received: {name}={value!r}"
        )
    return int(value)


def check_boolean(name, value):
    """The value as a `bool`; a `ValueError` unless it is True or False."""
    if not isinstance(value, (bool, np.bool_)):
        raise ValueError(
            f"`{name}` must be True or False. Received: {name}={value!r}"
        )
    return bool(value)


def check_verbose(verbose):
    """Raises a `ValueError` unless `verbose` is 0 or 1, or a boolean."""
    if not isinstance(verbose, (bool, np.bool_)):
        check_choice("verbose", verbose, (0, 1))


def check_choice(name, value, choices):
    """The value; a `ValueError` unless it is one of strings or of integers."""
    kind = str if isinstance(choices[0], str) else numbers.Integral
    if (
        isinstance(value, bool)
        or not isinstance(value, kind)
        or value not in choices
    ):
        *others, last = map(repr, choices)
        listed = (
            f"one of {', '.join((*others, last))}"
            if kind is str
            else f"{', '.join(others)} or {last}"
        )
        raise ValueError(
            f"`{name}` must be {listed}. Received: {name}={value!r}"
        )
    return str(value) if kind is str else int(value)


def check_rate(name, value):
    """Raises a `ValueError` unless `value` is a number in [0, 1)."""
    if (
        isinstance(value, bool)
        or not isinstance(value, numbers.Real)
        or not 0 <= value < 1
    ):
        raise ValueError(
            f"`{name}` must be a number from 0 (included) to 1 (excluded). "
            f"Received: {name}={value!r}"
        )


def check_positive(name, value):
    """Raises a `ValueError` unless `value` is a finite number above 0.

    One that float32, in which backends compute, would round to 0 or infinity
    is none.
    """
    limits = np.finfo("float32")
    if (
        isinstance(value, bool)
        or not isinstance(value, numbers.Real)
        or not 0 < value < math.inf
        or not float(limits.tiny) <= value <= float(limits.max)
    ):
        raise ValueError(
            f"`{name}` must be a finite number above 0, in the range of "
            f"float32. Received: {name}={value!r}"
        )


def check_seed(name, value):
    """The value as an `int` or None; a `ValueError` unless Keras takes it.

    `keras.random` holds a seed in 32 bits without a sign.
    """
    return None if value is None else check_integer(name, value, 0, 2**32 - 1)


def check_string(name, value):
    """Raises a `ValueError` unless `value` is a string."""
    if not isinstance(value, str):
        raise ValueError(
            f"`{name}` must be a string. Received: {name}={value!r}"
        )


def check_function(name, value):
    """Raises a `ValueError` unless `value` can be called."""
    if not callable(value):
        raise ValueError(
            f"`{name}` must be a function. Received: {name}={value!r}"
        )


def check_path(name, value):
    """The value as a `Path` with `~` expanded; a `ValueError` unless it is one.

    An empty string is none, though Python takes it for the current folder:
    rather, a variable was not set.
    """
    try:
        text = os.fspath(value)
        if isinstance(text, str) and text and "\0" not in text:
            return Path(text).expanduser()
    except (TypeError, RuntimeError):  # the latter for `~` of an unknown user
        pass
    raise ValueError(
        f"`{name}` must be a path: a string, not empty, or a `pathlib.Path`. "
        f"Received: {name}={value!r}"
    )


def check_url(name, value):
    """Raises a `ValueError` unless `value` is an address on the web."""
    if not isinstance(value, str) or not re.match(r"https?://", value):
        raise ValueError(
            f"`{name}` must start with http:// or https://. "
            f"Received: {name}={value!r}"
        )


def check_numbers(name, value):
    """The value as a NumPy array; a `ValueError` unless it holds real numbers.

    Booleans count as numbers.
    """
    try:
        array = np.asarray(value)
    # Of a tensor of another backend, say, a `RuntimeError` or a `TypeError`.
    except Exception as error:
        raise ValueError(
            f"`{name}` must be an array of numbers. Received: {name}={value!r}"
        ) from error
    if array.dtype.kind not in "biuf":
        raise ValueError(
            f"`{name}` must be an array of numbers. Received: {name}={value!r}"
        )
    return array


def check_tensor(name, value, axes=None, dtype=None, fits=None, cast_to=None):
    """The value as a tensor of numbers; a `ValueError` unless it is like that.

    Args:
        name: Name of the argument.
        value: Tensor, or what Keras makes one of. A `KerasTensor` stays one.
        axes: Tuple with the size of each axis, or its name where it may have
            any. Sizes that are not known yet fit. By default, any axes.
        dtype: Dtype to have, or `"float"` for one of floats. By default any
            but complex numbers and strings.
        fits: Name of the argument that sizes and dtype follow from, if any.
        cast_to: Dtype of the result. By default, that of the value.

    Returns:
        A tensor.
    """

    def fail(received, cause=None):
        expected = "numbers" if dtype is None else f"dtype {dtype}"
        if axes is not None:
            expected += f" and of the shape ({', '.join(map(str, axes))})"
        if fits is not None:
            expected += f", to fit `{fits}`"
        raise ValueError(
            f"`{name}` must be a tensor of {expected}. Received: {received}"
        ) from cause

    given = value
    if not isinstance(value, keras.KerasTensor):
        if not ops.is_tensor(value):
            try:
                # Of some texts, JAX makes a boolean.
                if any(
                    isinstance(leaf, (str, bytes))
                    for leaf in keras.tree.flatten(value)
                ):
                    raise TypeError("A text is no number.")
                value = ops.convert_to_tensor(value)
            # Each backend raises errors of its own.
            except Exception as error:
                fail(f"{name}={value!r}", error)
        # Of TensorFlow, complex numbers and strings are tensors, too.
        found = getattr(value.dtype, "name", str(value.dtype))
        found = found.removeprefix("torch.")
        is_right = (
            "complex" not in found and found != "string"
            if dtype is None
            else found == dtype or (dtype == "float" and "float" in found)
        )
        if not is_right:
            fail(f"{name}.dtype={found}")
    if axes is not None:
        shape = tuple(value.shape)
        if len(shape) != len(axes) or any(
            not isinstance(axis, str)
            and None not in (axis, size)
            and axis != size
            for axis, size in zip(axes, shape, strict=True)
        ):
            fail(f"{name}.shape={shape}")
    if cast_to is None:
        return value
    if value is given:
        return ops.cast(value, cast_to)
    # Not of the tensor: numbers of Python would be rounded to float32 first.
    return ops.convert_to_tensor(given, dtype=cast_to)


def keras_object(name, value):
    """What Keras makes of an initializer, regularizer, constraint, activation.

    Args:
        name: Name of the argument, the last word of which says what it is.
        value: The object, its name, its configuration, or None.

    Returns:
        As `keras.initializers.get` and its like.

    Raises:
        ValueError: if Keras makes nothing of it.
    """
    kind = name.rpartition("_")[2]
    try:
        return _KERAS_OBJECTS[kind].get(value)
    # Configurations that are none raise errors of several kinds.
    except Exception as error:
        raise ValueError(
            f"`{name}` must be None or what `keras.{kind}s.get` takes: an "
            f"object, its name or its configuration. "
            f"Received: {name}={value!r}"
        ) from error
