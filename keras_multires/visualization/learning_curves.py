"""Plot of learning curves."""

from matplotlib.ticker import MaxNLocator

from keras_multires._validation import check_numbers
from keras_multires._validation import check_string
from keras_multires._validation import require
from keras_multires.visualization._axes import axes_or_new

__all__ = ["plot_learning_curves"]


def plot_learning_curves(history, metric="loss", ax=None):
    """Draws a metric of training and validation against the epoch.

    Args:
        history: Dict from names to one value per epoch, such as the `history`
            attribute of what `model.fit` returns, or the columns of the file
            that `keras.callbacks.CSVLogger` writes.
        metric: Name of the metric. `"val_" + metric` is drawn too if `history`
            holds it.
        ax: Axes to draw on. Defaults to those of a new figure.

    Returns:
        The figure.

    Raises:
        ValueError: if `history` does not hold the metric, or holds anything but
            numbers for it.
    """
    check_string("metric", metric)
    # Not only a dict: a table of pandas works too.
    is_table = hasattr(history, "keys") and hasattr(history, "__getitem__")
    expected = (
        "`history` must be a dict of lists, as the attribute `history` of what "
        "`model.fit` returns."
    )
    require(is_table, expected, history=history)
    names = ", ".join(map(repr, history)) or "there is none"
    expected = f"`metric` must be one of `history`: {names}."
    require(metric in history, expected, metric=metric)
    training = _values(history, metric)
    validation = None
    if f"val_{metric}" in history:
        validation = _values(history, f"val_{metric}")
    ax = axes_or_new(ax)
    _draw(ax, training, "training")
    if validation is not None:
        _draw(ax, validation, "validation")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    ax.set_xlabel("epoch")
    ax.set_ylabel(metric)
    ax.legend()
    return ax.figure


def _values(history, name):
    values = check_numbers("history", history[name])
    expected = "`history` must hold one value an epoch."
    require(values.ndim == 1, expected, f"history[{name!r}]={history[name]!r}")
    return values


def _draw(ax, values, label):
    # The dots make a single epoch visible.
    ax.plot(range(1, len(values) + 1), values, marker=".", label=label)
