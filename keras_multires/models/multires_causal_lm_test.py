import sys

import keras
import numpy as np
import pytest
from keras import ops

from testing.models import language_model

OPTIONS = {"hidden_dim": 8, "num_layers": 2}


@pytest.fixture(scope="module", params=["layer", "batch"])
def model(request):
    keras.utils.set_random_seed(0)
    return language_model(
        vocabulary_size=7, length=20, **OPTIONS, normalization=request.param
    )


def random_tokens(num_sequences=2, length=20):
    rng = np.random.default_rng(0)
    return rng.integers(1, 7, size=(num_sequences, length))


def logits_of(model, token_ids):
    return ops.convert_to_numpy(model(token_ids))


def test_a_prediction_depends_on_the_tokens_up_to_it(model):
    token_ids = random_tokens()
    before = logits_of(model, token_ids)
    assert before.shape == (2, 20, 7)
    assert model.compute_output_shape((2, 20)) == (2, 20, 7)
    changed = token_ids.copy()
    changed[:, 8] = changed[:, 8] % 6 + 1
    after = logits_of(model, changed)
    np.testing.assert_allclose(after[:, :8], before[:, :8], atol=1e-6)
    # On the token itself, too: it is not shifted as the pixels are.
    assert (abs(after[:, 8] - before[:, 8]) > 1e-4).any()


def test_building_again_keeps_the_weights(model):
    expected = logits_of(model, random_tokens())
    model.build((None, 20))
    np.testing.assert_array_equal(logits_of(model, random_tokens()), expected)


def test_padding_changes_no_prediction(model):
    token_ids = random_tokens()
    before = logits_of(model, token_ids)
    padded = np.pad(token_ids, ((0, 0), (0, 5)))
    np.testing.assert_allclose(
        logits_of(model, padded)[:, :20], before, atol=1e-5
    )


def small_model():
    keras.utils.set_random_seed(0)
    return language_model(
        vocabulary_size=5, length=4, hidden_dim=4, num_layers=1
    )


def log_probabilities(model, token_ids):
    logits = logits_of(model, token_ids).astype("float64")
    return logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))


TOKENS = np.array([[1, 2, 0, 0], [3, 1, 2, 0], [4, 4, 1, 2]])
# Also where the input is padding.
TARGETS = np.array([[2, 3, 1, 1], [1, 2, 2, 3], [4, 1, 2, 3]])


@pytest.mark.parametrize("is_weighted", [False, True])
def test_losses_and_metrics_leave_padding_out(is_weighted):
    model = small_model()
    weights = np.linspace(0.5, 2, 12).reshape(3, 4) if is_weighted else None
    log_probs = log_probabilities(model, TOKENS)
    losses = -np.take_along_axis(log_probs, TARGETS[..., None], -1)[..., 0]
    is_right = log_probs.argmax(-1) == TARGETS
    valid = TOKENS > 0
    total = valid * (weights if is_weighted else 1)
    # Keras divides a loss by the number of steps, a metric by their weights.
    expected = {
        "loss": (total * losses).sum() / valid.sum(),
        "accuracy": (total * is_right).sum() / total.sum(),
    }
    model.compile(
        keras.optimizers.SGD(0.0),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        weighted_metrics=["accuracy"],
    )
    options = {"sample_weight": weights, "verbose": 0}
    data = (TOKENS, TARGETS)
    received = [
        model.evaluate(*data, **options, return_dict=True),
        {k: v[0] for k, v in model.fit(*data, **options).history.items()},
    ]
    for results in received:
        assert results.keys() == expected.keys()
        for name, value in expected.items():
            np.testing.assert_allclose(float(results[name]), value, rtol=1e-5)


