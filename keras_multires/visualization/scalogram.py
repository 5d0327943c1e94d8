"""Plot of the memory of a layer."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from keras import ops
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

from keras_multires._precision import at_least_float32
from keras_multires._validation import check_layer
from keras_multires._validation import check_numbers
from keras_multires._validation import check_positive
from keras_multires._validation import check_string
from keras_multires._validation import check_tensor
from keras_multires._validation import require
from keras_multires.layers import MultiresConv
from keras_multires.layers import MultiresLayer
from keras_multires.ops import multires_memory
from keras_multires.visualization._axes import approximation_name
from keras_multires.visualization._axes import details_name
from keras_multires.visualization._axes import is_channel

__all__ = ["plot_scalogram"]


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

    A column of the image is the memory `z[n]` of a time step `n`, coarse at the
    bottom to fine at the top: the approximation `a_J[n]` and the details
    `b_J[n]` to `b_1[n]`. Each has a band of the same height. Its label names
    the coefficient and its span, the time that one coefficient depends on. If
    the `"uniform"` memory holds several coefficients of a level,
    `b_j[n - i 2^j]`, they share the band, the most recent at the bottom. Levels
    that it does not hold are left out.

    The coefficients of a band are divided by the largest magnitude among them,
    because the gain of learned filters may differ between levels by orders of
    magnitude. Colours can therefore be compared within a band, but not between
    bands.

    Args:
        layer: A built `MultiresLayer` or `MultiresConv`.
        inputs: Float array `(length, channels)`, the inputs of the layer.
        channel: Integer, the channel whose memory is drawn.
        trace: Float array `(length,)` to draw above, such as one lead of an
            ECG in mV. Defaults to the channel of the inputs.
        sampling_rate: Number of time steps per second, in Hz. With it, times
            are in seconds.
        trace_label: Label of the axis of the trace.
        axes: Pair of axes to draw on, first those of the trace, which should
            share their time axis. Defaults to those of a new figure.

    Returns:
        The figure.

    Raises:
        ValueError: if the layer is not a built layer of one of the two classes,
            or another argument does not fit it or is out of its range.
    """
    check_layer(layer, MultiresConv, MultiresLayer)
    inputs = _input_array(inputs, layer.scaling_filter.shape[1])
    channels = inputs.shape[1]
    expected = f"`channel` must be an integer from 0 to {channels - 1}."
    require(is_channel(channel, channels), expected, channel=channel)
    trace_label = _trace_label(trace_label, trace, channel)
    trace = _trace_array(trace, inputs, channel)
    if sampling_rate is not None:
        check_positive("sampling_rate", sampling_rate)
    bands = _bands(layer, inputs, channel)
    trace_ax, memory_ax = _pair_or_new(axes)
    step, unit, time_label = _time_scale(sampling_rate)
    trace_ax.plot(np.arange(len(trace)) * step, trace, "k", linewidth=1)
    trace_ax.set_ylabel(trace_label)
    time_edges = (np.arange(len(trace) + 1) - 0.5) * step
    _draw_bands(memory_ax, bands, time_edges)
    span_format = "," if sampling_rate is None else ".3g"
    labels = [
        f"{band.name}  {band.span * step:{span_format}}" for band in bands
    ]
    memory_ax.set_yticks(np.arange(len(bands)) + 0.5, labels)
    memory_ax.set_ylabel(f"coefficient and its span ({unit})")
    memory_ax.set_xlabel(time_label)
    for ax in (trace_ax, memory_ax):
        ax.set_xlim(time_edges[0], time_edges[-1])
    return memory_ax.figure


class _Band(NamedTuple):
    """Coefficients of one level, or the approximation."""

    name: str
    span: int  # time steps that one coefficient depends on
    coefficients: np.ndarray  # (count, length)


def _input_array(inputs, channels):
    inputs = check_tensor("inputs", inputs)
    # NumPy does not have bfloat16.
    inputs = ops.cast(inputs, at_least_float32(inputs.dtype))
    inputs = ops.convert_to_numpy(inputs)
    fit = inputs.ndim == 2 and inputs.shape[1] == channels and len(inputs)
    expected = (
        f"`inputs` must have the shape (length, {channels}) with at least one "
        "step."
    )
    require(fit, expected, f"inputs.shape={inputs.shape}")
    return inputs


def _trace_label(trace_label, trace, channel):
    if trace_label is None:
        return f"input, channel {channel}" if trace is None else "trace"
    check_string("trace_label", trace_label)
    return trace_label


def _trace_array(trace, inputs, channel):
    if trace is None:
        return inputs[:, channel]
    trace = check_numbers("trace", trace)
    shape = inputs.shape[:1]
    expected = (
        f"`trace` must have the shape {shape}, one value for each step of the "
        "inputs."
    )
    require(trace.shape == shape, expected, f"trace.shape={trace.shape}")
    return trace


def _pair_or_new(axes):
    """Two axes that share their time axis."""
    if axes is None:
        _, axes = plt.subplots(
            2, sharex=True, height_ratios=(1, 2), layout="constrained"
        )
    pair = list(axes) if isinstance(axes, Iterable) else []
    is_pair = len(pair) == 2 and all(isinstance(ax, Axes) for ax in pair)
    expected = "`axes` must be None or a pair of axes of matplotlib."
    require(is_pair, expected, axes=axes)
    return pair


def _time_scale(sampling_rate):
    """Duration of a time step, its unit, and the label of the time axis."""
    if sampling_rate is None:
        return 1, "time steps", "time step"
    return 1 / sampling_rate, "s", "time (s)"


def _bands(layer, inputs, channel):
    """The bands of a channel's memory, coarse to fine."""
    tree = layer.tree
    memory = _memory(layer, inputs, channel)
    name = approximation_name(tree)
    bands = [_Band(name, tree.receptive_field, memory[:1])]
    for level in reversed(tree.levels):
        if level.count:
            name, coefficients = details_name(level), memory[level.weights]
            bands.append(_Band(name, level.receptive_field, coefficients))
    return bands


def _memory(layer, inputs, channel):
    """The memory of a channel, an array `(M, length)`."""
    precision = at_least_float32(layer.variable_dtype)
    tensors = (
        inputs[np.newaxis, :, channel : channel + 1],
        layer.scaling_filter[:, channel : channel + 1],
        layer.wavelet_filter[:, channel : channel + 1],
    )
    tensors = [ops.cast(tensor, precision) for tensor in tensors]
    memory = multires_memory(*tensors, layer.tree)
    return ops.convert_to_numpy(memory)[0, :, 0].T


def _draw_bands(ax, bands, time_edges):
    """Draws bands of height 1, the first from 0 to 1, and their colour bar."""
    edges = [
        np.linspace(bottom, bottom + 1, len(band.coefficients), endpoint=False)
        for bottom, band in enumerate(bands)
    ]
    image = ax.pcolorfast(
        time_edges,
        np.append(np.concatenate(edges), len(bands)),
        np.concatenate([_normalized(band.coefficients) for band in bands]),
        cmap="RdBu_r",
        vmin=-1,
        vmax=1,
    )
    for edge in range(1, len(bands)):
        ax.axhline(edge, color="gray", linewidth=0.5)
    # At the side, the colour bar would narrow one of the two time axes.
    ax.figure.colorbar(
        image,
        ax=ax,
        location="bottom",
        aspect=50,
        label="coefficient / largest magnitude in its band",
    )


def _normalized(coefficients):
    largest = np.abs(coefficients).max()
    return coefficients / largest if largest > 0 else coefficients
