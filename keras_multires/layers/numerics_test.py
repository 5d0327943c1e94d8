"""Numbers that hold, whatever the inputs, the sizes and the precision."""

import keras
import numpy as np
import pytest
from hypothesis import HealthCheck
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
from keras import ops

from keras_multires.layers import MultiresBlock
from keras_multires.layers import MultiresConv
from keras_multires.layers import MultiresLayer
from testing.backends import BACKEND
from testing.backends import run_function
from testing.references import slow_tree
from testing.strategies import tree_options

# JAX compiles each operation of each shape, unless it compiles all at once.
MODE = "jit" if BACKEND == "jax" else "eager"
POLICIES = (
    "float32",
    "mixed_bfloat16",
    "bfloat16",
    "mixed_float16",
    "float16",
)


def outputs_of(layer, inputs):
    inputs = ops.convert_to_tensor(inputs, dtype=layer.compute_dtype)
    layer.build(inputs.shape)
    outputs = run_function(layer, MODE)(inputs)
    return ops.convert_to_numpy(ops.cast(outputs, "float32"))


@given(
    tree_options(5, 9, 30),
    st.sampled_from(
        [
            (MultiresConv, {}),
            (MultiresLayer, {"algorithm": "tree"}),
            (MultiresLayer, {"algorithm": "fft"}),
            (MultiresBlock, {"normalization": "layer"}),
            (
                MultiresBlock,
                {"normalization": "batch", "output_projection": True},
            ),
        ]
    ),
    st.sampled_from(POLICIES),
    st.floats(0, 1e4),
    st.integers(0, 2**31),
)
@settings(max_examples=15, deadline=None, derandomize=True)
def test_finite_inputs_give_finite_outputs(
    options, layer, policy, amplitude, seed
):
    keras.utils.set_random_seed(seed)
    rng = np.random.default_rng(seed)
    # The largest add up in the long run, a normal draw would cancel.
    inputs = amplitude * rng.choice([-1.0, 1.0, 1.0, 0.0], size=(2, 60, 3))
    inputs[1] *= rng.normal(size=(60, 3))
    inputs = np.clip(inputs, -1e4, 1e4)
    make, own = layer
    layer = make(**options, **own, dtype=policy)
    assert np.all(np.isfinite(outputs_of(layer, inputs)))


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("algorithm", ["tree", "fft"])
def test_overflow_in_half_precision_gives_its_largest_value(policy, algorithm):
    layer = MultiresLayer(
        kernel_size=2,
        depth=6,
        activation=None,
        algorithm=algorithm,
        filter_initializer="ones",
        memory_initializer="ones",
        skip_initializer="ones",
        dtype=policy,
    )
    exact = MultiresLayer.from_config(
        {**layer.get_config(), "dtype": "float32"}
    )
    inputs = np.full((1, 70, 1), 1e4, "float32")
    largest = {"float16": 65504.0}.get(layer.compute_dtype, np.inf)
    expected = np.minimum(outputs_of(exact, inputs), largest)
    assert expected.max() == min(largest, expected.max())
    np.testing.assert_allclose(outputs_of(layer, inputs), expected, rtol=2e-2)


def slow_readout(layer, inputs):
    """The outputs of a layer with a "fading" memory, in float64."""
    low, high, readout, skip = (
        ops.convert_to_numpy(weight).astype("float64")
        for weight in (
            layer.scaling_filter,
            layer.wavelet_filter,
            layer.memory_weights,
            layer.skip_weights,
        )
    )
    inputs = inputs.astype("float64")
    approximation, details = slow_tree(inputs, low, high, len(readout) - 1)
    # The memory weights are in the order coarse to fine.
    memory = [approximation, *reversed(details)]
    return skip * inputs + sum(
        weight * values for weight, values in zip(readout, memory, strict=True)
    )