def test_a_loss_may_smooth_the_labels():
    model = small_model()
    log_probs = log_probabilities(model, TOKENS)
    labels = np.eye(5)[TARGETS]
    smooth = -(log_probs * (0.9 * labels + 0.1 / 5)).sum(-1)
    valid = TOKENS > 0
    expected = smooth[valid].mean()
    model.compile(
        loss=keras.losses.CategoricalCrossentropy(
            from_logits=True, label_smoothing=0.1
        )
    )
    received = model.evaluate(TOKENS, labels, verbose=0)
    np.testing.assert_allclose(received, expected, rtol=1e-5)
    # All of an untrained model's tokens are about as likely.
    assert received < 2 * np.log(5)


@pytest.mark.parametrize("sizes", [[1] * 20, [1, 5, 1, 13]])
def test_steps_give_the_outputs_of_the_whole_sequence(model, sizes):
    token_ids = random_tokens()
    state, outputs = model.get_initial_state(2), []
    for chunk in np.split(token_ids, np.cumsum(sizes)[:-1], axis=1):
        logits, state = model.step(chunk, state)
        outputs.append(ops.convert_to_numpy(logits))
    np.testing.assert_allclose(
        np.concatenate(outputs, axis=1), logits_of(model, token_ids), atol=1e-5
    )


def test_training_on_sequences_of_several_lengths_learns_a_language():
    keras.utils.set_random_seed(0)
    model = language_model(vocabulary_size=7, length=12, **OPTIONS, dropout=0.0)
    model.compile(
        keras.optimizers.Adam(0.02),
        keras.losses.SparseCategoricalCrossentropy(
            from_logits=True, ignore_class=0
        ),
    )
    # One counts up from a random number, six starts over, five ends.
    rng = np.random.default_rng(0)
    starts, lengths = rng.integers(6, size=(64, 1)), rng.integers(3, 12, 64)
    token_ids = (starts + np.arange(12)) % 6 + 1
    token_ids[np.arange(12) >= lengths[:, None]] = 0
    inputs, targets = token_ids[:, :-1], token_ids[:, 1:]
    model.fit(inputs, targets, batch_size=16, epochs=15, verbose=0)
    assert model.evaluate(inputs, targets, verbose=0) < 0.2
    predictions = logits_of(model, inputs).argmax(-1)
    valid = targets > 0
    assert (predictions[valid] == targets[valid]).mean() > 0.98


def test_a_model_is_saved_and_loaded(model, tmp_path):
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert again.get_config() == model.get_config()
    token_ids = random_tokens()
    np.testing.assert_allclose(
        logits_of(again, token_ids), logits_of(model, token_ids), atol=1e-6
    )


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_half_precision_gives_finite_logits_and_rounds_no_token(policy):
    model = language_model(
        vocabulary_size=300, length=20, **OPTIONS, dtype=policy
    )
    # Ids that half precision would round.
    token_ids = np.array([[298, 299, 297]])
    logits = ops.convert_to_numpy(ops.cast(model(token_ids), "float32"))
    assert np.isfinite(logits).all()
    other = ops.convert_to_numpy(
        ops.cast(model(np.array([[299] * 3])), "float32")
    )
    assert (abs(other - logits) > 1e-3).any()


def test_unknown_tokens_are_refused(model):
    with pytest.raises(ValueError, match=r"`vocabulary_size` is 7.*to 9"):
        model.predict(np.full((2, 20), 9), verbose=0)


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({"length": 0}, "`length`"),
        ({"vocabulary_size": 1}, "`vocabulary_size`.*at least 2"),
        ({"vocabulary_size": 2.5}, "`vocabulary_size`"),
        ({"hidden_dim": 0}, "`hidden_dim`"),
        ({"dropout": 1.0}, "`dropout`"),
    ],
)
def test_errors_name_the_bad_argument(arguments, problem):
    with pytest.raises(ValueError, match=problem):
        language_model(
            **{**OPTIONS, "length": 20, "vocabulary_size": 7, **arguments}
        )


def test_generating_without_keras_nlp_says_what_to_install(model, monkeypatch):
    monkeypatch.setitem(sys.modules, "keras_nlp", None)
    with pytest.raises(ImportError, match="pip install keras-nlp"):
        model.generate([[1, 2]], max_length=5)
