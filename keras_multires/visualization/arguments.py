"""What the pictures do alike with their arguments."""

import numbers

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes


def check_axes(name, value):
    """Raises a `ValueError` unless `value` is None or axes of matplotlib."""
    if value is not None and not isinstance(value, Axes):
        raise ValueError(
            f"`{name}` must be None or axes of matplotlib. "
            f"Received: {name}={value!r}"
        )


def axes_or_new(ax):
    """`ax`, or for None the axes of a new figure."""
    if ax is None:
        _, ax = plt.subplots(layout="constrained")
    return ax


def check_layer(layer, *kinds, name="layer"):
    """Raises a `ValueError` unless `layer` is a built layer of a kind."""
    if not isinstance(layer, kinds) or not layer.built:
        names = " or ".join(f"`{kind.__name__}`" for kind in kinds)
        raise ValueError(
            f"`{name}` must be a {names} that is built: call it on inputs, or "
            f"its `build` with their shape, first. Received: {name}={layer!r}"
        )


def check_names(name, value, count=None):
    """Raises a `ValueError` unless `value` is a list of (`count`) strings."""
    is_list = isinstance(value, (list, tuple)) or (
        isinstance(value, np.ndarray) and value.ndim == 1
    )
    if (
        not is_list
        or not all(isinstance(item, str) for item in value)
        or count not in (None, len(value))
    ):
        number = "" if count is None else f"{count} "
        raise ValueError(
            f"`{name}` must be a list of {number}strings. "
            f"Received: {name}={value!r}"
        )


def is_channel(channel, count):
    """Whether `channel` is an index of one of `count` channels."""
    return (
        isinstance(channel, numbers.Integral)
        and not isinstance(channel, bool)
        and 0 <= channel < count
    )


def channels_or_first(channels, count):
    """`channels`, or for None the first three of `count`.

    Raises a `ValueError` unless all are of `count` channels.
    """
    if channels is None:
        return range(min(count, 3))
    problem = (
        f"`channels` must be a list of integers from 0 to {count - 1}. "
        f"Received: channels={channels!r}"
    )
    try:
        channels = list(channels)
    except TypeError as error:
        raise ValueError(problem) from error
    if not channels or not all(is_channel(c, count) for c in channels):
        raise ValueError(problem)
    return channels
