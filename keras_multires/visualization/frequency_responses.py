import numpy as np
from keras import ops

from keras_multires._precision import at_least_float32
from keras_multires.layers.multires_conv import MultiresConv
from keras_multires.layers.multires_layer import MultiresLayer
from keras_multires.visualization.arguments import axes_or_new
from keras_multires.visualization.arguments import channels_or_first
from keras_multires.visualization.arguments import check_axes
from keras_multires.visualization.arguments import check_layer

# Points of the transform at least, so half as many frequencies: enough for a
# curve that is smooth to the eye with filters of up to a hundred taps.
POINTS = 1024


def plot_frequency_responses(layer, channels=None, ax=None):
    """Draws the gain of a layer's filters against the frequency.

    The frequency response of a filter is `H(f) = sum_k h[k] exp(-2 pi i f k)`,
    and its magnitude the gain of an oscillation of `f` cycles a time step. The
    scaling filter is solid, the wavelet filter dashed. These are the filters as
    the first level applies them; level `j` spaces their taps `2^(j-1)` steps
    apart, so that its gain is `|H(2^(j-1) f)|`.

    Args:
        layer: A built `MultiresLayer` or `MultiresConv`.
        channels: Integers, the channels whose filters are drawn. Defaults to
            the first three.
        ax: Axes to draw on. By default those of a new figure.

    Returns:
        The figure.

    Raises:
        ValueError: if a channel is not one of the layer's, or the layer is not
            one of the two or not built.
    """
    check_layer(layer, MultiresConv, MultiresLayer)
    check_axes("ax", ax)
    channels = channels_or_first(channels, layer.scaling_filter.shape[1])
    ax = axes_or_new(ax)
    # With fewer points than taps, the transform would cut the filter short.
    points = max(POINTS, layer.scaling_filter.shape[0])
    frequencies = np.fft.rfftfreq(points)
    precision = at_least_float32(layer.variable_dtype)
    styles = {"scaling filter": "-", "wavelet filter": "--"}
    for channel_index, channel in enumerate(channels):
        for name, style in styles.items():
            # NumPy's transform takes no half precision.
            weights = ops.cast(
                getattr(layer, name.replace(" ", "_")), precision
            )
            taps = ops.convert_to_numpy(weights)[:, channel]
            ax.plot(
                frequencies,
                np.abs(np.fft.rfft(taps, points)),
                style,
                color=f"C{channel_index}",
            )
    handles = [
        ax.plot([], [], color=f"C{channel_index}", label=f"channel {channel}")
        for channel_index, channel in enumerate(channels)
    ] + [
        ax.plot([], [], style, color="black", label=name)
        for name, style in styles.items()
    ]
    ax.set_xlim(0, 0.5)
    ax.set_ylim(bottom=0)
    ax.set_xlabel("frequency (cycles per time step)")
    ax.set_ylabel("gain")
    # Below the axes: a curve may pass anywhere inside them.
    ax.legend(
        handles=[line for (line,) in handles],
        loc="upper center",
        bbox_to_anchor=(0.5, -0.13),
        ncols=3,
    )
    return ax.figure
