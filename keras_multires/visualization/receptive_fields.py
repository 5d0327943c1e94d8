"""Effective receptive fields of layers, and a plot of them."""

from collections.abc import Iterable

import numpy as np
from keras import ops
from matplotlib.ticker import MaxNLocator
from matplotlib.ticker import ScalarFormatter

from keras_multires._validation import check_integer
from keras_multires._validation import check_layer
from keras_multires._validation import require
from keras_multires.layers import MultiresLayer
from keras_multires.visualization._axes import axes_or_new
from keras_multires.visualization._axes import legend_below

__all__ = ["effective_receptive_field", "plot_effective_receptive_fields"]


def effective_receptive_field(layer, length):
    """Mean distance back in time of the inputs that an output depends on.

    Let `J[n, m]` be the derivative of output `n` by input `m` of one channel,
    in a sequence of `length` time steps. Each row of `|J|`, normalised to the
    sum 1, weighs the present and past inputs of the output of that row. The
    mean distance of the row is `sum_l l |J[n, n - l]|` with these weights. The
    effective receptive field is the mean of that over all rows
    `n = 0 .. length - 1`, where a row of zeros counts as distance 0. It lies
    between 0 (no memory) and `(length - 1) / 2` (only the first input counts),
    and is `(length - 1) / 4` if all inputs have the same weight.

    The layer applies an activation after a convolution with the kernel `kappa`,
    so `J[n, n - l]` is `kappa[l]` times the derivative of the activation. All
    entries of row `n` share that factor, and the normalisation removes it. The
    result therefore does not depend on the inputs and does not need
    differentiation. (Rows where that derivative is zero count as if it were
    not.)

    Args:
        layer: A built `MultiresLayer`.
        length: Integer, number of time steps of the sequence.

    Returns:
        Float64 NumPy array `(channels,)`, in time steps.

    Raises:
        ValueError: if `length` is not a positive integer, or the layer is not
            a built `MultiresLayer`.

    Example:

    >>> layer = keras_multires.layers.MultiresLayer()
    >>> layer.build((None, 1000, 8))
    >>> visualization.effective_receptive_field(layer, 1000).shape
    (8,)
    """
    check_layer(layer, MultiresLayer)
    return _effective_receptive_field(layer, check_integer("length", length))


def _effective_receptive_field(layer, length):
    kernel = ops.convert_to_numpy(layer.kernel(length))
    magnitudes = np.abs(kernel.astype("float64"))
    lags = np.arange(length)[:, np.newaxis]
    # Row n holds the lags 0 .. n, so its sums are partial sums.
    totals = np.cumsum(magnitudes, axis=0)
    moments = np.cumsum(lags * magnitudes, axis=0)
    distances = np.divide(
        moments,
        totals,
        out=np.zeros_like(moments),
        # Unlike `totals > 0`, this lets a NaN through.
        where=totals != 0,
    )
    return distances.mean(axis=0)


def plot_effective_receptive_fields(layers, length, ax=None):
    """Draws effective receptive fields beside the nominal ones.

    For each layer, the plot shows the range over its channels, their median,
    and the receptive field that follows from its depth. The axis is linear
    from 0 to 1 and logarithmic above.

    Args:
        layers: List of built `MultiresLayer`, such as `block.multires_layer` of
            the blocks of a `MultiresNet`.
        length: Integer, number of time steps of the sequence; see
            `effective_receptive_field`.
        ax: Axes to draw on. Defaults to those of a new figure.

    Returns:
        The figure.

    Raises:
        ValueError: if `layers` is empty or holds anything but built
            `MultiresLayer`, or `length` is not a positive integer.
    """
    length = check_integer("length", length)
    expected = "`layers` must be a list of layers."
    require(isinstance(layers, Iterable), expected, layers=layers)
    layers = list(layers)
    require(layers, "`layers` must hold at least one layer.", layers=layers)
    for layer in layers:
        check_layer(layer, MultiresLayer, name="layers")
    fields = [_effective_receptive_field(layer, length) for layer in layers]
    nominal = [layer.receptive_field for layer in layers]
    ax = axes_or_new(ax)
    positions = np.arange(1, len(layers) + 1)
    ax.plot(
        positions,
        nominal,
        linestyle="none",
        marker="_",
        markersize=12,
        markeredgewidth=2,
        color="black",
        label="receptive field",
    )
    medians = np.array([np.median(field) for field in fields])
    ranges = np.array([[field.min(), field.max()] for field in fields]).T
    ax.errorbar(
        positions,
        medians,
        yerr=np.abs(ranges - medians),
        fmt="o",
        capsize=4,
        label=f"effective, over {length:,} steps: "
        "median and range of the channels",
    )
    ax.set_yscale("symlog", base=2, linthresh=1)
    ax.set_ylim(0, 1.5 * max(nominal))
    ax.yaxis.set_major_formatter(ScalarFormatter())
    ax.set_xlim(0.5, len(layers) + 0.5)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    ax.set_xlabel("layer")
    ax.set_ylabel("time steps")
    legend_below(ax)
    return ax.figure
