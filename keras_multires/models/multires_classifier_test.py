import json

import keras
import numpy as np
import pytest
from keras import ops

from keras_multires.models import MultiresClassifier
from keras_multires.models import MultiresNet
from testing.backends import MODES
from testing.backends import run_function
from testing.gradients import assert_padding_has_no_effect
from testing.models import classifier
from testing.published import set_published_weights

# Section 4.1 of the paper and the code published with it.
PARAMETERS = {
    "scifar": 1_365_514,
    "listops": 361_994,
    "ptbxl_all": 222_791,
    "ptbxl_diagnostic": 219_308,
    "ptbxl_subdiagnostic": 216_599,
    "ptbxl_superdiagnostic": 214_277,
    "ptbxl_form": 216_083,
    "ptbxl_rhythm": 215_180,
}


@pytest.fixture(
    scope="module",
    params=["linear_layernorm", "uniform", "embedding_batchnorm"],
)
def published(request, golden):
    """A published classifier, its inputs, mask and logits."""
    name = request.param
    config, arrays = golden(f"classifier_{name}")
    config.pop("pooling")
    model = classifier(**config)
    set_published_weights(model, f"classifier_{name}")
    mask = None
    if "lengths" in arrays:
        mask = np.arange(config["length"]) < arrays["lengths"][:, None]
    return model, arrays["inputs"], mask, arrays["logits"]


# Of PyTorch's compiler only the layer is tested: Keras's nested calls make it
# trace a model many times over, for minutes.
@pytest.mark.parametrize("mode", [m for m in MODES if m != "compile"])
@pytest.mark.parametrize("algorithm", ["tree", "fft"])
def test_logits_are_those_of_the_published_classifier(
    published, algorithm, mode
):
    model, inputs, mask, logits = published
    for block in model.backbone.blocks:
        block.multires_layer.algorithm = algorithm
    dtype = "float32" if model.backbone.vocabulary_size is None else "int32"

    outputs = run_function(model, mode)(
        ops.convert_to_tensor(inputs, dtype=dtype), mask=mask
    )

    np.testing.assert_allclose(ops.convert_to_numpy(outputs), logits, atol=1e-4)


def test_padding_tokens_give_the_published_logits_without_a_mask(published):
    model, inputs, _, logits = published
    outputs = ops.convert_to_numpy(model(inputs))
    np.testing.assert_allclose(outputs, logits, atol=1e-4)


# What the number of parameters does not show.
OTHER_SETTINGS = {
    "scifar": (1024, "layer", 0.25, False),
    "listops": (2048, "batch", 0.1, True),
    **{
        name: (1000, "layer", 0.2, False)
        for name in PARAMETERS
        if name.startswith("ptbxl")
    },
}


@pytest.mark.parametrize("preset", OTHER_SETTINGS)
def test_presets_have_the_published_settings(preset):
    model = MultiresClassifier.from_preset(preset, load_weights=False)
    (block, *_) = model.backbone.blocks
    assert OTHER_SETTINGS[preset] == (
        model.backbone.length,
        block.normalization,
        block.dropout,
        block.multires_layer.independent_skip,
    )


@pytest.mark.parametrize("preset", PARAMETERS)
def test_presets_have_the_published_number_of_parameters(preset):
    model = MultiresClassifier.from_preset(preset, load_weights=False)
    trainable = sum(np.prod(w.shape) for w in model.trainable_weights)
    assert set(MultiresClassifier.presets) == set(PARAMETERS)
    assert trainable == PARAMETERS[preset]


def test_a_preset_accepts_overriding_arguments():
    backbone = MultiresNet.from_preset(
        "scifar", load_weights=False, num_layers=1, hidden_dim=4
    )
    assert (backbone.length, len(backbone.blocks)) == (1024, 1)
    model = MultiresClassifier.from_preset(
        "scifar", load_weights=False, backbone=backbone, name="tiny"
    )
    assert (model.name, model.num_classes) == ("tiny", 10)
    assert model.backbone is backbone


def small_classifier(**options):
    return classifier(
        **{
            "num_classes": 3,
            "length": 16,
            "input_channels": 2,
            "hidden_dim": 4,
            "num_layers": 1,
            **options,
        }
    )


def sequences(length=16):
    return np.random.default_rng(0).normal(size=(5, length, 2))


