"""Pictures of what the layers learned, drawn with matplotlib.

Needs matplotlib, and so is imported by itself:
`from keras_multires import visualization`.
"""

import numpy as np
from keras import ops
from matplotlib import pyplot as plt
from matplotlib.ticker import MaxNLocator


def _axes(ax):
    if ax is None:
        _, ax = plt.subplots(layout="constrained")
    return ax


def plot_kernels(layer, length, channels=(0, 1, 2), ax=None):
    """Draws kernels of a multiresolution layer against the lag.

    The end of the receptive field is marked if it lies within `length`, and
    named in the legend anyway.

    Args:
        layer: A built `MultiresLayer`.
        length: Integer, number of lags to draw.
        channels: Integers, the channels whose kernels are drawn.
        ax: Axes to draw on. By default those of a new figure.

    Returns:
        The figure.

    Raises:
        ValueError: if a channel is not one of the layer's, `length` is not a
            positive integer, or the layer is not built.
    """
    kernel = ops.convert_to_numpy(layer.kernel(length))
    if not all(0 <= channel < kernel.shape[1] for channel in channels):
        raise ValueError(
            f"`channels` must be from 0 to {kernel.shape[1] - 1}. "
            f"Received: channels={channels!r}"
        )
    ax = _axes(ax)
    # One stair a lag: nothing lies between two lags.
    edges = np.arange(length + 1) - 0.5
    for channel in channels:
        ax.stairs(
            kernel[:, channel], edges, baseline=None, label=f"channel {channel}"
        )
    end = layer.receptive_field
    label = f"receptive field: {end} steps"
    if end <= length:
        ax.axvline(end - 0.5, color="black", linestyle="--", label=label)
    else:
        ax.plot([], [], " ", label=label)
    ax.set_xlim(-0.5, length - 0.5 + 0.02 * length)
    ax.set_xlabel("lag (time steps)")
    ax.set_ylabel("kernel")
    # Below the axes: a kernel may pass anywhere inside them.
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.13), ncols=2)
    return ax.figure


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
    ax = _axes(ax)
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
