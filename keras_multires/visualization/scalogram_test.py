import keras
import matplotlib
import numpy as np
import pytest
from keras import ops
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from keras_multires import visualization
from keras_multires.layers import MultiresConv
from keras_multires.layers import MultiresLayer

matplotlib.use("agg")

LENGTH, CHANNELS = 40, 3


@pytest.fixture
def axes():
    return Figure().subplots(2, sharex=True)


@pytest.fixture
def inputs():
    values = np.random.default_rng(0).normal(size=(LENGTH, CHANNELS))
    return values.astype("float32")


def build(layer_class=MultiresConv, **kwargs):
    keras.utils.set_random_seed(0)
    layer = layer_class(**kwargs)
    layer.build((None, LENGTH, CHANNELS))
    return layer


def image(ax):
    (image,) = ax.images
    return image


def level_labels(ax):
    return [text.get_text() for text in ax.get_yticklabels()]


def slow_memory(signal, low, high, counts):
    """The memory by the definition, one coefficient at a time."""
    depth = len(counts)

    def approximation(level, n):
        if n < 0:
            return 0.0
        if level == 0:
            return signal[n]
        return convolved(low, level, n)

    def convolved(taps, level, n):
        lag = 2 ** (level - 1)
        return sum(
            tap * approximation(level - 1, n - lag * k)
            for k, tap in enumerate(taps)
        )

    rows = [[approximation(depth, n) for n in range(len(signal))]]
    for level, count in zip(range(depth, 0, -1), counts, strict=True):
        for i in range(count):
            times = [n - i * 2**level for n in range(len(signal))]
            rows.append(
                [convolved(high, level, n) if n >= 0 else 0.0 for n in times]
            )
    return np.array(rows)


@pytest.mark.parametrize("layer_class", [MultiresConv, MultiresLayer])
@pytest.mark.parametrize(
    ("options", "counts"),
    [
        ({"kernel_size": 2, "depth": 3}, (1, 1, 1)),
        ({"wavelet": "db2", "depth": 2}, (1, 1)),
        (
            {"depth": 4, "memory": "uniform", "memory_size": 6},
            (1, 2, 2, 0),
        ),
        ({"depth": 2, "memory": "uniform", "memory_size": 1}, (0, 0)),
    ],
)
def test_the_image_is_the_memory_normalised_in_each_band(
    layer_class, options, counts, inputs, axes
):
    layer = build(layer_class, **options)
    figure = visualization.plot_scalogram(layer, inputs, 1, axes=axes)
    assert figure is axes[0].figure
    low, high = (
        ops.convert_to_numpy(weights)[:, 1]
        for weights in (layer.scaling_filter, layer.wavelet_filter)
    )
    expected = slow_memory(inputs[:, 1], low, high, counts)
    start = 0
    for count in (1, *counts):
        band = expected[start : start + count]
        if count:
            band /= np.abs(band).max()
        start += count
    drawn = image(axes[1])
    np.testing.assert_allclose(drawn.get_array(), expected, atol=1e-5)
    assert drawn.get_clim() == (-1, 1)


def test_the_image_shows_what_the_layer_computes(inputs, axes):
    # Its depth follows from the length of the inputs.
    layer = build(kernel_size=3)
    visualization.plot_scalogram(layer, inputs, 2, axes=axes)
    memory = ops.convert_to_numpy(layer(inputs[np.newaxis]))[0, :, 2].T
    expected = memory / np.abs(memory).max(axis=1, keepdims=True)
    drawn = image(axes[1]).get_array()
    np.testing.assert_allclose(drawn, expected, atol=1e-5)


def test_levels_are_named_coarse_to_fine_from_the_bottom(inputs, axes):
    layer = build(wavelet="db2", depth=3)
    visualization.plot_scalogram(layer, inputs, axes=axes)
    assert level_labels(axes[1]) == [
        "$a_{3}$  22",
        "$b_{3}$  22",
        "$b_{2}$  10",
        "$b_{1}$  4",
    ]
    np.testing.assert_array_equal(axes[1].get_yticks(), [0.5, 1.5, 2.5, 3.5])
    assert axes[1].get_ylim() == (0, 4)
    assert "time steps" in axes[1].get_ylabel()