@pytest.mark.parametrize(
    "options", [{}, {"memory": "uniform", "memory_size": 9}]
)
def test_steps_give_the_logits_of_the_sequence_so_far(options):
    model = small_classifier(num_layers=2, **options)
    inputs = sequences()
    state = model.get_initial_state(5)
    for start, end in ((0, 1), (1, 9), (9, 16)):
        logits, state = model.step(inputs[:, start:end], state)
        expected = ops.convert_to_numpy(model(inputs[:, :end]))
        np.testing.assert_allclose(
            ops.convert_to_numpy(logits), expected, atol=1e-5
        )


@pytest.mark.parametrize("dtype", ["float32", "mixed_float16"])
def test_the_mean_of_a_hundred_million_steps_loses_no_step(dtype):
    keras.utils.set_random_seed(0)
    backbone = MultiresNet(4, 1, length=8, input_channels=1, dtype=dtype)
    model = MultiresClassifier(backbone, 3)
    inputs = np.full((1, 1, 1), 0.3, "float32")

    def total(state):
        total, excess = (
            ops.convert_to_numpy(state[name]).astype("float64")
            for name in ("total", "excess")
        )
        return total - excess

    def run(steps, state):
        for _ in range(steps):
            _, state = model.step(inputs, state)
        return state

    # From here on, each step adds the same features.
    state = run(8, model.get_initial_state(1))
    features = total(run(1, state)) - total(state)
    assert (np.abs(features) > 0.1).all()

    past = ops.convert_to_tensor(1e8 * features, dtype="float32")
    count = ops.full((1, 1), 100_000_000, dtype="int32")
    later = run(500, {**state, "total": past, "count": count})

    gained = total(later) - ops.convert_to_numpy(past)
    np.testing.assert_allclose(gained, 500 * features, rtol=1e-5)
    assert int(ops.convert_to_numpy(later["count"])[0, 0]) == 100_000_500


@pytest.mark.parametrize("length", [8, None])
def test_a_classifier_made_frozen_is_frozen(length):
    backbone = MultiresNet(4, 1, length=length, input_channels=2)
    inputs = keras.Input((8, 2))
    model = MultiresClassifier(
        backbone,
        3,
        preprocessing=keras.layers.Dense(2),
        trainable=False,
    )
    outer = keras.Model(inputs, model(inputs))
    assert len(outer.weights) > 8
    assert outer.trainable_weights == []


