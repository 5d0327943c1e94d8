"""Checks of constructor arguments, with one wording for every error."""

import math
import numbers


def check_integer(name, value, minimum=1):
    """The value as an `int`; a `ValueError` unless it is one >= `minimum`.

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
    return int(value)


def check_choice(name, value, choices):
    """Raises a `ValueError` unless `value` is one of `choices`."""
    if not isinstance(value, str) or value not in choices:
        raise ValueError(
            f"`{name}` must be one of {', '.join(map(repr, choices))}. "
            f"Received: {name}={value!r}"
        )


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
    """Raises a `ValueError` unless `value` is a finite number above 0."""
    if (
        isinstance(value, bool)
        or not isinstance(value, numbers.Real)
        or not 0 < value < math.inf
    ):
        raise ValueError(
            f"`{name}` must be a finite number above 0. "
            f"Received: {name}={value!r}"
        )
