import keras
import numpy as np
import pytest
import pywt
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
from keras import ops

from keras_multires import backend
from keras_multires.layers.multires_layer import MultiresLayer
from testing.backends import BACKEND
from testing.backends import MODES
from testing.backends import run_function
from testing.paths import GOLDEN
from testing.strategies import tree_options

GOLDEN_LAYERS = sorted(path.stem for path in GOLDEN.glob("layer_*.npz"))
# Without the files there would be nothing to compare with, and no complaint.
assert len(GOLDEN_LAYERS) == 8
# Of one sequence of one channel, where "auto" takes the FFT.
SHORTEST = {"jax": 32, "tensorflow": 16, "torch": 3 * 2**15}[BACKEND]
WEIGHTS = ("scaling_filter", "wavelet_filter", "memory_weights", "skip_weights")


def golden_layer(config, arrays, **options):
    layer = MultiresLayer(**config, **options)
    layer.build(arrays["inputs"].shape)
    for name in WEIGHTS:
        getattr(layer, name).assign(arrays[name])
    return layer


def relative_error(actual, expected):
    return np.abs(actual - expected).max() / np.abs(expected).max()


@pytest.mark.parametrize("algorithm", ["tree", "fft"])
@pytest.mark.parametrize(
    ("mode", "dtype"),
    [
        (mode, dtype)
        for mode in MODES
        for dtype in ("float32", "float64")
        # Dynamo traces the same in both, for a quarter of a minute each time.
        if (mode, dtype) != ("compile", "float64")
    ],
)
@pytest.mark.parametrize("name", GOLDEN_LAYERS)
def test_outputs_and_gradients_are_those_of_the_published_layer(
    golden, gradients, double_precision, name, mode, dtype, algorithm
):
    config, arrays = golden(name)
    output_tolerance, gradient_tolerance = {
        "float32": (1e-5, 1e-4),
        "float64": (1e-10, 1e-10),
    }[dtype]
    options = {"algorithm": algorithm, "dtype": dtype}
    with double_precision():
        layer = golden_layer(config, arrays, **options)
        outputs, by_inputs, by_weights = gradients(
            layer, arrays["inputs"], arrays["cotangent"], mode
        )
        linear = golden_layer(config, arrays, **options, activation=None)
        preactivation = ops.convert_to_numpy(linear(arrays["inputs"]))

    assert outputs.dtype == dtype
    assert relative_error(outputs, arrays["outputs"]) < output_tolerance
    error = relative_error(preactivation, arrays["preactivation"])
    assert error < output_tolerance
    error = relative_error(by_inputs, arrays["grad_inputs"])
    assert error < gradient_tolerance
    for weight in WEIGHTS:
        error = relative_error(by_weights[weight], arrays[f"grad_{weight}"])
        assert error < gradient_tolerance, weight


@st.composite
def configurations(draw):
    """Options of a layer, and the shape of its inputs."""
    options = draw(tree_options(8, 10, 60))
    batch_size = draw(st.sampled_from([1, 3, 5]))
    length = draw(st.integers(1, 300))
    return options, (batch_size, length, draw(st.integers(1, 3)))


def slow_convolution(inputs, kernel):
    """`sum_k kernel[k] inputs[n - k]`, lag by lag."""
    outputs = np.zeros_like(inputs)
    for k in range(inputs.shape[1]):
        outputs[:, k:] += kernel[k] * inputs[:, : inputs.shape[1] - k]
    return outputs


@given(configurations(), st.integers(0, 2**31))
@settings(max_examples=20, deadline=None, derandomize=True)
def test_tree_and_fft_equal_a_slow_convolution(configuration, seed):
    options, shape = configuration
    keras.utils.set_random_seed(seed)
    inputs = np.random.default_rng(seed).normal(size=shape).astype("float32")
    layer = MultiresLayer(**options, activation=None)
    layer.build(shape)

    def all_ways(inputs):
        outputs = []
        for algorithm in ("tree", "fft"):
            layer.algorithm = algorithm
            outputs.append(layer(inputs))
        return outputs, layer.kernel(shape[1])

    # Compiled where that is cheap: JAX compiles each operation of each shape.
    mode = {"jit": "jit"}.get(MODES[-1], "eager")
    (tree, fft), kernel = run_function(all_ways, mode)(
        ops.convert_to_tensor(inputs)
    )

    expected = slow_convolution(inputs, ops.convert_to_numpy(kernel))
    scale = max(1.0, np.abs(expected).max())
    for outputs in (tree, fft):
        error = np.abs(ops.convert_to_numpy(outputs) - expected).max()
        assert error < 2e-5 * scale