@pytest.mark.parametrize("algorithm", ["tree", "fft"])
@pytest.mark.parametrize(
    ("length", "depth", "kernel_size"),
    [
        (1, 1, 2),
        (1, 12, 3),
        (2, 30, 2),
        (7, None, 4),
        (31, None, 2),
        (32, 20, 3),
        (33, None, 2),
        (127, None, 3),
    ],
)
def test_outputs_follow_the_definition_at_any_length_and_depth(
    length, depth, kernel_size, algorithm
):
    keras.utils.set_random_seed(length)
    layer = MultiresLayer(
        kernel_size, depth=depth, activation=None, algorithm=algorithm
    )
    inputs = np.random.default_rng(0).normal(size=(2, length, 2))
    outputs = outputs_of(layer, inputs)
    expected = slow_readout(layer, inputs)
    np.testing.assert_allclose(outputs, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("algorithm", ["tree", "fft"])
@pytest.mark.parametrize("shape", [(0, 40, 3), (1, 40, 1), (1, 40, 1024)])
def test_outputs_follow_the_definition_at_extreme_shapes(shape, algorithm):
    options = {"activation": None, "algorithm": algorithm}
    layer = MultiresLayer(**options)
    inputs = np.random.default_rng(0).normal(size=shape)
    outputs = outputs_of(layer, inputs)
    assert outputs.shape == shape
    expected = slow_readout(layer, inputs)
    np.testing.assert_allclose(outputs, expected, rtol=1e-5, atol=1e-5)
    block = MultiresBlock()
    assert outputs_of(block, inputs).shape == shape


@given(tree_options(5, 9, 30), st.integers(0, 2**31))
@settings(
    max_examples=3,
    deadline=None,
    derandomize=True,
    # They only hold functions.
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_gradients_equal_central_differences(
    gradients, double_precision, options, seed
):
    keras.utils.set_random_seed(seed)
    rng = np.random.default_rng(seed)
    inputs = rng.normal(size=(2, 21, 2))
    cotangent, direction = rng.normal(size=(2, *inputs.shape))
    with double_precision():
        for algorithm in ("tree", "fft"):
            layer = MultiresLayer(
                **options, algorithm=algorithm, dtype="float64"
            )
            layer.build(inputs.shape)
            _, by_inputs, by_weights = gradients(layer, inputs, cotangent, MODE)
            weights = layer.get_weights()
            changes = [rng.normal(size=weight.shape) for weight in weights]
            slope = (by_inputs * direction).sum()
            for weight, change in zip(
                layer.trainable_variables, changes, strict=True
            ):
                slope += (by_weights[weight.name] * change).sum()

            def along(step, layer=layer, weights=weights, changes=changes):
                layer.set_weights(
                    [
                        w + step * c
                        for w, c in zip(weights, changes, strict=True)
                    ]
                )
                moved = inputs + step * direction
                outputs, _, _ = gradients(layer, moved, cotangent, MODE)
                return (outputs * cotangent).sum()

            step = 1e-5
            difference = (along(step) - along(-step)) / (2 * step)
            scale = max(1.0, abs(slope))
            assert abs(difference - slope) < 1e-6 * scale


@pytest.mark.parametrize("algorithm", ["tree", "fft"])
def test_a_bad_value_stays_in_its_channel_and_sequence(algorithm):
    layer = MultiresLayer(depth=4, activation=None, algorithm=algorithm)
    inputs = np.random.default_rng(0).normal(size=(3, 40, 5)).astype("float32")
    expected = outputs_of(layer, inputs)
    call = run_function(layer, MODE)
    for value in (np.nan, np.inf, 1e38, 1e30):
        changed = inputs.copy()
        changed[1, 25, 2] = value
        outputs = ops.convert_to_numpy(call(ops.convert_to_tensor(changed)))
        differs = outputs != expected
        past = differs[1, :25, 2].copy()
        assert differs[1, 25, 2]
        differs[1, :, 2] = False
        assert not differs.any()
        if algorithm == "tree":
            assert not past.any()
        elif value == 1e30:
            leak = abs(outputs - expected)[1, :25, 2].max()
            assert leak <= 1e-7 * value