def test_a_frozen_backbone_is_frozen_in_a_loaded_model(tmp_path):
    model = small_classifier()
    model.backbone.trainable = False
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(sequences(), np.zeros(5), verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    outer = keras.Sequential([loaded])
    assert len(outer.trainable_weights) == 2
    for old, new in zip(
        model.optimizer.variables, loaded.optimizer.variables, strict=True
    ):
        np.testing.assert_array_equal(
            ops.convert_to_numpy(old), ops.convert_to_numpy(new)
        )


@pytest.mark.parametrize("preprocessing", [None, keras.layers.Rescaling(2.0)])
def test_complex_inputs_are_refused(preprocessing):
    model = small_classifier(preprocessing=preprocessing)
    inputs = ops.convert_to_tensor(sequences() + 1j, dtype="complex64")
    with pytest.raises(ValueError, match="`inputs` must be real"):
        model(inputs)


def test_a_stored_state_continues_the_stream():
    model, inputs = small_classifier(), sequences()
    _, state = model.step(inputs[:, :9], model.get_initial_state(5))
    stored = keras.tree.map_structure(ops.convert_to_numpy, state)
    logits, _ = model.step(inputs[:, 9:], stored)
    np.testing.assert_allclose(
        ops.convert_to_numpy(logits),
        ops.convert_to_numpy(model(inputs)),
        atol=1e-5,
    )


def test_building_again_keeps_the_weights():
    model, inputs = small_classifier(), sequences()
    expected = ops.convert_to_numpy(model(inputs))
    model.build(inputs.shape)
    model.backbone.build(inputs.shape)
    np.testing.assert_array_equal(ops.convert_to_numpy(model(inputs)), expected)
    with pytest.raises(ValueError, match="must have the shape"):
        model.build((None, 16))


def test_padding_changes_no_logit():
    model, inputs = small_classifier(), sequences()
    expected = ops.convert_to_numpy(model(inputs))
    padded = np.pad(inputs, [(0, 0), (0, 9), (0, 0)], constant_values=np.nan)
    mask = np.broadcast_to(np.arange(25) < 16, (5, 25))

    outputs = ops.convert_to_numpy(model(padded, mask=mask))

    np.testing.assert_allclose(outputs, expected, atol=1e-5)


def test_pooling_in_half_precision_does_not_overflow():
    model = small_classifier(dtype="mixed_float16", length=64)
    (block,) = model.backbone.blocks
    block.norm.beta.assign(np.full(4, 3_000.0))
    logits = ops.convert_to_numpy(model(sequences(64)))
    assert np.all(np.isfinite(logits))


def test_what_padding_holds_changes_no_gradient_of_the_preprocessing():
    model = classifier(
        3,
        keras.layers.Dense(2),
        hidden_dim=4,
        num_layers=1,
        length=8,
        input_channels=2,
    )
    rng = np.random.default_rng(0)
    inputs, cotangent = rng.normal(size=(2, 8, 2)), rng.normal(size=(2, 3))
    mask = np.arange(8) < [[5], [8]]
    assert_padding_has_no_effect(
        model, inputs.astype("float32"), mask, cotangent.astype("float32")
    )


def test_masks_of_earlier_layers_are_honoured():
    model, inputs = small_classifier(), sequences()
    masked = keras.Sequential([keras.layers.Masking(-9.0), model])
    padded = np.pad(inputs, [(0, 0), (0, 9), (0, 0)], constant_values=-9.0)
    np.testing.assert_allclose(
        masked.predict(padded, verbose=0),
        model.predict(inputs, verbose=0),
        atol=1e-5,
    )


def test_a_sequence_of_only_padding_is_pooled_to_zeros():
    model = small_classifier(input_channels=None, vocabulary_size=5)
    logits = ops.convert_to_numpy(model(np.zeros((1, 16), "int32")))
    bias = ops.convert_to_numpy(model.head.bias)
    np.testing.assert_allclose(logits[0], bias, atol=1e-6)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_a_step_of_training_in_half_precision_has_a_finite_loss(policy):
    model = small_classifier(dtype=policy, length=64, normalization="batch")
    optimizer = keras.optimizers.AdamW(1e-3)
    if policy == "mixed_float16":
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer, loss)
    before = model.get_weights()
    targets = np.array([0, 1, 2, 0, 1])
    history = model.fit(sequences(64), targets, epochs=2, verbose=0)
    assert np.all(np.isfinite(history.history["loss"]))
    assert model.compute_dtype == policy.removeprefix("mixed_")
    after = model.get_weights()
    assert all(np.all(np.isfinite(weight)) for weight in after)
    assert any(np.any(a != b) for a, b in zip(before, after, strict=True))


@pytest.mark.parametrize(
    "options",
    [
        {},
        {
            "memory": "uniform",
            "memory_size": 7,
            "normalization": "batch",
            "independent_skip": True,
            "filter_regularizer": "l2",
        },
        {"wavelet": "db2", "input_channels": None, "algorithm": "tree"},
    ],
)
def test_a_saved_model_gives_the_same_logits(options, tmp_path):
    model, inputs = small_classifier(**options), sequences()
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adam", loss)
    model.fit(inputs, np.array([0, 1, 2, 0, 1]), verbose=0)
    expected = model.predict(inputs, verbose=0)

    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")

    np.testing.assert_array_equal(loaded.predict(inputs, verbose=0), expected)
    # JSON has lists for tuples.
    config = json.loads(json.dumps(model.get_config()))
    assert json.loads(json.dumps(loaded.get_config())) == config
    model.save_weights(tmp_path / "model.weights.h5")
    fresh = small_classifier(**options)
    fresh(inputs)
    fresh.load_weights(tmp_path / "model.weights.h5")
    np.testing.assert_array_equal(fresh.predict(inputs, verbose=0), expected)


def test_equal_seeds_give_equal_training_runs():
    runs = []
    for seed in (1, 1, 2):
        keras.utils.set_random_seed(seed)
        model = small_classifier(dropout=0.5)
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile("adam", loss)
        targets = np.array([0, 1, 2, 0, 1])
        model.fit(sequences(), targets, epochs=2, batch_size=2, verbose=0)
        runs.append(model.predict(sequences(), verbose=0))
    np.testing.assert_array_equal(runs[0], runs[1])
    assert not np.array_equal(runs[0], runs[2])


def test_head_weights_start_uniform_within_one_over_root_fan_in():
    keras.utils.set_random_seed(0)
    head = small_classifier(num_classes=500, hidden_dim=16).head
    for weight in map(ops.convert_to_numpy, head.weights):
        assert 0.95 / 4 < np.abs(weight).max() <= 1 / 4
        assert abs(weight.mean()) < 0.2 / 4


