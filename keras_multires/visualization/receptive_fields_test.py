import keras
import numpy as np
import pytest
from matplotlib.figure import Figure

from keras_multires import visualization
from keras_multires.layers import MultiresConv
from keras_multires.layers import MultiresLayer


@pytest.fixture
def ax():
    return Figure().subplots()


def build(length=16, channels=3, **kwargs):
    layer = MultiresLayer(**kwargs)
    layer.build((None, length, channels))
    return layer


def mean_distance(jacobian):
    """Mean over all rows of the mean distance of a row, by slow loops."""
    distances = []
    for n, row in enumerate(np.abs(jacobian)):
        total = sum(row)
        moment = sum(abs(n - m) * row[m] for m in range(len(row)))
        distances.append(moment / total if total > 0 else 0.0)
    return sum(distances) / len(distances)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"wavelet": "db2"},
        {"memory": "uniform", "memory_size": 9, "kernel_size": 3, "depth": 3},
        {"depth": 2, "activation": "tanh"},
        # Kernels whose first lags are zero, so some rows are zero.
        {"delayed": 5},
        {"delayed": 100},
    ],
)
def test_the_field_matches_the_jacobian(options, gradients):
    length, channels = 16, 3
    options = dict(options)
    delayed = options.pop("delayed", 0)
    keras.utils.set_random_seed(3)
    layer = build(length, channels, algorithm="tree", **options)
    if delayed:
        # Taps (0, 1) make `b_j` the input of `2^j - 1` steps ago, so that the
        # weights of the fine levels are those of the first lags.
        taps = np.tile([[0.0], [1.0]], (1, channels))
        layer.scaling_filter.assign(taps)
        layer.wavelet_filter.assign(taps)
        layer.skip_weights.assign(np.zeros(channels))
        weights = np.random.default_rng(0).normal(size=(5, channels))
        weights[[2**j - 1 < delayed for j in (4, 4, 3, 2, 1)]] = 0
        layer.memory_weights.assign(weights)
    inputs = np.random.default_rng(1).normal(size=(1, length, channels))
    # Example n of the batch gives row n of the Jacobian of every channel.
    rows = np.eye(length)[:, :, np.newaxis] * np.ones(channels)
    _, jacobians, _ = gradients(layer, np.repeat(inputs, length, 0), rows)
    field = visualization.effective_receptive_field(layer, length)
    assert field.shape == (channels,)
    assert field.dtype == "float64"
    expected = [mean_distance(jacobians[:, :, c]) for c in range(channels)]
    np.testing.assert_allclose(field, expected, rtol=1e-4, atol=1e-6)
    if delayed == 100:
        np.testing.assert_array_equal(field, 0)


def test_a_skip_connection_alone_has_the_field_zero():
    layer = build(memory_initializer="zeros", skip_initializer="ones")
    field = visualization.effective_receptive_field(layer, 16)
    np.testing.assert_array_equal(field, 0)


@pytest.mark.parametrize("scale", [1, -3])
def test_the_field_of_equal_weights_is_a_quarter_of_the_length(scale):
    layer = build(
        depth=4,
        filter_initializer="ones",
        skip_initializer="zeros",
    )
    # Only the approximation, which is the sum of the last 16 inputs.
    weights = np.zeros((5, 3))
    weights[0] = scale
    layer.memory_weights.assign(weights)
    field = visualization.effective_receptive_field(layer, 16)
    np.testing.assert_allclose(field, 15 / 4, rtol=1e-6)


def test_the_plot_shows_range_median_and_nominal_field(ax):
    layers = [build(64, 5, depth=depth) for depth in (2, 4, 6)]
    figure = visualization.plot_effective_receptive_fields(layers, 64, ax=ax)
    assert figure is ax.figure
    nominal, medians = ax.lines[:2]
    np.testing.assert_array_equal(
        nominal.get_xydata(), [[1, 4], [2, 16], [3, 64]]
    )
    (bars,) = ax.collections
    for i, layer in enumerate(layers):
        field = visualization.effective_receptive_field(layer, 64)
        assert medians.get_xydata()[i] == pytest.approx(
            [i + 1, sorted(field)[2]]
        )
        low, high = bars.get_segments()[i]
        assert low == pytest.approx([i + 1, min(field)])
        assert high == pytest.approx([i + 1, max(field)])
    assert ax.get_yscale() == "symlog"
    assert ax.get_ylim()[0] == 0
    assert ax.get_ylim()[1] > 64
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("layer", "time steps")
    texts = [text.get_text() for text in ax.get_legend().get_texts()]
    assert texts == [
        "receptive field",
        "effective, over 64 steps: median and range of the channels",
    ]


def test_the_only_tick_of_one_layer_is_1(ax):
    layer = MultiresLayer(depth=3)
    layer.build((None, 20, 2))
    visualization.plot_effective_receptive_fields([layer], 20, ax=ax)
    assert [t for t in ax.get_xticks() if 0.5 <= t <= 1.5] == [1]


def test_weights_of_nan_give_a_field_of_nan():
    layer = MultiresLayer(depth=3)
    layer.build((None, 20, 2))
    layer.memory_weights.assign(np.full(layer.memory_weights.shape, np.nan))
    field = visualization.effective_receptive_field(layer, 20)
    assert np.isnan(field).all()


def test_an_empty_list_of_layers_is_refused():
    with pytest.raises(ValueError, match=r"at least one.*layers=\[\]"):
        visualization.plot_effective_receptive_fields([], 16)


@pytest.mark.parametrize("length", [0, 1.5])
def test_a_length_that_is_not_a_positive_integer_is_refused(length):
    layer = build()
    message = rf"`length`.*Received: length={length}"
    with pytest.raises(ValueError, match=message):
        visualization.effective_receptive_field(layer, length)
    with pytest.raises(ValueError, match=message):
        visualization.plot_effective_receptive_fields([layer], length)


@pytest.mark.parametrize("layer", [MultiresLayer(), MultiresConv(depth=1)])
def test_anything_but_a_built_layer_is_refused(layer):
    message = r"`layers?`.*`MultiresLayer` that is built.*Received: layers?="
    with pytest.raises(ValueError, match=message):
        visualization.effective_receptive_field(layer, 16)
    with pytest.raises(ValueError, match=message):
        visualization.plot_effective_receptive_fields([build(), layer], 16)
