import keras
import numpy as np
import pytest
from keras import ops

from keras_multires.models.multires_net import MultiresNet


def random_inputs(tokens, length=30):
    rng = np.random.default_rng(0)
    if tokens:
        return rng.integers(1, 7, size=(2, length))
    return rng.normal(size=(2, length, 3))


def options_of(tokens, **options):
    vocabulary_size = 7 if tokens else None
    return {
        "hidden_dim": 4,
        "num_layers": 2,
        "vocabulary_size": vocabulary_size,
        **options,
    }


@pytest.mark.parametrize("tokens", [False, True])
@pytest.mark.parametrize(
    "options",
    [
        {"normalization": "batch"},
        {"output_projection": True, "memory": "uniform", "memory_size": 9},
    ],
)
def test_steps_in_chunks_give_the_whole_sequence(tokens, options):
    inputs = random_inputs(tokens)
    net = MultiresNet(**options_of(tokens, **options))
    expected = ops.convert_to_numpy(net(inputs))
    assert expected.shape == (2, 30, 4)

    state, outputs = net.get_initial_state(2), []
    for start, end in ((0, 1), (1, 2), (2, 20), (20, 30)):
        chunk, state = net.step(inputs[:, start:end], state)
        outputs.append(ops.convert_to_numpy(chunk))

    np.testing.assert_allclose(
        np.concatenate(outputs, axis=1), expected, atol=1e-5
    )


def test_single_steps_are_compiled_once_where_the_backend_compiles(
    monkeypatch,
):
    inputs = random_inputs(tokens=False)
    net = MultiresNet(**options_of(tokens=False))
    net(inputs)
    block, calls = net.blocks[0], []
    step = block._step
    monkeypatch.setattr(
        block, "_step", lambda *arguments: calls.append(1) or step(*arguments)
    )
    for factor in (1.0, -0.5):
        net.set_weights([factor * weight for weight in net.get_weights()])
        expected = ops.convert_to_numpy(net(inputs))
        state = net.get_initial_state(2)
        for index in range(10):
            outputs, state = net.step(inputs[:, index : index + 1], state)
            np.testing.assert_allclose(
                ops.convert_to_numpy(outputs)[:, 0],
                expected[:, index],
                atol=1e-5,
            )
    is_eager = keras.backend.backend() == "torch"
    assert len(calls) == (20 if is_eager else 1)


@pytest.mark.parametrize("tokens", [False, True])
@pytest.mark.parametrize("normalization", ["layer", "batch"])
def test_right_padding_changes_no_valid_output(tokens, normalization):
    inputs = random_inputs(tokens)
    options = options_of(tokens, normalization=normalization, depth=5)
    net = MultiresNet(**options)
    expected = ops.convert_to_numpy(net(inputs))
    widths = [(0, 0), (0, 8), (0, 0)][: inputs.ndim]
    if tokens:
        outputs = net(np.pad(inputs, widths))
    else:
        padded = np.pad(inputs, widths, constant_values=np.nan)
        outputs = net(padded, mask=np.arange(38)[None] < [[30], [30]])

    outputs = ops.convert_to_numpy(outputs)
    np.testing.assert_allclose(outputs[:, :30], expected, atol=1e-5)
    assert np.all(np.isfinite(outputs))


def test_padding_of_nan_leaves_the_weights_finite():
    net = MultiresNet(**options_of(tokens=False))
    sequences, mask = keras.Input((38, 3)), keras.Input((38,), dtype="bool")
    model = keras.Model([sequences, mask], net(sequences, mask=mask))
    model.compile("sgd", "mse")
    inputs = np.pad(
        random_inputs(tokens=False),
        [(0, 0), (0, 8), (0, 0)],
        constant_values=np.nan,
    )
    valid = np.broadcast_to(np.arange(38) < 30, (2, 38))
    before = net.get_weights()
    model.fit([inputs, valid], np.zeros((2, 38, 4)), verbose=0)
    after = net.get_weights()
    assert all(np.all(np.isfinite(weight)) for weight in after)
    assert any(np.any(a != b) for a, b in zip(before, after, strict=True))


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_half_precision_does_not_round_token_ids(policy):
    options = options_of(tokens=True, vocabulary_size=3_002)
    net = MultiresNet(**options, dtype=policy)
    token_ids = np.array([[3_001, 2_999, 257]])
    expected = ops.convert_to_numpy(ops.cast(net(token_ids), "float32"))
    model = keras.Sequential([keras.Input((3,)), net])
    outputs = model.predict(token_ids.astype("float32"), verbose=0)
    np.testing.assert_allclose(outputs.astype("float32"), expected, atol=0.05)


