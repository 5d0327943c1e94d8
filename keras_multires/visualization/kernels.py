import numpy as np
from keras import ops

from keras_multires._validation import check_integer
from keras_multires.layers.multires_layer import MultiresLayer
from keras_multires.visualization.arguments import axes_or_new
from keras_multires.visualization.arguments import channels_or_first
from keras_multires.visualization.arguments import check_axes
from keras_multires.visualization.arguments import check_layer


def plot_kernels(layer, length, channels=None, ax=None):
    """Draws kernels of a multiresolution layer against the lag.

    The end of the receptive field is marked if it lies within `length`, and
    named in the legend anyway.

    Args:
        layer: A built `MultiresLayer`.
        length: Integer, number of lags to draw.
        channels: Integers, the channels whose kernels are drawn. Defaults to
            the first three.
        ax: Axes to draw on. By default those of a new figure.

    Returns:
        The figure.

    Raises:
        ValueError: if a channel is not one of the layer's, `length` is not a
            positive integer, or the layer is not a `MultiresLayer` or not
            built.
    """
    check_layer(layer, MultiresLayer)
    check_axes("ax", ax)
    length = check_integer("length", length)
    kernel = ops.convert_to_numpy(layer.kernel(length))
    channels = channels_or_first(channels, kernel.shape[1])
    ax = axes_or_new(ax)
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
