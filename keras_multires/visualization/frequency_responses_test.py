import numpy as np
import pytest
import pywt
from keras import ops
from matplotlib.figure import Figure

from keras_multires import visualization
from keras_multires.layers import MultiresBlock
from keras_multires.layers import MultiresConv
from keras_multires.layers import MultiresLayer


@pytest.fixture
def ax():
    return Figure().subplots()


def build(layer):
    layer.build((None, 20, 4))
    return layer


def curves(ax):
    """The curves, without the empty lines of the legend."""
    return [line for line in ax.lines if len(line.get_xdata())]


def direct_gain(taps, frequencies):
    """`|sum_k h[k] exp(-2 pi i f k)|`, frequency by frequency."""
    return [
        abs(sum(h * np.exp(-2j * np.pi * f * k) for k, h in enumerate(taps)))
        for f in frequencies
    ]


@pytest.mark.parametrize("layer_class", [MultiresConv, MultiresLayer])
def test_the_curves_are_the_gains_of_the_filters(layer_class, ax):
    layer = build(layer_class(kernel_size=5))
    figure = visualization.plot_frequency_responses(layer, (3, 1), ax=ax)
    assert figure is ax.figure
    scaling, wavelet = map(
        ops.convert_to_numpy, (layer.scaling_filter, layer.wavelet_filter)
    )
    expected = [
        (scaling[:, 3], "-"),
        (wavelet[:, 3], "--"),
        (scaling[:, 1], "-"),
        (wavelet[:, 1], "--"),
    ]
    for line, (taps, style) in zip(curves(ax), expected, strict=True):
        frequencies, gains = line.get_data()
        assert (frequencies[0], frequencies[-1]) == (0, 0.5)
        np.testing.assert_allclose(
            gains, direct_gain(taps, frequencies), rtol=1e-5, atol=1e-5
        )
        assert line.get_linestyle() == style


@pytest.mark.parametrize("wavelet", ["haar", "db2"])
def test_a_wavelet_splits_the_power_into_low_and_high(wavelet, ax):
    layer = build(MultiresLayer(wavelet=wavelet))
    visualization.plot_frequency_responses(layer, channels=[2], ax=ax)
    low, high = (line.get_ydata() for line in curves(ax))
    np.testing.assert_allclose(low**2 + high**2, 2, rtol=1e-5)
    # At frequency 0, the gain is the sum of the taps.
    filters = pywt.Wavelet(wavelet)
    assert low[0] == pytest.approx(sum(filters.dec_lo), rel=1e-5)
    assert low[-1] == pytest.approx(0, abs=1e-5)
    assert high[0] == pytest.approx(0, abs=1e-5)


def test_colours_show_channels_and_line_styles_show_filters(ax):
    layer = build(MultiresLayer())
    visualization.plot_frequency_responses(layer, (0, 3), ax=ax)
    colours = [line.get_color() for line in curves(ax)]
    assert colours[0] == colours[1] != colours[2] == colours[3]
    shown = {
        text.get_text(): (line.get_color(), line.get_linestyle())
        for text, line in zip(
            ax.get_legend().get_texts(),
            ax.get_legend().get_lines(),
            strict=True,
        )
    }
    assert shown == {
        "channel 0": (colours[0], "-"),
        "channel 3": (colours[2], "-"),
        "scaling filter": ("black", "-"),
        "wavelet filter": ("black", "--"),
    }
    assert ax.get_xlabel() == "frequency (cycles per time step)"


def test_filters_longer_than_the_transform_are_not_truncated(ax):
    layer = MultiresConv(kernel_size=1500, depth=1)
    layer.build((None, 8, 1))
    visualization.plot_frequency_responses(layer, ax=ax)
    taps = ops.convert_to_numpy(layer.scaling_filter)[:, 0]
    frequencies, gains = ax.lines[0].get_data()
    angles = -2j * np.pi * np.outer(frequencies, np.arange(1500))
    np.testing.assert_allclose(gains, abs(np.exp(angles) @ taps), atol=1e-4)


def test_filters_in_half_precision_are_drawn(ax):
    layer = build(MultiresLayer(wavelet="haar", dtype="bfloat16"))
    visualization.plot_frequency_responses(layer, [0], ax=ax)
    assert curves(ax)[0].get_ydata()[0] == pytest.approx(2**0.5, rel=1e-2)


def test_a_channel_that_the_layer_does_not_have_is_refused():
    layer = build(MultiresLayer())
    with pytest.raises(ValueError, match=r"from 0 to 3.*channels=\(4,\)"):
        visualization.plot_frequency_responses(layer, (4,))


@pytest.mark.parametrize("layer", [MultiresLayer(), MultiresBlock(), None])
def test_anything_but_a_built_layer_is_refused(layer):
    message = r"`layer`.*`MultiresConv` or `MultiresLayer`.*Received: layer="
    with pytest.raises(ValueError, match=message):
        visualization.plot_frequency_responses(layer)
