"""Metrics that Keras does not have."""

import keras
import numpy as np
from keras import ops

from keras_multires._packages import import_package
from keras_multires._validation import check_boolean
from keras_multires._validation import check_numbers
from keras_multires._validation import require

__all__ = ["LogitAUC", "macro_auroc"]


@keras.saving.register_keras_serializable(package="keras_multires")
class LogitAUC(keras.metrics.AUC):
    """`keras.metrics.AUC` for logits, precise for rare classes too.

    Keras counts at evenly spaced thresholds between 0 and 1. The probabilities
    of rare classes lie so close together that most of them fall between two
    thresholds. The area depends only on the order of the predictions, so this
    metric maps the logits to (0, 1) by `sigmoid(logits / 4)`, which spreads
    them over more thresholds. The result is still an estimate; `macro_auroc` is
    exact.

    Args:
        *args: As in `keras.metrics.AUC`.
        **kwargs: As in `keras.metrics.AUC`, without `from_logits`.

    Raises:
        ValueError: if `from_logits` is given.

    Example:

    >>> metric = keras_multires.metrics.LogitAUC(multi_label=True, num_labels=2)
    >>> metric.update_state([[0, 1], [1, 0]], [[-9.0, 3.0], [-7.0, 2.0]])
    >>> float(metric.result())
    1.0
    """

    def __init__(self, *args, from_logits=False, **kwargs):
        is_left_out = not check_boolean("from_logits", from_logits)
        expected = "`from_logits` must be left out: the predictions are logits."
        require(is_left_out, expected, from_logits=from_logits)
        super().__init__(*args, **kwargs)

    def update_state(self, y_true, y_pred, sample_weight=None):
        spread = ops.sigmoid(ops.convert_to_tensor(y_pred) / 4)
        return super().update_state(y_true, spread, sample_weight)

    def get_config(self):
        config = super().get_config()
        # Keras returns a tensor here, which `from_config` cannot read.
        if self.label_weights is not None:
            weights = ops.convert_to_numpy(self.label_weights)
            config["label_weights"] = weights.tolist()
        return config


def macro_auroc(targets, scores):
    """Area under the ROC curve of each class, and the mean over classes.

    A class that no example has, or that every example has, does not have a ROC
    curve. It is left out of the mean.

    Args:
        targets: Array `(n, classes)` of 0 and 1.
        scores: Float array `(n, classes)`. A higher score means that the class
            is more likely. Logits and probabilities give the same areas.

    Returns:
        `(macro, per_class)`: a float, and a float array `(classes,)` with NaN
        where a class is left out.

    Raises:
        ImportError: if scikit-learn is not installed.
        ValueError: if the arrays do not fit each other, or no class has a ROC
            curve.

    Example:

    >>> targets = np.array([[1, 0], [0, 0], [1, 0]])
    >>> scores = np.array([[0.9, 0.1], [0.2, 0.3], [0.4, 0.2]])
    >>> keras_multires.metrics.macro_auroc(targets, scores)
    (1.0, array([ 1., nan]))
    """
    sklearn_metrics = import_package(
        "sklearn.metrics",
        "The area under the ROC curve is computed by scikit-learn",
        "scikit-learn",
    )
    targets = check_numbers("targets", targets)
    scores = check_numbers("scores", scores)
    shape = f"targets.shape={targets.shape}"
    shapes = f"{shape}, scores.shape={scores.shape}"
    are_alike = targets.ndim == 2 and targets.shape == scores.shape
    expected = "`targets` and `scores` must have one shape, (n, classes)."
    require(are_alike, expected, shapes)
    values = np.unique(targets)
    are_binary = np.isin(values, (0, 1)).all()
    require(are_binary, "`targets` must be 0 or 1.", f"targets of {values[:5]}")
    wrong = f"scores with {np.count_nonzero(~np.isfinite(scores))} that are not"
    require(np.isfinite(scores).all(), "`scores` must be finite.", wrong)
    has_both = (targets == 1).any(axis=0) & (targets == 0).any(axis=0)
    expected = (
        "`targets` must hold a class that some rows have and others have not."
    )
    require(has_both.any(), expected, f"{shape}, without such a class")
    per_class = np.full(targets.shape[1], np.nan)
    per_class[has_both] = sklearn_metrics.roc_auc_score(
        targets[:, has_both], scores[:, has_both], average=None
    )
    return float(np.nanmean(per_class)), per_class
