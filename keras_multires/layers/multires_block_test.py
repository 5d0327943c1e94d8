import keras
import numpy as np
import pytest
from keras import ops

from keras_multires.layers.multires_block import MultiresBlock
from keras_multires.layers.multires_conv import MultiresConv
from keras_multires.layers.multires_layer import MultiresLayer
from testing.gradients import assert_padding_has_no_effect


@pytest.mark.parametrize(
    ("options", "trainable", "fixed"),
    [
        ({}, 8, 0),
        ({"normalization": "batch", "dropout": 0.1}, 8, 2),
        (
            {
                "output_projection": True,
                "memory": "uniform",
                "memory_size": 5,
                "depth": 3,
            },
            10,
            0,
        ),
        (
            {
                "wavelet": "db2",
                "mixing_initializer": "he_normal",
                "mixing_bias_initializer": "zeros",
                "memory_initializer": keras.initializers.Constant(0.5),
                "skip_initializer": "ones",
                "mixing_regularizer": "l2",
                "memory_constraint": "max_norm",
            },
            8,
            0,
        ),
    ],
)
def test_layer_passes_the_harness_of_keras(
    run_layer_test, options, trainable, fixed
):
    dropouts = 2 if options.get("dropout") else 0
    run_layer_test(
        MultiresBlock,
        init_kwargs=options,
        input_shape=(2, 20, 3),
        expected_output_shape=(2, 20, 3),
        expected_num_trainable_weights=trainable,
        expected_num_non_trainable_weights=fixed,
        expected_num_seed_generators=dropouts,
        expected_num_losses=1 * ("mixing_regularizer" in options),
        supports_masking=True,
    )


def values(weights):
    return [ops.convert_to_numpy(weight) for weight in weights]


@pytest.mark.parametrize("normalization", ["layer", "batch"])
@pytest.mark.parametrize("output_projection", [False, True])
def test_outputs_follow_the_formula_of_the_block(
    normalization, output_projection
):
    inputs = np.random.default_rng(0).normal(size=(2, 20, 3))
    block = MultiresBlock(
        normalization=normalization, output_projection=output_projection
    )
    outputs = ops.convert_to_numpy(block(inputs))

    filtered = ops.convert_to_numpy(block.multires_layer(inputs))
    kernel, bias = values(block.mixing.weights)
    a, b = np.split(filtered @ kernel + bias, 2, axis=-1)
    expected = a / (1 + np.exp(-b))
    if output_projection:
        kernel, bias = values(block.projection.weights)
        expected = expected @ kernel + bias
    expected = inputs + expected
    if normalization == "layer":
        mean = expected.mean(-1, keepdims=True)
        deviation = np.sqrt(expected.var(-1, keepdims=True) + 1e-5)
        expected = (expected - mean) / deviation
    else:
        expected = expected / np.sqrt(1 + 1e-5)
    np.testing.assert_allclose(outputs, expected, atol=1e-5)


def test_dense_weights_start_uniform_within_one_over_root_fan_in():
    keras.utils.set_random_seed(0)
    block = MultiresBlock(output_projection=True)
    block.build((None, 16, 64))
    for weights in (block.mixing.weights, block.projection.weights):
        for weight in values(weights):
            assert np.abs(weight).max() <= 1 / 8
            assert np.abs(weight).max() > 0.9 / 8
            assert abs(weight.mean()) < 0.3 / 8


