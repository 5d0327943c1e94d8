from matplotlib.ticker import MaxNLocator

from keras_multires.visualization.arguments import axes_or_new


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
        ValueError: if `history` does not hold the metric.
    """
    if metric not in history:
        raise ValueError(
            f"`metric` must be one of {', '.join(map(repr, history))}. "
            f"Received: metric={metric!r}"
        )
    ax = axes_or_new(ax)
    curves = {"training": metric, "validation": f"val_{metric}"}
    for label, name in curves.items():
        if name in history:
            epochs = range(1, len(history[name]) + 1)
            # The dot makes a single epoch visible.
            ax.plot(epochs, history[name], marker=".", label=label)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set_xlabel("epoch")
    ax.set_ylabel(metric)
    ax.legend()
    return ax.figure
