"""Plot of the frequency responses of the filters."""

import numpy as np
from keras import ops

from keras_multires._precision import at_least_float32
from keras_multires._validation import check_layer
from keras_multires.layers import MultiresConv
from keras_multires.layers import MultiresLayer
from keras_multires.visualization._axes import axes_or_new
from keras_multires.visualization._axes import channels_or_first
from keras_multires.visualization._axes import legend_below

__all__ = ["plot_frequency_responses"]

# Length of the Fourier transform, which gives half as many frequencies: enough
# for curves that look smooth with filters of up to a hundred taps.
MIN_TRANSFORM_POINTS = 1024


def plot_frequency_responses(layer, channels=None, ax=None):
    """Draws the gain of a layer's filters against the frequency.

    The frequency response of a filter is `H(f) = sum_k h[k] exp(-2 pi i f k)`.
    Its magnitude is the gain of an oscillation of `f` cycles per time step. The
    scaling filter is solid, the wavelet filter dashed. These are the filters as
    the first level applies them. Level `j` spaces their taps `2^(j-1)` steps
    apart, so its gain is `|H(2^(j-1) f)|`.

    Args:
        layer: A built `MultiresLayer` or `MultiresConv`.
        channels: Integers, the channels whose filters are drawn. Defaults to
            the first three.
        ax: Axes to draw on. Defaults to those of a new figure.

    Returns:
        The figure.

    Raises:
        ValueError: if the layer does not have one of the channels, or is not
            a built layer of one of the two classes.
    """
    check_layer(layer, MultiresConv, MultiresLayer)
    channels = channels_or_first(channels, layer.scaling_filter.shape[1])
    ax = axes_or_new(ax)
    frequencies, low = _gains(layer.scaling_filter)
    _, high = _gains(layer.wavelet_filter)
    for index, channel in enumerate(channels):
        colour, label = f"C{index}", f"channel {channel}"
        ax.plot(frequencies, low[:, channel], "-", color=colour, label=label)
        ax.plot(frequencies, high[:, channel], "--", color=colour)
    ax.plot([], [], "-", color="black", label="scaling filter")
    ax.plot([], [], "--", color="black", label="wavelet filter")
    ax.set_xlim(0, 0.5)
    ax.set_ylim(bottom=0)
    ax.set_xlabel("frequency (cycles per time step)")
    ax.set_ylabel("gain")
    legend_below(ax, ncols=3)
    return ax.figure


def _gains(weights):
    """The frequencies, and the gains `(frequencies, channels)` of filters."""
    # NumPy cannot transform half precision.
    precision = at_least_float32(weights.dtype)
    taps = ops.convert_to_numpy(ops.cast(weights, precision))
    # With fewer points than taps, the transform would truncate the filter.
    points = max(MIN_TRANSFORM_POINTS, len(taps))
    gains = np.abs(np.fft.rfft(taps, points, axis=0))
    return np.fft.rfftfreq(points), gains