@pytest.mark.parametrize(
    ("algorithm", "length", "uses_fft"),
    [
        ("tree", 4096, False),
        ("fft", 1, True),
        ("auto", SHORTEST, True),
        ("auto", SHORTEST - 1, False),
    ],
)
def test_the_algorithm_option_selects_the_tree_or_the_fft(
    monkeypatch, algorithm, length, uses_fft
):
    calls, convolve = [], backend.fft_convolve

    def spy(inputs, kernel):
        calls.append(kernel.shape)
        return convolve(inputs, kernel)

    monkeypatch.setattr(backend, "fft_convolve", spy)
    layer = MultiresLayer(depth=2, algorithm=algorithm)
    layer(np.ones((1, length, 1)))
    assert calls == [(min(length, 4), 1)] * uses_fft


@pytest.mark.parametrize("algorithm", ["tree", "fft"])
def test_integer_inputs_give_the_outputs_of_equal_floats(algorithm):
    inputs = np.random.default_rng(0).integers(0, 17, size=(2, 12, 3))
    layer = MultiresLayer(algorithm=algorithm)
    expected = ops.convert_to_numpy(layer(inputs.astype("float32")))
    for dtype in ("uint8", "int32"):
        outputs = ops.convert_to_numpy(layer(inputs.astype(dtype)))
        assert outputs.dtype == "float32"
        np.testing.assert_array_equal(outputs, expected)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "bfloat16"])
def test_half_precision_rounds_only_the_inputs_and_outputs_of_the_fft(policy):
    options = {"depth": 8, "algorithm": "fft", "activation": None}
    layer = MultiresLayer(**options, dtype=policy)
    exact = MultiresLayer(**options)
    inputs = np.random.default_rng(0).normal(size=(2, 200, 3))
    inputs = ops.cast(ops.cast(inputs, "bfloat16"), "float32")
    layer.build(inputs.shape)
    exact.build(inputs.shape)
    for name in WEIGHTS:
        weight = ops.cast(getattr(layer, name), "float32")
        getattr(exact, name).assign(weight)

    outputs = ops.convert_to_numpy(ops.cast(layer(inputs), "float32"))

    # bfloat16 holds 8 bits: one rounding is at most 2**-9 of the value.
    expected = ops.convert_to_numpy(exact(inputs))
    error = np.abs(outputs - expected)
    assert np.all(error <= 2**-8 * np.abs(expected) + 1e-6)
    assert error.max() > 0


def test_a_seeded_initializer_gives_two_different_filters():
    initializer = keras.initializers.RandomUniform(seed=1)
    filters = []
    for _ in range(2):
        layer = MultiresLayer(filter_initializer=initializer)
        layer.build((None, 8, 3))
        for weight in (layer.scaling_filter, layer.wavelet_filter):
            filters.append(ops.convert_to_numpy(weight))
    assert not np.array_equal(filters[0], filters[1])
    np.testing.assert_array_equal(filters[:2], filters[2:])


def test_numpy_integers_are_accepted_as_arguments():
    layer = MultiresLayer(
        np.int64(3),
        depth=np.int32(40),
        memory="uniform",
        memory_size=np.int8(9),
    )
    assert layer.receptive_field == (2**40 - 1) * 2 + 1
    assert layer(np.ones((1, 5, 2))).shape == (1, 5, 2)
    config = layer.get_config()
    for name in ("kernel_size", "depth", "memory_size"):
        assert type(config[name]) is int