def test_options_reach_every_block():
    options = {
        "kernel_size": 3,
        "depth": 2,
        "memory": "uniform",
        "memory_size": 4,
        "independent_skip": True,
        "algorithm": "fft",
        "normalization": "batch",
        "dropout": 0.3,
        "output_projection": True,
        "mixing_regularizer": keras.regularizers.L2(0.5),
    }
    net = MultiresNet(**options_of(tokens=False), **options)
    assert len(net.blocks) == 2
    for block in net.blocks:
        config = block.get_config()
        regularizer = config.pop("mixing_regularizer")
        assert regularizer["config"] == {"l2": 0.5}
        assert (
            config.items()
            >= {
                name: value
                for name, value in options.items()
                if name != "mixing_regularizer"
            }.items()
        )
        assert block.channel_dropout.rate == 0.3


def test_metrics_of_training_leave_padding_out():
    net = MultiresNet(**options_of(tokens=True))
    token_ids = random_inputs(tokens=True)
    token_ids[0, 20:] = 0
    net.compile("sgd", "mse", weighted_metrics=["mae"])
    outputs = ops.convert_to_numpy(net(token_ids))
    results = net.train_on_batch(
        token_ids, np.zeros_like(outputs), return_dict=True
    )
    valid = outputs[token_ids > 0]
    expected = {"loss": np.square(valid).mean(), "mae": abs(valid).mean()}
    for name, value in expected.items():
        np.testing.assert_allclose(float(results[name]), value, rtol=1e-5)


def test_mask_of_the_tokens_reaches_the_next_layer():
    net = MultiresNet(**options_of(tokens=True))
    tokens = keras.Input((12,), dtype="int32")
    pooled = keras.layers.GlobalAveragePooling1D()(net(tokens))
    model = keras.Model(tokens, pooled)
    inputs = np.array([[1, 2, 3, 4, 5, 6, 0, 0, 0, 0, 0, 0]])
    expected = ops.convert_to_numpy(net(inputs))[:, :6].mean(axis=1)
    outputs = model.predict(inputs, verbose=0)
    np.testing.assert_allclose(outputs, expected, atol=1e-5)


def test_a_net_with_a_head_has_the_parameters_of_the_density_model():
    # One more block adds as much as the one before, so two small nets tell
    # the size of the published 48 blocks.
    counts = []
    for num_layers in (1, 2):
        net = MultiresNet(
            512,
            num_layers,
            kernel_size=4,
            independent_skip=True,
            output_projection=True,
        )
        net.build((None, 1024, 3))
        counts.append(net.count_params())
    first, second = counts
    head = 512 * 100 + 100
    assert first + 47 * (second - first) + head == 38_391_908


def test_initial_encoder_weights_follow_the_stated_distributions():
    keras.utils.set_random_seed(0)
    net = MultiresNet(5_000, 1, depth=1)
    net.build((None, 8, 4))
    for weight in (net.encoder.kernel, net.encoder.bias):
        weight = ops.convert_to_numpy(weight).ravel()
        # Uniform in ±1 / sqrt(4): the moments, to five standard errors.
        error = 5 / np.sqrt(weight.size)
        assert np.abs(weight).max() <= 0.5
        assert abs(weight.mean()) < 0.5 * error * np.sqrt(1 / 3)
        assert abs((weight**2).mean() - 0.25 / 3) < 0.25 * error * 0.3
    net = MultiresNet(5_000, 1, vocabulary_size=4, depth=1)
    net.build((None, 8))
    weight = ops.convert_to_numpy(net.encoder.embeddings).ravel()
    error = 5 / np.sqrt(weight.size)
    assert abs(weight.mean()) < error
    assert abs(weight.var() - 1) < error * np.sqrt(2)
    assert np.abs(weight).max() > 3


