import json

import keras
import numpy as np
import pytest
from keras import ops

from keras_multires.layers import MultiresBlock
from keras_multires.models import MultiresCausalLM
from keras_multires.models import MultiresClassifier
from keras_multires.models import MultiresNet
from testing.layers import traits

SHAPE = (2, 8, 4)
SIZES = {"hidden_dim": 4, "num_layers": 2, "length": 8}


def built(block):
    block.build(SHAPE)
    return block


def copy_of(layer):
    config = json.loads(json.dumps(layer.get_config()))
    return type(layer).from_config(config)


def changed_block():
    block = built(MultiresBlock(output_projection=True, dropout=0.1))
    block.mixing.quantize("int8")
    block.projection.enable_lora(2)
    block.norm.trainable = False
    block.multires_layer.dtype_policy = "mixed_bfloat16"
    return block


@pytest.mark.parametrize("trainable", [True, False])
@pytest.mark.parametrize(
    "make", [MultiresBlock, lambda **o: MultiresNet(**o, **SIZES)]
)
def test_a_configuration_without_changes_is_plain(make, trainable):
    layer = make(trainable=trainable, dtype="mixed_bfloat16", name="layer")
    layer.build(SHAPE)
    assert "sublayers" not in layer.get_config()
    assert traits(layer) == traits(built(copy_of(layer)))


def test_a_configuration_lists_what_was_changed():
    changes = changed_block().get_config()["sublayers"]
    assert {name: list(change) for name, change in changes.items()} == {
        "multires_layer": ["dtype"],
        "mixing": ["dtype", "quantization_config"],
        "projection": ["lora_rank", "lora_alpha"],
        "norm": ["trainable"],
    }


def test_changes_wait_for_the_layers_that_build_makes():
    block = changed_block()
    unbuilt = copy_of(block)
    again = copy_of(unbuilt)
    configs = [json.dumps(b.get_config()) for b in (block, unbuilt, again)]
    assert len(set(configs)) == 1
    assert traits(built(again)) == traits(block)


def test_a_backbone_keeps_the_changes_of_each_block():
    net = MultiresNet(vocabulary_size=5, **SIZES)
    net.encoder.quantize("int4")
    net.blocks[1].mixing.quantize("float8")
    net.blocks[0].multires_layer.trainable = False
    assert list(net.get_config()["sublayers"]) == [
        "block_0",
        "block_1",
        "encoder",
    ]
    assert traits(copy_of(net)) == traits(net)


def test_the_trainable_part_of_a_frozen_layer_stays_trainable():
    net = MultiresNet(input_channels=4, **SIZES)
    model = MultiresClassifier(net, 3)
    model.trainable = False
    net.blocks[1].norm.trainable = True
    inputs = keras.Input(SHAPE[1:])
    outer = keras.Model(inputs, copy_of(model)(inputs))
    names = [weight.name for weight in outer.trainable_weights]
    assert sorted(names) == ["beta", "gamma"]


def test_a_subclass_may_have_a_constructor_of_its_own():
    class Small(MultiresBlock):
        def __init__(self, name=None, trainable=True, dtype=None):
            super().__init__(name=name, trainable=trainable, dtype=dtype)

        def get_config(self):
            config = super().get_config()
            kept = ("name", "trainable", "dtype", "sublayers")
            return {name: config[name] for name in kept if name in config}

    block = built(Small())
    block.mixing.quantize("int8")
    assert traits(built(copy_of(block))) == traits(block)


@pytest.mark.parametrize("default", [None, "float32"])
def test_a_map_of_policies_may_quantise_a_sublayer(default, tmp_path):
    policies = keras.dtype_policies.DTypePolicyMap(
        default,
        {
            "net/block_0/mixing": keras.dtype_policies.get("int8_from_float32"),
            ".*encoder": keras.DTypePolicy("mixed_bfloat16"),
        },
    )
    net = MultiresNet(input_channels=4, dtype=policies, name="net", **SIZES)
    modes = [block.mixing.quantization_mode for block in net.blocks]
    assert modes == ["int8", None]
    assert net.encoder.compute_dtype == "bfloat16"
    net.save_weights(tmp_path / "net.weights.h5")
    copy = copy_of(net)
    copy.load_weights(tmp_path / "net.weights.h5")
    kernels = [
        ops.convert_to_numpy(n.blocks[0].mixing._kernel) for n in (net, copy)
    ]
    assert kernels[0].dtype == "int8"
    np.testing.assert_array_equal(*kernels)
    net.blocks[1].mixing.quantize("int8")
    net.save_weights(tmp_path / "net.weights.h5")


def first_draws(net):
    """The first draw of each random generator of a backbone's blocks."""
    return [
        ops.convert_to_numpy(keras.random.uniform((8,), seed=generator))
        for block in net.blocks
        for generator in (
            block.multires_layer.seed_generator,
            block.channel_dropout.seed_generator,
        )
    ]


def test_a_seed_determines_each_dropout_and_none_equals_another():
    net = MultiresNet(dropout=0.5, seed=7, **SIZES)
    draws, again = first_draws(net), first_draws(copy_of(net))
    np.testing.assert_array_equal(draws, again)
    assert len(np.unique(draws, axis=0)) == 4
    # The largest seed that PyTorch takes has a next one too.
    MultiresNet(dropout=0.5, seed=2**31 - 1, **SIZES)


@pytest.mark.parametrize(
    "options", [{"autocast": False}, {"activity_regularizer": None}]
)
def test_base_arguments_are_taken(options):
    net = MultiresNet(vocabulary_size=5, **SIZES, **options)
    layers = [
        built(MultiresBlock(**options)),
        net,
        MultiresClassifier(net, 3, **options),
        MultiresCausalLM(net, **options),
    ]
    for layer in layers:
        copy = copy_of(layer)
        if not copy.built:
            copy.build(SHAPE)
        assert traits(copy) == traits(layer)