@pytest.mark.parametrize(
    "options",
    [
        {"kernel_size": 3, "depth": 3},
        {"memory": "uniform", "memory_size": 13, "depth": 4},
        {"memory": "uniform", "memory_size": 1, "depth": 3},
        {"memory": "uniform", "memory_size": 18, "kernel_size": 5, "depth": 3},
    ],
)
@pytest.mark.parametrize("chunks", [(41,), (1, 1, 2, 30, 7), (5, 1, 35)])
def test_steps_in_chunks_give_the_whole_sequence(options, chunks):
    inputs = np.random.default_rng(0).normal(size=(3, 41, 2))
    layer = MultiresLayer(**options)
    expected = ops.convert_to_numpy(layer(inputs))

    state = layer.get_initial_state(3)
    outputs, start = [], 0
    for size in chunks:
        chunk = inputs[:, start : start + size]
        chunk_outputs, state = layer.step(chunk, state)
        outputs.append(ops.convert_to_numpy(chunk_outputs))
        start += size

    np.testing.assert_allclose(
        np.concatenate(outputs, axis=1), expected, atol=1e-5
    )


def test_compiled_steps_stay_exact_far_beyond_the_receptive_field(mode):
    options = {"depth": 2, "memory": "uniform", "memory_size": 4}
    inputs = np.random.default_rng(0).normal(size=(1, 50, 2)).astype("float32")
    layer = MultiresLayer(**options)
    expected = ops.convert_to_numpy(layer(inputs))
    step = run_function(layer.step, mode)

    state = layer.get_initial_state(1)
    for n in range(50):
        chunk = ops.convert_to_tensor(inputs[:, n : n + 1])
        outputs, state = step(chunk, state)
        np.testing.assert_allclose(
            ops.convert_to_numpy(outputs)[:, 0], expected[:, n], atol=1e-5
        )


@pytest.mark.parametrize("future", [np.nan, np.inf, 1e30])
@pytest.mark.parametrize("memory_size", [None, 9])
def test_in_the_tree_future_inputs_change_no_bit_of_past_outputs(
    future, memory_size, mode
):
    memory = "fading" if memory_size is None else "uniform"
    layer = MultiresLayer(
        depth=4, memory=memory, memory_size=memory_size, algorithm="tree"
    )
    call = run_function(layer, mode)
    inputs = np.random.default_rng(0).normal(size=(2, 20, 3)).astype("float32")
    layer.build(inputs.shape)
    changed = inputs.copy()
    changed[:, 11:] = future

    outputs = ops.convert_to_numpy(call(ops.convert_to_tensor(inputs)))
    after = ops.convert_to_numpy(call(ops.convert_to_tensor(changed)))

    assert outputs[:, :11].tobytes() == after[:, :11].tobytes()
    assert outputs[:, 11].tobytes() != after[:, 11].tobytes()


@pytest.mark.parametrize(
    ("options", "losses"),
    [
        ({"algorithm": "tree"}, 0),
        ({"algorithm": "fft", "kernel_size": 3, "dropout": 0.2}, 0),
        ({"memory": "uniform", "memory_size": 7, "independent_skip": True}, 0),
        ({"wavelet": "db2", "activation": "relu", "depth": 2}, 0),
        (
            {
                "filter_initializer": "ones",
                "memory_initializer": keras.initializers.Constant(0.5),
                "skip_initializer": "zeros",
                "filter_regularizer": "l1",
                "memory_regularizer": "l2",
                "skip_regularizer": keras.regularizers.L1L2(),
                "filter_constraint": "unit_norm",
                "memory_constraint": "max_norm",
                "skip_constraint": "non_neg",
            },
            4,
        ),
    ],
)
def test_layer_passes_the_harness_of_keras(run_layer_test, options, losses):
    run_layer_test(
        MultiresLayer,
        init_kwargs=options,
        input_shape=(2, 20, 3),
        expected_output_shape=(2, 20, 3),
        expected_num_trainable_weights=4,
        expected_num_non_trainable_weights=0,
        expected_num_seed_generators=1 * ("dropout" in options),
        expected_num_losses=losses,
        supports_masking=True,
    )


