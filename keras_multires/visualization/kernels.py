"""Plot of the kernels of a layer."""

import numpy as np
from keras import ops

from keras_multires._validation import check_integer
from keras_multires._validation import check_layer
from keras_multires.layers import MultiresLayer
from keras_multires.visualization._axes import axes_or_new
from keras_multires.visualization._axes import channels_or_first
from keras_multires.visualization._axes import legend_below

__all__ = ["plot_kernels"]


def plot_kernels(layer, length, channels=None, ax=None):
    """Draws kernels of a multiresolution layer against the lag.

    The legend says how long the receptive field is. A line marks its end if
    that lies within `length`.

    Args:
        layer: A built `MultiresLayer`.
        length: Integer, number of lags to draw.
        channels: Integers, the channels whose kernels are drawn. Defaults to
            the first three.
        ax: Axes to draw on. Defaults to those of a new figure.

    Returns:
        The figure.

    Raises:
        ValueError: if the layer does not have one of the channels, `length` is
            not a positive integer, or the layer is not a built
            `MultiresLayer`.
    """
    check_layer(layer, MultiresLayer)
    length = check_integer("length", length)
    channels = channels_or_first(channels, layer.scaling_filter.shape[1])
    kernel = ops.convert_to_numpy(layer.kernel(length))
    ax = axes_or_new(ax)
    # Stairs, since a kernel does not have values between two lags.
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
    legend_below(ax, ncols=2)
    return ax.figure
