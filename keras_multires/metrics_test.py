import json
import sys

import keras
import numpy as np
import pytest

from keras_multires.metrics import LogitAUC
from keras_multires.metrics import macro_auroc


@pytest.fixture
def predictions():
    rng = np.random.default_rng(0)
    targets = rng.integers(2, size=(40, 5))
    targets[:, 1] = 0
    targets[:, 3] = 1
    return targets, rng.integers(6, size=(40, 5)) + 0.5 * targets


def test_an_area_is_the_probability_of_ranking_a_pair_correctly(predictions):
    targets, scores = predictions
    macro, per_class = macro_auroc(targets, scores)
    for index in (0, 2, 4):
        positive = scores[targets[:, index] == 1, index][:, None]
        negative = scores[targets[:, index] == 0, index][None]
        wins = (positive > negative) + 0.5 * (positive == negative)
        np.testing.assert_allclose(per_class[index], wins.mean())
    np.testing.assert_allclose(macro, per_class[[0, 2, 4]].mean())


def test_classes_without_both_kinds_of_targets_are_left_out(predictions):
    _, per_class = macro_auroc(*predictions)
    assert np.isnan(per_class).tolist() == [False, True, False, True, False]


def test_only_the_order_of_the_scores_matters(predictions):
    targets, scores = predictions
    expected = macro_auroc(targets, scores)
    for received, value in zip(
        macro_auroc(targets.astype("float32"), np.exp(scores)),
        expected,
        strict=True,
    ):
        np.testing.assert_allclose(received, value)


@pytest.mark.parametrize(
    ("targets", "scores", "problem"),
    [
        (np.ones((3, 2)), np.ones((3, 3)), r"\(3, 2\).*\(3, 3\)"),
        (np.ones(3), np.ones(3), "must have one shape"),
        (2 * np.eye(3), np.eye(3), "must be 0 or 1"),
        (np.full((3, 3), np.nan), np.eye(3), "must be 0 or 1"),
        (np.eye(3), np.diag([1, 1, np.nan]), "must be finite"),
        (np.ones((3, 2)), np.ones((3, 2)), "must hold a class"),
    ],
)
def test_invalid_targets_or_scores_are_refused(targets, scores, problem):
    with pytest.raises(ValueError, match=problem):
        macro_auroc(targets, scores)


def test_a_missing_scikit_learn_is_named_in_the_error(monkeypatch, predictions):
    monkeypatch.setitem(sys.modules, "sklearn.metrics", None)
    with pytest.raises(ImportError, match="pip install scikit-learn"):
        macro_auroc(*predictions)


def test_logit_auc_is_precise_for_rare_labels():
    rng = np.random.default_rng(0)
    odds = np.array([0.005, 0.05, 0.5])
    targets = (rng.random((2000, 3)) < odds).astype("float32")
    logits = rng.normal(size=(2000, 3)) + targets + np.log(odds / (1 - odds))
    metric = LogitAUC(
        multi_label=True, num_labels=3, label_weights=[1.0, 1.0, 1.0]
    )
    config = json.loads(json.dumps(keras.metrics.serialize(metric)))
    again = keras.metrics.deserialize(config)
    assert isinstance(again, LogitAUC)
    for start in range(0, 2000, 500):
        rows = slice(start, start + 500)
        again.update_state(targets[rows], logits[rows].astype("float32"))
    expected, _ = macro_auroc(targets, logits)
    np.testing.assert_allclose(float(again.result()), expected, atol=1e-3)