# Of the deepest tree, most delays are longer than any sequence, and than what
# an int32 holds.
@pytest.mark.parametrize("depth", [3, 61])
@pytest.mark.parametrize("algorithm", ["tree", "fft", "auto"])
def test_a_layer_of_given_depth_takes_sequences_of_any_length(algorithm, depth):
    layer = MultiresLayer(kernel_size=3, depth=depth, algorithm=algorithm)
    model = keras.Sequential([keras.Input((None, 2)), layer])
    assert model.output_shape == (None, None, 2)
    reference = MultiresLayer(kernel_size=3, depth=depth, algorithm="tree")
    reference.build((None, None, 2))
    reference.set_weights(layer.get_weights())
    for length in (1, 7, 40):
        inputs = np.random.default_rng(0).normal(size=(2, length, 2))
        outputs = model.predict(inputs, verbose=0)
        expected = ops.convert_to_numpy(reference(inputs))
        np.testing.assert_allclose(outputs, expected, atol=1e-5)


@pytest.mark.parametrize("algorithm", ["tree", "fft"])
def test_masked_steps_count_as_zeros(algorithm):
    inputs = np.random.default_rng(0).normal(size=(2, 20, 3))
    mask = np.random.default_rng(1).random(size=(2, 20)) < 0.7
    layer = MultiresLayer(algorithm=algorithm)
    expected = layer(np.where(mask[..., None], inputs, 0))

    outputs = layer(np.where(mask[..., None], inputs, np.nan), mask=mask)

    np.testing.assert_array_equal(
        ops.convert_to_numpy(outputs), ops.convert_to_numpy(expected)
    )


def test_a_wavelet_initializes_the_filters_of_every_channel():
    layer = MultiresLayer(wavelet="db2")
    layer.build((None, 20, 3))
    for weight, taps in (
        (layer.scaling_filter, pywt.Wavelet("db2").dec_lo),
        (layer.wavelet_filter, pywt.Wavelet("db2").dec_hi),
    ):
        weight = ops.convert_to_numpy(weight)
        np.testing.assert_allclose(weight, np.c_[taps] * np.ones(3), rtol=1e-6)
    assert layer.kernel_size == 4


@pytest.mark.parametrize("independent_skip", [False, True])
def test_initial_weights_follow_the_stated_distributions(independent_skip):
    keras.utils.set_random_seed(0)
    layer = MultiresLayer(kernel_size=4, independent_skip=independent_skip)
    layer.build((None, 100, 20_000))
    memory_limit = (layer.memory_weights.shape[0] + 1) ** -0.5
    limits = {
        "scaling_filter": 0.5,
        "wavelet_filter": 0.5,
        "memory_weights": memory_limit,
        "skip_weights": 1.0 if independent_skip else memory_limit,
    }
    for name, limit in limits.items():
        weight = ops.convert_to_numpy(getattr(layer, name)).ravel()
        assert np.abs(weight).max() <= limit
        # Moments of the uniform distribution, to five standard errors.
        error = 5 / np.sqrt(len(weight))
        assert abs(weight.mean() / limit) < error * np.sqrt(1 / 3)
        assert abs((weight**2).mean() / limit**2 - 1 / 3) < error * 0.3
    filters = layer.scaling_filter, layer.wavelet_filter
    assert not np.array_equal(*map(ops.convert_to_numpy, filters))


