from matplotlib.ticker import MaxNLocator

from keras_multires._validation import check_numbers
from keras_multires._validation import check_string
from keras_multires.visualization.arguments import axes_or_new
from keras_multires.visualization.arguments import check_axes


def plot_learning_curves(history, metric="loss", ax=None):
    """Draws a metric of training and validation against the epoch.

    Args:
        history: Dict from names to one value an epoch, such as the `history`
            attribute of what `model.fit` returns, or `log.csv` of
            `keras.callbacks.CSVLogger` read into columns.
        metric: Name of the metric. `"val_" + metric` is drawn too if it is in
            `history`.
        ax: Axes to draw on. By default those of a new figure.

    Returns:
        The figure.

    Raises:
        ValueError: if `history` does not hold the metric, or anything but
            numbers of it.
    """
    check_axes("ax", ax)
    check_string("metric", metric)
    # A table of pandas will do.
    if not all(hasattr(history, name) for name in ("keys", "__getitem__")):
        raise ValueError(
            "`history` must be a dict of lists, as the attribute `history` of "
            f"what `model.fit` returns. Received: history={history!r}"
        )
    if metric not in history:
        raise ValueError(
            f"`metric` must be one of `history`: "
            f"{', '.join(map(repr, history)) or 'there is none'}. "
            f"Received: metric={metric!r}"
        )
    curves = {}
    for label, name in (
        ("training", metric),
        ("validation", f"val_{metric}"),
    ):
        if name in history:
            curves[label] = check_numbers("history", history[name])
            if curves[label].ndim != 1:
                raise ValueError(
                    "`history` must hold one value an epoch. Received: "
                    f"history[{name!r}]={history[name]!r}"
                )
    ax = axes_or_new(ax)
    for label, values in curves.items():
        epochs = range(1, len(values) + 1)
        # The dot makes a single epoch visible.
        ax.plot(epochs, values, marker=".", label=label)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    ax.set_xlabel("epoch")
    ax.set_ylabel(metric)
    ax.legend()
    return ax.figure
