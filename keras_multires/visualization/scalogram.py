from collections.abc import Iterable

import numpy as np
from keras import ops
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

from keras_multires._precision import at_least_float32
from keras_multires._validation import check_numbers
from keras_multires._validation import check_positive
from keras_multires._validation import check_string
from keras_multires._validation import check_tensor
from keras_multires.layers.multires_conv import MultiresConv
from keras_multires.layers.multires_layer import MultiresLayer
from keras_multires.ops.filter_bank import default_depth
from keras_multires.ops.filter_bank import multires_memory
from keras_multires.ops.filter_bank import receptive_field
from keras_multires.ops.memory import detail_counts
from keras_multires.visualization.arguments import check_layer
from keras_multires.visualization.arguments import is_channel


def plot_scalogram(
    layer,
    inputs,
    channel=0,
    trace=None,
    sampling_rate=None,
    trace_label=None,
    axes=None,
):
    """Draws the memory of a channel as a scalogram under a trace.

    The memory `z[n]` of every time step `n` is a column of the image, coarse
    at the bottom to fine at the top: the approximation `a_J[n]` and the details
    `b_J[n]` to `b_1[n]`, each in a band of the same height and with its span,
    the time that one coefficient depends on. Where the `"uniform"` memory holds
    several of a level, `b_j[n - i 2^j]`, the band is divided among them, the
    most recent at the bottom; levels that it does not hold are left out.

    The coefficients of a band are divided by the largest magnitude among them,
    for the gain of a filter bank that was learned may differ between levels by
    orders of magnitude. So colours compare within a band, not across.

    Args:
        layer: A built `MultiresLayer` or `MultiresConv`.
        inputs: Float array `(length, channels)`, what enters the layer.
        channel: Integer, the channel whose memory is drawn.
        trace: Float array `(length,)` to draw above, such as one lead of an
            ECG in mV. Defaults to the channel of the inputs.
        sampling_rate: Number of time steps a second, in Hz. With it, times are
            in seconds.
        trace_label: Text at the axis of the trace.
        axes: Pair of axes to draw on, the one of the trace first, which should
            share their time axis. By default those of a new figure.

    Returns:
        The figure.

    Raises:
        ValueError: if the layer is not one of the two or not built, or another
            argument does not fit it or is out of its range.
    """
    check_layer(layer, MultiresConv, MultiresLayer)
    channels = layer.scaling_filter.shape[1]
    inputs = check_tensor("inputs", inputs)
    # NumPy knows no bfloat16.
    inputs = ops.cast(inputs, at_least_float32(inputs.dtype))
    inputs = ops.convert_to_numpy(inputs)
    if inputs.ndim != 2 or inputs.shape[1] != channels or not len(inputs):
        raise ValueError(
            f"`inputs` must have the shape (length, {channels}) with at least "
            f"one step. Received: inputs.shape={inputs.shape}"
        )
    if not is_channel(channel, channels):
        raise ValueError(
            f"`channel` must be an integer from 0 to {channels - 1}. "
            f"Received: channel={channel!r}"
        )
    if trace_label is None:
        trace_label = f"input, channel {channel}" if trace is None else "trace"
    check_string("trace_label", trace_label)
    if trace is None:
        trace = inputs[:, channel]
    trace = check_numbers("trace", trace)
    if trace.shape != inputs.shape[:1]:
        raise ValueError(
            f"`trace` must have the shape {inputs.shape[:1]}, one value for "
            f"each step of the inputs. Received: trace.shape={trace.shape}"
        )
    if sampling_rate is not None:
        check_positive("sampling_rate", sampling_rate)
    if axes is not None:
        pair = list(axes) if isinstance(axes, Iterable) else []
        if len(pair) != 2 or not all(isinstance(ax, Axes) for ax in pair):
            raise ValueError(
                "`axes` must be None or a pair of axes of matplotlib. "
                f"Received: axes={axes!r}"
            )
        axes = pair
    bands, labels = _memory_bands(layer, inputs, channel)
    if axes is None:
        _, axes = plt.subplots(
            2, sharex=True, height_ratios=(1, 2), layout="constrained"
        )
    trace_ax, memory_ax = axes
    step, time, unit = 1, "time step", "time steps"
    if sampling_rate is not None:
        step, time, unit = 1 / sampling_rate, "time (s)", "s"
    time_edges = (np.arange(len(trace) + 1) - 0.5) * step
    trace_ax.plot(np.arange(len(trace)) * step, trace, "k", linewidth=1)
    trace_ax.set_ylabel(trace_label)
    band_edges = [
        np.linspace(bottom, bottom + 1, len(band), endpoint=False)
        for bottom, band in enumerate(bands)
    ]
    image = memory_ax.pcolorfast(
        time_edges,
        np.append(np.concatenate(band_edges), len(bands)),
        np.concatenate([_to_largest(band) for band in bands]),
        cmap="RdBu_r",
        vmin=-1,
        vmax=1,
    )
    for edge in range(1, len(bands)):
        memory_ax.axhline(edge, color="gray", linewidth=0.5)
    memory_ax.set_yticks(
        np.arange(len(bands)) + 0.5,
        [
            f"{name}  {span:,}"
            if sampling_rate is None
            else f"{name}  {span * step:.3g}"
            for name, span in labels
        ],
    )
    memory_ax.set_ylabel(f"coefficient and its span ({unit})")
    for ax in axes:
        ax.set_xlim(time_edges[0], time_edges[-1])
    memory_ax.set_xlabel(time)
    # Below: at the side, it would narrow one of the two time axes.
    ax.figure.colorbar(
        image,
        ax=memory_ax,
        location="bottom",
        aspect=50,
        label="coefficient / largest magnitude in its band",
    )
    return ax.figure


def _memory_bands(layer, inputs, channel):
    """The memory of a channel, one array for each level, coarse to fine.

    Returns:
        List of arrays `(count, length)`, the approximation first, and a list
        of pairs: the name of the level, and the time steps it looks back over.
    """
    taps = layer.kernel_size
    # `layer.depth` is None where the depth followed from the inputs.
    depth = default_depth(layer.receptive_field, taps)
    counts = detail_counts(taps, depth, layer.memory, layer.memory_size)
    precision = at_least_float32(layer.variable_dtype)
    tensors = (
        inputs[np.newaxis, :, channel : channel + 1],
        layer.scaling_filter[:, channel : channel + 1],
        layer.wavelet_filter[:, channel : channel + 1],
    )
    memory = multires_memory(
        *(ops.cast(tensor, precision) for tensor in tensors), counts
    )
    memory = ops.convert_to_numpy(memory)[0, :, 0].T
    bands = np.split(memory, np.cumsum((1, *counts))[:-1])
    details = [
        (
            f"$b_{{{level}}}$"
            if count == 1
            else rf"${count} \times b_{{{level}}}$",
            receptive_field(taps, level),
        )
        for level, count in zip(range(depth, 0, -1), counts, strict=True)
    ]
    labels = [(f"$a_{{{depth}}}$", receptive_field(taps, depth)), *details]
    held = [band for band in bands if len(band)]
    return held, labels[: len(held)]


def _to_largest(band):
    largest = np.abs(band).max()
    return band / largest if largest > 0 else band