def test_the_kernel_is_the_impulse_response_of_the_requested_length():
    layer = MultiresLayer(kernel_size=3, depth=2, activation=None)
    layer.build((None, None, 2))
    assert layer.receptive_field == 7
    whole = ops.convert_to_numpy(layer.kernel(20))
    assert whole.shape == (20, 2)
    assert np.all(whole[7:] == 0)
    assert np.all(whole[:7] != 0)
    impulse = np.zeros((1, 20, 2))
    impulse[:, 0] = 1
    response = ops.convert_to_numpy(layer(impulse))[0]
    np.testing.assert_allclose(response, whole, atol=1e-6)
    short = ops.convert_to_numpy(layer.kernel(4))
    np.testing.assert_allclose(short, whole[:4], atol=1e-6)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kernel_size": 1}, "kernel_size=1"),
        ({"depth": 0}, "depth=0"),
        ({"depth": 2.5}, "depth=2.5"),
        ({"memory": "elephant"}, "memory='elephant'"),
        ({"algorithm": "magic"}, "algorithm='magic'"),
        ({"memory": "uniform"}, "memory_size=None"),
        (
            {"memory": "uniform", "depth": 3, "memory_size": 9},
            "memory_size=9",
        ),
        ({"memory": "uniform", "memory_size": -1}, "memory_size=-1"),
        ({"depth": 3, "memory_size": 9}, "memory_size=9"),
        ({"wavelet": "sonnet"}, "wavelet='sonnet'"),
        ({"wavelet": "morl"}, "wavelet='morl'"),
        ({"wavelet": "db2", "kernel_size": 2}, "kernel_size=2"),
        (
            {"wavelet": "db2", "filter_initializer": "ones"},
            "filter_initializer='ones'",
        ),
        ({"dropout": -0.1}, "dropout=-0.1"),
        ({"dropout": "much"}, "dropout='much'"),
    ],
)
def test_errors_name_the_bad_argument(options, message):
    with pytest.raises(ValueError, match=f"Received: .*{message}"):
        MultiresLayer(**options)


@pytest.mark.parametrize(
    ("options", "shape", "message"),
    [
        ({}, (2, 20), "shape"),
        ({}, (2, 20, 3, 1), "shape"),
        ({}, (None, None, 3), "depth=None"),
        ({"depth": 2}, (None, 20, None), "channels"),
        ({"memory": "uniform", "memory_size": 99}, (2, 8, 3), "memory_size=99"),
    ],
)
def test_build_refuses_bad_shapes(options, shape, message):
    with pytest.raises(ValueError, match=message):
        MultiresLayer(**options).build(shape)


@pytest.mark.parametrize("shape", [(2, 20), (2, 20, 3, 1), (2, 20, 4)])
def test_a_built_layer_refuses_other_shapes(shape):
    layer = MultiresLayer()
    layer.build((2, 20, 3))
    with pytest.raises(ValueError, match=r"multires_layer.*expected"):
        layer(np.ones(shape))
    with pytest.raises(ValueError, match="Received: input"):
        layer.step(np.ones(shape), layer.get_initial_state(2))


def test_step_refuses_another_batch_size_and_an_empty_chunk():
    layer = MultiresLayer()
    layer.build((2, 20, 3))
    state = layer.get_initial_state(2)
    with pytest.raises(ValueError, match=r"Received: .*inputs\.shape"):
        layer.step(np.ones((2, 0, 3)), state)
    with pytest.raises(ValueError, match=r"to fit `inputs`.*Received: st"):
        layer.step(np.ones((3, 20, 3)), state)


def test_step_refuses_the_state_of_another_layer():
    layer = MultiresLayer()
    layer.build((2, 20, 3))
    deeper = MultiresLayer(depth=6)
    deeper.build((2, 20, 3))
    for state in (deeper.get_initial_state(2), {}, None):
        with pytest.raises(ValueError, match="Received: state"):
            layer.step(np.ones((2, 1, 3)), state)


def test_a_tree_too_deep_for_a_state_runs_on_whole_sequences():
    layer = MultiresLayer(depth=60)
    assert layer(np.ones((1, 5, 2))).shape == (1, 5, 2)
    with pytest.raises(ValueError, match=r"`depth` .*Received: depth=60"):
        layer.get_initial_state(1)


def test_methods_that_need_weights_refuse_a_layer_that_is_not_built():
    layer = MultiresLayer(depth=3)
    for call in (
        lambda: layer.kernel(3),
        lambda: layer.get_initial_state(1),
        lambda: layer.step(np.ones((1, 1, 3)), {}),
    ):
        with pytest.raises(ValueError, match="built layer"):
            call()
    assert layer.receptive_field == 8
    with pytest.raises(ValueError, match="depth=None"):
        _ = MultiresLayer().receptive_field