def test_levels_of_the_uniform_memory_have_bands_of_equal_height(inputs, axes):
    layer = build(depth=4, memory="uniform", memory_size=6)
    visualization.plot_scalogram(layer, inputs, axes=axes)
    assert level_labels(axes[1]) == [
        "$a_{4}$  16",
        "$b_{4}$  16",
        r"$2 \times b_{3}$  8",
        r"$2 \times b_{2}$  4",
    ]
    np.testing.assert_array_equal(axes[1].get_yticks(), [0.5, 1.5, 2.5, 3.5])
    # Each coefficient has its colour at the middle of its part of the band.
    axes[1].figure.draw_without_rendering()
    drawn = image(axes[1])
    for row, height in enumerate((0.5, 1.5, 2.25, 2.75, 3.25, 3.75)):
        shown = cursor_value(drawn, axes[1], 30, height)
        assert shown == pytest.approx(drawn.get_array()[row, 30])


def cursor_value(drawn, ax, x, y):
    from matplotlib.backend_bases import MouseEvent

    pixel = ax.transData.transform((x, y))
    event = MouseEvent("motion_notify_event", ax.figure.canvas, *pixel)
    return drawn.get_cursor_data(event)


def test_times_are_steps_without_a_sampling_rate(inputs, axes):
    visualization.plot_scalogram(build(), inputs, 1, axes=axes)
    (line,) = axes[0].lines
    np.testing.assert_array_equal(line.get_xdata(), np.arange(LENGTH))
    np.testing.assert_array_equal(line.get_ydata(), inputs[:, 1])
    assert axes[0].get_ylabel() == "input, channel 1"
    assert axes[1].get_xlabel() == "time step"
    for ax in axes:
        assert ax.get_xlim() == (-0.5, LENGTH - 0.5)


def test_times_are_seconds_with_a_sampling_rate(inputs, axes):
    layer = build(kernel_size=2, depth=3)
    trace = np.arange(LENGTH)
    visualization.plot_scalogram(
        layer,
        inputs,
        trace=trace,
        sampling_rate=100,
        trace_label="lead II (mV)",
        axes=axes,
    )
    (line,) = axes[0].lines
    np.testing.assert_allclose(line.get_xdata(), np.arange(LENGTH) / 100)
    np.testing.assert_array_equal(line.get_ydata(), trace)
    assert axes[0].get_ylabel() == "lead II (mV)"
    assert axes[1].get_xlabel() == "time (s)"
    assert axes[1].get_ylabel() == "coefficient and its span (s)"
    left, right, *_ = image(axes[1]).get_extent()
    assert (left, right) == pytest.approx((-0.005, 0.395))
    assert level_labels(axes[1])[-1] == "$b_{1}$  0.02"


def test_inputs_in_half_precision_are_drawn(inputs, axes):
    halved = ops.cast(inputs, "bfloat16")
    visualization.plot_scalogram(build(), halved, axes=axes)
    (line,) = axes[0].lines
    np.testing.assert_allclose(line.get_ydata(), inputs[:, 0], rtol=2**-8)


def test_a_silent_channel_is_drawn_as_zero(inputs, axes):
    inputs[:, 0] = 0
    visualization.plot_scalogram(build(), inputs, axes=axes)
    np.testing.assert_array_equal(image(axes[1]).get_array(), 0)


def test_a_figure_is_made_if_axes_are_not_given(inputs):
    figure = visualization.plot_scalogram(build(), inputs)
    trace_ax, memory_ax, colour_bar = figure.axes
    assert trace_ax.get_shared_x_axes().joined(trace_ax, memory_ax)
    assert "largest magnitude" in colour_bar.get_xlabel()
    plt.close(figure)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"inputs": np.ones((4, 2))}, r"\(length, 3\).*inputs.shape=\(4, 2\)"),
        ({"inputs": np.ones((0, 3))}, r"inputs.shape=\(0, 3\)"),
        ({"inputs": np.ones((1, 4, 3))}, r"inputs.shape=\(1, 4, 3\)"),
        ({"channel": 3}, r"from 0 to 2.*channel=3"),
        ({"trace": np.ones(39)}, r"\(40,\).*trace.shape=\(39,\)"),
        ({"sampling_rate": 0}, r"above 0.*sampling_rate=0"),
        ({"sampling_rate": "100"}, r"sampling_rate='100'"),
        ({"layer": MultiresConv(depth=2)}, r"that is built.*layer="),
    ],
)
def test_arguments_that_do_not_fit_are_refused(options, message, inputs):
    arguments = {"layer": build(), "inputs": inputs, **options}
    with pytest.raises(ValueError, match=message):
        visualization.plot_scalogram(**arguments)
