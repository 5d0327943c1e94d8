"""Copies of changed models go on as the models do, whatever the way."""

import copy
import pickle
import warnings

import keras
import numpy as np
from hypothesis import HealthCheck
from hypothesis import example
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
from keras import ops

from keras_multires import models
from keras_multires.layers import MultiresBlock
from testing.backends import CHEAPEST_MODE
from testing.layers import traits

LENGTH, CHANNELS = 8, 3
RNG = np.random.default_rng(0)
SIGNALS = RNG.uniform(-1, 1, (4, LENGTH, CHANNELS)).astype("float32")
TOKENS = RNG.integers(1, 5, (4, LENGTH))
BACKBONE = {"hidden_dim": 4, "length": LENGTH}


def composed():
    block = MultiresBlock(normalization="batch", output_projection=True)
    inputs = keras.Input((LENGTH, CHANNELS))
    encoded = keras.layers.Dense(4, name="encoder")(inputs)
    return keras.Model(
        inputs, keras.layers.Dense(2, name="head")(block(encoded))
    )


def classifier(num_layers=1):
    backbone = models.MultiresNet(
        num_layers=num_layers, input_channels=CHANNELS, **BACKBONE
    )
    return models.MultiresClassifier(backbone, 2)


def language_model():
    backbone = models.MultiresNet(num_layers=1, vocabulary_size=5, **BACKBONE)
    return models.MultiresCausalLM(backbone)


def through_weights(model, folder):
    path = folder / "model.weights.h5"
    models.save_weights(model, path)
    new = keras.models.clone_model(model)
    models.load_weights(new, path)
    return new


def through_file(model, folder):
    models.save_model(model, folder / "model.keras")
    return keras.models.load_model(folder / "model.keras")


MODELS = {
    "composed": (composed, SIGNALS),
    "classifier": (classifier, SIGNALS),
    "language model": (language_model, TOKENS),
}
# Those that keep the optimizer, too.
WHOLE = {
    "file": through_file,
    "pickle": lambda model, _: pickle.loads(pickle.dumps(model)),
    "deepcopy": lambda model, _: copy.deepcopy(model),
}
WAYS = {**WHOLE, "weights": through_weights}
CHANGES = st.one_of(
    st.tuples(st.booleans(), st.integers(0, 99)),
    st.tuples(st.sampled_from(["int8", "int4", "float8"]), st.integers(0, 99)),
    st.tuples(st.integers(1, 2), st.integers(0, 99)),
)


def apply(change, index, model):
    """Sets a flag, quantises, or enables LoRA, in the layer of a number."""
    if isinstance(change, bool):
        layers = model._flatten_layers(include_self=False)
        layers[index % len(layers)].trainable = change
        return
    kinds = (keras.layers.Dense, keras.layers.Embedding)
    layers = [k for k in model._flatten_layers() if isinstance(k, kinds)]
    layer = layers[index % len(layers)]
    # What Keras does not offer, or does not keep for its own layers: the flag
    # of a kernel under LoRA, once its layer was frozen and is no more.
    if layer.lora_enabled or layer.quantization_mode:
        return
    if isinstance(change, int):
        layer.enable_lora(change)
    elif change != "float8" or isinstance(layer, keras.layers.Dense):
        layer.quantize(change)


def arrays(variables):
    return [np.array(ops.convert_to_numpy(variable)) for variable in variables]


def check_copy(name, way, changes, folder, trains):
    make, inputs = MODELS[name]
    keras.utils.set_random_seed(0)
    model = make()

    # Flags first: to thaw a layer that has LoRA thaws its kernel, in Keras.
    def is_no_flag(change):
        return not isinstance(change[0], bool)

    for change, index in sorted(changes, key=is_no_flag):
        apply(change, index, model)
    layers = model._flatten_layers()
    modes = {getattr(layer, "quantization_mode", None) for layer in layers}
    has_lora = any(getattr(layer, "lora_rank", None) for layer in layers)
    # The large epsilon keeps Adam from enlarging rounding errors.
    optimizer = keras.optimizers.Adam(0.01, epsilon=0.01)
    # Without a compiler, TensorFlow cannot train float8.
    model.compile(optimizer, "mse", run_eagerly=CHEAPEST_MODE == "eager")
    optimizer.build(model.trainable_variables)
    for variable in optimizer.variables[2:]:
        variable.assign(np.random.uniform(size=variable.shape))
    outputs = model.predict_on_batch(inputs)
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="Skipping variable loading")
        new = WAYS[way](model, folder)

    assert traits(new) == traits(model)
    # Keras rounds a kernel again when it merges LoRA into it.
    tolerance = 0.3 if has_lora and modes & {"int8", "int4"} else 1e-5
    received = new.predict_on_batch(inputs)
    np.testing.assert_allclose(received, outputs, atol=tolerance)
    if way not in WHOLE:
        return
    slots = (each.optimizer.variables for each in (model, new))
    for old, same in zip(*map(arrays, slots), strict=True):
        np.testing.assert_array_equal(old, same)
    # LoRA starts anew once it is merged.
    if trains and model.trainable_weights and not has_lora:
        for each in (model, new):
            each.train_on_batch(inputs, np.ones_like(outputs))
        weights = (each.weights for each in (model, new))
        for old, same in zip(*map(arrays, weights), strict=True):
            np.testing.assert_allclose(old, same, atol=1e-5)


@settings(
    max_examples=2,
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    st.sampled_from(sorted(MODELS)),
    st.sampled_from(sorted(WAYS)),
    st.lists(CHANGES, max_size=4),
)
@example("classifier", "pickle", [("int4", 0), (False, 3), (1, 2)])
def test_a_copy_is_as_the_model(tmp_path, name, way, changes):
    check_copy(name, way, changes, tmp_path, trains=False)


def test_a_copy_trains_as_the_model_does(tmp_path):
    changes = [("int8", 1), (False, 2)]
    check_copy("composed", "file", changes, tmp_path, trains=True)


def test_a_clone_is_quantised_as_the_model():
    model = composed()
    model.quantize("int8")
    assert traits(keras.models.clone_model(model)) == traits(model)


def test_a_preset_keeps_what_was_changed(tmp_path):
    model = classifier(num_layers=2)
    model.backbone.trainable = False
    model.head.enable_lora(1)
    model.backbone.blocks[1].mixing.quantize("int8")
    model.save_to_preset(tmp_path)
    loaded = models.MultiresClassifier.from_preset(tmp_path)
    assert traits(loaded) == traits(model)
    outputs = [m.predict_on_batch(SIGNALS) for m in (loaded, model)]
    np.testing.assert_allclose(*outputs, atol=1e-5)
    frozen = models.MultiresClassifier.from_preset(tmp_path, trainable=False)
    assert keras.Sequential([frozen]).trainable_weights == []


def test_equal_branches_are_trained_equally():
    branches = [classifier() for _ in range(2)]
    branches[1].set_weights(branches[0].get_weights())
    inputs = keras.Input(SIGNALS.shape[1:])
    model = keras.Model(inputs, [branch(inputs) for branch in branches])
    assert len({w.path for w in model.weights}) == len(model.weights)
    optimizer = keras.optimizers.SGD(0.1)
    eagerly = CHEAPEST_MODE == "eager"
    model.compile(optimizer, ["mse", "mse"], run_eagerly=eagerly)
    for _ in range(2):
        model.train_on_batch(SIGNALS, [np.ones((4, 2))] * 2)
    weights = (branch.weights for branch in branches)
    for one, other in zip(*map(arrays, weights), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)
