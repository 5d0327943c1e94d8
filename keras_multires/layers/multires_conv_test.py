import numpy as np
import pytest
from keras import ops

from keras_multires.layers.multires_conv import MultiresConv
from keras_multires.layers.multires_layer import MultiresLayer


@pytest.mark.parametrize(
    ("options", "memory_length"),
    [
        ({"kernel_size": 3}, 5),
        ({"memory": "uniform", "memory_size": 7, "depth": 4}, 7),
        ({"wavelet": "db2", "filter_regularizer": "l2"}, 4),
        ({"filter_initializer": "ones", "filter_constraint": "unit_norm"}, 6),
    ],
)
def test_layer_passes_the_harness_of_keras(
    run_layer_test, options, memory_length
):
    run_layer_test(
        MultiresConv,
        init_kwargs=options,
        input_shape=(2, 20, 3),
        expected_output_shape=(2, 20, 3, memory_length),
        expected_num_trainable_weights=2,
        expected_num_non_trainable_weights=0,
        expected_num_losses=2 * ("filter_regularizer" in options),
        supports_masking=True,
    )


@pytest.mark.parametrize(
    "options",
    [
        {"kernel_size": 4},
        {"memory": "uniform", "memory_size": 7, "depth": 3},
    ],
)
def test_the_weighted_memory_is_the_output_of_a_multires_layer(options):
    inputs = np.random.default_rng(0).normal(size=(2, 20, 3))
    layer = MultiresLayer(**options, activation=None, algorithm="tree")
    outputs = ops.convert_to_numpy(layer(inputs))
    conv = MultiresConv(**options)
    conv.build(inputs.shape)
    conv.scaling_filter.assign(layer.scaling_filter)
    conv.wavelet_filter.assign(layer.wavelet_filter)

    memory = ops.convert_to_numpy(conv(inputs))

    weights = ops.convert_to_numpy(layer.memory_weights)
    expected = np.einsum("blcm,mc->blc", memory, weights)
    expected += inputs * ops.convert_to_numpy(layer.skip_weights)
    np.testing.assert_allclose(outputs, expected, atol=1e-5)


def test_masked_steps_count_as_zeros():
    inputs = np.random.default_rng(0).normal(size=(2, 20, 3))
    mask = np.random.default_rng(1).random(size=(2, 20)) < 0.7
    layer = MultiresConv()
    expected = layer(np.where(mask[..., None], inputs, 0))

    outputs = layer(np.where(mask[..., None], inputs, np.nan), mask=mask)

    np.testing.assert_array_equal(
        ops.convert_to_numpy(outputs), ops.convert_to_numpy(expected)
    )
