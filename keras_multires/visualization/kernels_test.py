import matplotlib
import numpy as np
import pytest
from keras import ops
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from keras_multires import visualization
from keras_multires.layers import MultiresLayer

matplotlib.use("agg")


@pytest.fixture
def layer():
    layer = MultiresLayer(kernel_size=2, depth=3)
    layer.build((None, 8, 4))
    return layer


@pytest.fixture
def ax():
    return Figure().subplots()


def legend(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def test_the_curves_are_the_kernels_of_the_chosen_channels(layer, ax):
    figure = visualization.plot_kernels(layer, 12, channels=(3, 1), ax=ax)
    assert figure is ax.figure
    assert legend(ax)[:2] == ["channel 3", "channel 1"]
    kernel = ops.convert_to_numpy(layer.kernel(12))
    for stairs, channel in zip(ax.patches, (3, 1), strict=True):
        values, edges, _ = stairs.get_data()
        np.testing.assert_array_equal(values, kernel[:, channel])
        np.testing.assert_array_equal(edges, np.arange(13) - 0.5)


@pytest.mark.parametrize("length", [8, 12])
def test_the_receptive_field_is_marked_after_its_last_lag(layer, ax, length):
    visualization.plot_kernels(layer, length, ax=ax)
    (mark,) = ax.lines
    assert layer.receptive_field == 8
    assert set(mark.get_xdata()) == {7.5}
    assert ax.get_xlim()[1] >= 7.5
    assert legend(ax)[-1] == "receptive field: 8 steps"


def test_a_receptive_field_beyond_the_plot_is_only_named(layer, ax):
    visualization.plot_kernels(layer, 5, ax=ax)
    (mark,) = ax.lines
    assert len(mark.get_xdata()) == 0
    assert ax.get_xlim()[1] < 7.5
    assert legend(ax)[-1] == "receptive field: 8 steps"


@pytest.mark.parametrize("channel", [4, -1, 0.5])
def test_a_channel_that_the_layer_does_not_have_is_refused(layer, channel):
    message = rf"from 0 to 3.*channels=\(0, {channel}\)"
    with pytest.raises(ValueError, match=message):
        visualization.plot_kernels(layer, 8, channels=(0, channel))


def test_a_figure_is_made_if_axes_are_not_given(layer):
    figure = visualization.plot_kernels(layer, 8)
    assert len(figure.axes) == 1
    plt.close(figure)


@pytest.mark.parametrize(
    ("num_channels", "num_drawn"), [(1, 1), (2, 2), (5, 3)]
)
def test_the_first_channels_are_drawn_by_default(ax, num_channels, num_drawn):
    layer = MultiresLayer(depth=2)
    layer.build((None, None, num_channels))
    expected = {f"channel {index}" for index in range(num_drawn)}
    for plot, arguments in (
        (visualization.plot_kernels, (layer, 8)),
        (visualization.plot_frequency_responses, (layer,)),
    ):
        plot(*arguments, ax=ax)
        assert {t for t in legend(ax) if t.startswith("channel")} == expected