def test_the_length_sets_the_depth_and_other_lengths_are_accepted():
    model = small_classifier(length=100, input_channels=None)
    for length in (7, 300):
        assert model.predict(sequences(length), verbose=0).shape == (5, 3)
    for block in model.backbone.blocks:
        assert block.receptive_field == 128


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_classes": 0}, "num_classes=0"),
        ({"length": 0}, "length=0"),
        ({"input_channels": 1.5}, "input_channels=1.5"),
        ({"vocabulary_size": 5}, "input_channels=2, vocabulary_size=5"),
        ({"hidden_dim": -4}, "hidden_dim=-4"),
        ({"vocabulary_size": 0, "input_channels": None}, "vocabulary_size=0"),
        ({"wavelet": "db2", "kernel_size": 3}, "kernel_size=3"),
    ],
)
def test_errors_name_the_bad_argument(options, message):
    with pytest.raises(ValueError, match=f"Received: {message}"):
        small_classifier(**options)


def test_inputs_of_another_rank_are_refused():
    model = small_classifier(input_channels=None)
    with pytest.raises(ValueError, match=r"Received: input_shape=\(2, 5\)"):
        model(np.ones((2, 5)))


def test_numpy_integers_are_accepted_as_arguments():
    model = small_classifier(
        num_classes=np.int64(3),
        length=np.int64(16),
        input_channels=np.int64(2),
        hidden_dim=np.int64(4),
        num_layers=np.int64(1),
        kernel_size=np.int64(2),
    )
    assert model.predict(sequences(), verbose=0).shape == (5, 3)


def test_inputs_with_another_number_of_channels_are_refused():
    with pytest.raises(ValueError, match="expected axis -1"):
        small_classifier()(np.ones((2, 16, 3)))


def test_tensorflow_traces_a_training_step_once(monkeypatch):
    if keras.backend.backend() != "tensorflow":
        return
    model = small_classifier(length=20)
    model.compile("adamw", "mse")
    traces = []
    train_step = model.train_step
    monkeypatch.setattr(
        model, "train_step", lambda data: traces.append(1) or train_step(data)
    )

    for _ in range(2):
        model.train_on_batch(np.zeros((2, 20, 2)), np.zeros((2, 3)))

    assert len(traces) == 1


def test_a_subclass_may_add_a_layer_after_the_constructor():
    class Doubled(MultiresClassifier):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            self.scale = self.add_weight(name="scale", initializer="ones")

        def call(self, inputs, mask=None, training=None):
            return 2 * self.scale * super().call(inputs, mask, training)

    backbone = small_classifier().backbone
    plain, doubled = MultiresClassifier(backbone, 3), Doubled(backbone, 3)
    doubled.head.set_weights(plain.head.get_weights())
    inputs = sequences()
    np.testing.assert_allclose(
        ops.convert_to_numpy(ops.stop_gradient(doubled(inputs))),
        2 * ops.convert_to_numpy(ops.stop_gradient(plain(inputs))),
        rtol=1e-5,
    )
    assert len(doubled.trainable_weights) == len(plain.trainable_weights) + 1


def test_a_subclass_with_state_of_its_own_learns():
    class Corrected(MultiresClassifier):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            self.mean = keras.metrics.Mean(name="mean")
            self.seed_generator = keras.random.SeedGenerator(0)
            self.correction = keras.layers.Dense(3)

        def call(self, inputs, mask=None, training=None):
            return self.correction(super().call(inputs, mask, training))

        def compute_loss(self, *args, **kwargs):
            loss = super().compute_loss(*args, **kwargs)
            self.mean.update_state(loss)
            return loss

    model = Corrected(small_classifier().backbone, 3)
    model.compile("adam", "mse")
    history = model.fit(sequences(), np.zeros((5, 3)), verbose=0).history
    np.testing.assert_allclose(history["mean"], history["loss"], rtol=1e-5)
    before = ops.convert_to_numpy(model.correction.kernel).copy()
    model.fit(sequences(), np.zeros((5, 3)), verbose=0)
    assert (ops.convert_to_numpy(model.correction.kernel) != before).all()


def test_pytorch_knows_the_parameters_of_a_new_model():
    if keras.backend.backend() != "torch":
        return
    model = small_classifier()
    shapes = {tuple(p.shape) for p in model.parameters()}
    assert shapes == {tuple(w.shape) for w in model.trainable_weights}
