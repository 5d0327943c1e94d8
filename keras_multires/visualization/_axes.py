"""What the plots share: axes, the choice of channels, names and legends."""

from matplotlib import pyplot as plt
from matplotlib.axes import Axes

from keras_multires._validation import is_integer
from keras_multires._validation import require

POINTS_PER_INCH = 72


def axes_or_new(ax, figsize=None):
    """Returns `ax`, or the axes of a new figure if it is None.

    Call it after all checks, so that an error does not leave an empty figure.
    """
    if ax is None:
        _, ax = plt.subplots(figsize=figsize, layout="constrained")
    expected = "`ax` must be None or axes of matplotlib."
    require(isinstance(ax, Axes), expected, ax=ax)
    return ax


def size_points(ax):
    """Returns the width and the height of axes in points."""
    points_per_pixel = POINTS_PER_INCH / ax.figure.dpi
    return ax.bbox.width * points_per_pixel, ax.bbox.height * points_per_pixel


def is_channel(channel, count):
    """Whether `channel` is the index of one of `count` channels."""
    return is_integer(channel) and 0 <= channel < count


def channels_or_first(channels, count):
    """Returns a list of channels, by default the first three of `count`."""
    if channels is None:
        return list(range(min(count, 3)))
    try:
        chosen = list(channels)
    except TypeError:  # not iterable
        chosen = []
    are_right = chosen and all(is_channel(item, count) for item in chosen)
    expected = f"`channels` must be a list of integers from 0 to {count - 1}."
    require(are_right, expected, channels=channels)
    return chosen


def approximation_name(tree):
    """Name of the approximation that a tree remembers, such as `a_4`."""
    return f"$a_{{{tree.depth}}}$"


def details_name(level):
    """Name of the details remembered of a level, such as `2 x b_3`."""
    times = rf"{level.count} \times " if level.count > 1 else ""
    return f"${times}b_{{{level.number}}}$"


def legend_below(ax, **options):
    """Puts the legend below the axes: curves may pass anywhere inside them."""
    ax.legend(
        loc="upper center",
        bbox_to_anchor=(0.5, 0),
        borderaxespad=4,  # font sizes: room for the labels of the axis
        **options,
    )
