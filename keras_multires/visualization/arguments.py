"""What the pictures do alike with their arguments."""

import numbers

from matplotlib import pyplot as plt


def axes_or_new(ax):
    """`ax`, or for None the axes of a new figure."""
    if ax is None:
        _, ax = plt.subplots(layout="constrained")
    return ax


def check_layer(layer, *kinds):
    """Raises a `ValueError` unless `layer` is a built layer of a kind."""
    if not isinstance(layer, kinds) or not layer.built:
        names = " or ".join(f"`{kind.__name__}`" for kind in kinds)
        raise ValueError(
            f"`layer` must be a {names} that is built: call it on inputs, or "
            f"its `build` with their shape, first. Received: layer={layer!r}"
        )


def is_channel(channel, count):
    """Whether `channel` is an index of one of `count` channels."""
    return isinstance(channel, numbers.Integral) and 0 <= channel < count


def channels_or_first(channels, count):
    """`channels`, or for None the first three of `count`.

    Raises a `ValueError` unless all are of `count` channels.
    """
    if channels is None:
        return range(min(count, 3))
    if not all(is_channel(channel, count) for channel in channels):
        raise ValueError(
            f"`channels` must be integers from 0 to {count - 1}. "
            f"Received: channels={channels!r}"
        )
    return channels