def test_padding_stays_out_of_the_batch_statistics():
    inputs = np.random.default_rng(0).normal(size=(2, 12, 3))
    padded = np.concatenate([inputs, np.full((2, 5, 3), 1e3)], axis=1)
    mask = np.arange(17) < np.array([[12], [12]])
    statistics = []
    for batch, batch_mask in ((inputs, mask[:, :12]), (padded, mask)):
        keras.utils.set_random_seed(0)
        block = MultiresBlock(normalization="batch", depth=4)
        block(batch, mask=batch_mask, training=True)
        statistics.append(values(block.non_trainable_weights))
    for ours, expected in zip(*statistics, strict=True):
        np.testing.assert_allclose(ours, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("normalization", ["layer", "batch"])
def test_what_padding_holds_changes_no_output_and_no_gradient(normalization):
    rng = np.random.default_rng(0)
    mask = np.ones((3, 16), bool)
    mask[0, 12:] = mask[1, :3] = mask[2] = False
    inputs, cotangent = rng.normal(size=(2, 3, 16, 4)).astype("float32")
    block = MultiresBlock(normalization=normalization, output_projection=True)
    block.build(inputs.shape)
    assert_padding_has_no_effect(block, inputs, mask, cotangent)


def test_batch_statistics_move_a_tenth_of_the_way_in_a_step():
    inputs = np.random.default_rng(0).normal(size=(4, 12, 3))
    block = MultiresBlock(normalization="batch")
    block.build(inputs.shape)
    filtered = block.multires_layer(inputs)
    mixed = ops.glu(block.mixing(filtered), axis=-1)
    mean = (inputs + ops.convert_to_numpy(mixed)).mean(axis=(0, 1))

    block(inputs, training=True)

    moved = ops.convert_to_numpy(block.norm.moving_mean)
    np.testing.assert_allclose(moved, 0.1 * mean, atol=1e-5)


def test_dropout_after_the_gate_drops_whole_channels(monkeypatch):
    keras.utils.set_random_seed(0)
    inputs = np.random.default_rng(0).normal(size=(8, 12, 16))
    block = MultiresBlock(dropout=0.5)
    block.build(inputs.shape)
    monkeypatch.setattr(
        "keras_multires.backend.layer_norm", lambda outputs, *_: outputs
    )
    block.multires_layer.dropout = 0.0
    whole = ops.convert_to_numpy(block(inputs)) - inputs

    outputs = ops.convert_to_numpy(block(inputs, training=True)) - inputs

    dropped = np.all(np.abs(outputs) < 1e-6, axis=1)
    assert 0.3 < dropped.mean() < 0.7
    kept = np.where(dropped[:, None], 0, 2 * whole)
    np.testing.assert_allclose(outputs, kept, atol=1e-5)


def test_integer_inputs_give_the_outputs_of_equal_floats():
    inputs = np.random.default_rng(0).integers(0, 17, size=(2, 12, 3))
    block = MultiresBlock()
    expected = ops.convert_to_numpy(block(inputs.astype("float32")))
    outputs = ops.convert_to_numpy(block(inputs.astype("uint8")))
    np.testing.assert_array_equal(outputs, expected)


def test_dense_layers_draw_different_values_from_a_shared_initializer():
    options = {
        "mixing_initializer": keras.initializers.RandomNormal(),
        "activity_regularizer": "l2",
    }
    block = MultiresBlock(output_projection=True, **options)
    block = MultiresBlock.from_config(block.get_config())
    block.build((None, 8, 4))
    mixing, projection = values([block.mixing.kernel, block.projection.kernel])
    assert not np.isin(mixing, projection).any()


def test_a_function_can_be_an_initializer():
    def sevens(shape, dtype=None):
        return ops.full(shape, 7, dtype=dtype)

    block = MultiresBlock(mixing_initializer=sevens, skip_initializer=sevens)
    block.build((None, 8, 4))
    weights = [block.mixing.kernel, block.multires_layer.skip_weights]
    assert all(np.all(weight == 7) for weight in values(weights))


def test_dropout_drops_whole_channels():
    keras.utils.set_random_seed(0)
    inputs = np.random.default_rng(0).normal(size=(8, 12, 16))
    layer = MultiresBlock(dropout=0.5).multires_layer

    outputs = ops.convert_to_numpy(layer(inputs, training=True))

    dropped = np.all(outputs == 0, axis=1)
    assert 0.3 < dropped.mean() < 0.7
    kept = ops.convert_to_numpy(layer(inputs))
    kept = np.where(dropped[:, None], 0, 2 * kept)
    np.testing.assert_allclose(outputs, kept, atol=1e-5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"normalization": "group"}, "normalization='group'"),
        ({"dropout": 1.0}, "dropout=1.0"),
        ({"mixing_initialiser": "ones"}, "mixing_initialiser"),
        ({"memory_sise": 3}, "memory_sise"),
        ({"units": 3}, "units"),
    ],
)
def test_errors_name_the_bad_argument(options, message):
    with pytest.raises(ValueError, match=message):
        MultiresBlock(**options)


def test_a_block_made_frozen_is_frozen_in_a_model():
    inputs = keras.Input((8, 4))
    block = MultiresBlock(output_projection=True, trainable=False)
    model = keras.Model(inputs, block(inputs))
    assert len(model.weights) == 10
    assert model.trainable_weights == []


@pytest.mark.parametrize("kind", [MultiresConv, MultiresLayer, MultiresBlock])
def test_complex_inputs_are_refused(kind):
    inputs = ops.convert_to_tensor(np.full((1, 8, 2), 1 + 2j, "complex64"))
    with pytest.raises(ValueError, match="`inputs` must be real"):
        kind(depth=2)(inputs)