def test_the_gradient_ends_where_the_receptive_field_ends(gradients):
    net = MultiresNet(2, 2, depth=2, kernel_size=3, algorithm="tree")
    net.build((1, 30, 1))
    assert net.receptive_field == 13
    cotangent = np.zeros((1, 30, 2))
    cotangent[:, -1, 0] = 1
    _, by_inputs, _ = gradients(net, np.ones((1, 30, 1)), cotangent)
    assert np.all(by_inputs[0, :17] == 0)
    assert np.all(by_inputs[0, 17:] != 0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"hidden_dim": 0}, "hidden_dim=0"),
        ({"num_layers": "two"}, "num_layers='two'"),
        ({"vocabulary_size": 0}, "vocabulary_size=0"),
        ({"normalization": None}, "normalization=None"),
    ],
)
def test_errors_name_the_bad_argument(options, message):
    with pytest.raises(ValueError, match=f"Received: {message}"):
        MultiresNet(**options_of(tokens=False) | options)


@pytest.mark.parametrize("tokens", [False, True])
def test_inputs_of_another_rank_are_refused(tokens):
    net = MultiresNet(**options_of(tokens))
    with pytest.raises(ValueError, match="Received: input_shape"):
        net(random_inputs(not tokens))
    net(random_inputs(tokens))
    with pytest.raises(ValueError, match="expected ndim"):
        net(random_inputs(not tokens))


def test_streams_of_a_net_without_weights_are_refused():
    net = MultiresNet(**options_of(tokens=False))
    with pytest.raises(ValueError, match="built layer"):
        net.get_initial_state(1)
    with pytest.raises(ValueError, match="built layer or model"):
        net.step(random_inputs(tokens=False), [])


def test_step_refuses_the_state_of_another_net():
    net = MultiresNet(**options_of(tokens=False))
    net.build((2, 30, 3))
    with pytest.raises(ValueError, match=r"`state` must be .*Received: state"):
        net.step(random_inputs(tokens=False), net.get_initial_state(2)[:1])


def test_steps_in_place_overwrite_the_state():
    model = MultiresNet(3, 2, depth=4)
    model.build((None, None, 2))
    inputs = np.random.default_rng(0).normal(size=(2, 9, 2)).astype("float32")
    state, overwritten = model.get_initial_state(2), model.get_initial_state(2)
    for index in range(9):
        now = inputs[:, index : index + 1]
        expected, state = model.step(now, state)
        before = overwritten[0]["history"]
        outputs, overwritten = model.step(now, overwritten, in_place=True)
        np.testing.assert_allclose(outputs, expected, atol=1e-6)
    after = overwritten[0]["history"]
    if keras.backend.backend() == "jax":
        assert before.is_deleted()
    else:
        assert after is before
    np.testing.assert_allclose(after, state[0]["history"], atol=1e-6)


def test_steps_in_place_accept_a_state_of_another_precision():
    model = MultiresNet(3, 2, depth=4)
    model.build((None, None, 2))
    inputs = np.ones((2, 1, 2), "float32")
    _, state = model.step(inputs, model.get_initial_state(2))
    stored = keras.tree.map_structure(
        lambda leaf: (
            ops.convert_to_numpy(leaf).astype("float16")
            if "float" in keras.backend.standardize_dtype(leaf.dtype)
            else leaf
        ),
        state,
    )
    for _ in range(3):
        expected, state = model.step(inputs, state)
        outputs, stored = model.step(inputs, stored, in_place=True)
        np.testing.assert_allclose(outputs, expected, atol=1e-2)
        dtype = keras.backend.standardize_dtype(stored[0]["history"].dtype)
        assert dtype == "float32"


@pytest.mark.parametrize("length", [8, None])
def test_a_backbone_made_frozen_is_frozen_in_a_model(length):
    inputs = keras.Input((8, 2))
    net = MultiresNet(4, 1, length=length, input_channels=2, trainable=False)
    model = keras.Model(inputs, net(inputs))
    assert len(model.weights) == 10
    assert model.trainable_weights == []


def test_complex_inputs_are_refused():
    net = MultiresNet(4, 1, length=8, input_channels=2)
    inputs = ops.convert_to_tensor(np.full((1, 8, 2), 1 + 2j, "complex64"))
    with pytest.raises(ValueError, match="`inputs` must be real"):
        net(inputs)
