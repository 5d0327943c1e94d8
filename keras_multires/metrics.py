"""Scores of predictions, beside those that Keras has."""

import keras
import numpy as np
from keras import ops

from keras_multires._validation import check_boolean
from keras_multires._validation import check_numbers


@keras.saving.register_keras_serializable(package="keras_multires")
class LogitAUC(keras.metrics.AUC):
    """Keras's area under the curve, of logits.

    Keras counts at thresholds that are even between 0 and 1, too far apart for
    the probabilities of rare classes. The area depends on the order of the
    predictions alone, so that here another increasing function of the logits
    than the sigmoid spreads them over the thresholds. Still an estimate:
    `macro_auroc` is exact.

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
        if check_boolean("from_logits", from_logits):
            raise ValueError(
                "`from_logits` must be left out: the predictions are logits. "
                f"Received: from_logits={from_logits!r}"
            )
        super().__init__(*args, **kwargs)

    def update_state(self, y_true, y_pred, sample_weight=None):
        spread = ops.sigmoid(ops.convert_to_tensor(y_pred) / 4)
        return super().update_state(y_true, spread, sample_weight)

    def get_config(self):
        config = super().get_config()
        # Keras gives a tensor, which it then cannot read again.
        if self.label_weights is not None:
            weights = ops.convert_to_numpy(self.label_weights)
            config["label_weights"] = weights.tolist()
        return config


def macro_auroc(targets, scores):
    """Area under the ROC curve of each class, and its mean over classes.

    A class of which `targets` holds no example, or nothing else, has no ROC
    curve. It is left out of the mean.

    Args:
        targets: Array `(n, classes)` of 0 and 1.
        scores: Float array `(n, classes)`: the higher, the more likely is the
            class. Logits and probabilities give the same areas.

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
    try:
        from sklearn.metrics import roc_auc_score
    except ImportError as error:
        raise ImportError(
            "The area under the ROC curve is computed by scikit-learn, which "
            "is not installed. Install it: pip install scikit-learn"
        ) from error
    targets = check_numbers("targets", targets)
    scores = check_numbers("scores", scores)
    if targets.ndim != 2 or targets.shape != scores.shape:
        raise ValueError(
            "`targets` and `scores` must have one shape, (n, classes). "
            f"Received: targets.shape={targets.shape}, "
            f"scores.shape={scores.shape}"
        )
    if not np.isin(targets, (0, 1)).all():
        raise ValueError(
            "`targets` must be 0 or 1. "
            f"Received: targets of {np.unique(targets)[:5]}"
        )
    if not np.isfinite(scores).all():
        raise ValueError(
            "`scores` must be finite. Received: scores with "
            f"{np.count_nonzero(~np.isfinite(scores))} that are not"
        )
    has_both = (targets == 1).any(axis=0) & (targets == 0).any(axis=0)
    if not has_both.any():
        raise ValueError(
            "`targets` must hold a class that some rows have and others have "
            f"not. Received: targets.shape={targets.shape}, with none"
        )
    per_class = np.full(targets.shape[1], np.nan)
    per_class[has_both] = roc_auc_score(
        targets[:, has_both], scores[:, has_both], average=None
    )
    return float(np.nanmean(per_class)), per_class
