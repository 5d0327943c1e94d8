import numpy as np
from keras import ops


class ChecksInputs:
    """Mix-in for models: arrays are checked before a loop starts.

    Inside `fit` and the like the model is compiled, and sees no values. What
    comes as a data set rather than an array is not checked.

    A model that uses this has a method `check_inputs(inputs)`, which raises a
    `ValueError`, and may have another `check_targets`.
    """

    def check_targets(self, targets):
        """Takes any targets."""

    def _check(self, inputs, targets=None):
        if isinstance(inputs, np.ndarray) or ops.is_tensor(inputs):
            self.check_inputs(inputs)
        if isinstance(targets, np.ndarray) or ops.is_tensor(targets):
            self.check_targets(targets)

    def fit(self, x=None, y=None, *args, **kwargs):
        self._check(x, y)
        if isinstance(kwargs.get("validation_data"), (tuple, list)):
            self._check(*kwargs["validation_data"][:2])
        return super().fit(x, y, *args, **kwargs)

    def evaluate(self, x=None, y=None, *args, **kwargs):
        self._check(x, y)
        return super().evaluate(x, y, *args, **kwargs)

    def predict(self, x, *args, **kwargs):
        self._check(x)
        return super().predict(x, *args, **kwargs)

    def train_on_batch(self, x, y=None, *args, **kwargs):
        self._check(x, y)
        return super().train_on_batch(x, y, *args, **kwargs)

    def test_on_batch(self, x, y=None, *args, **kwargs):
        self._check(x, y)
        return super().test_on_batch(x, y, *args, **kwargs)

    def predict_on_batch(self, x):
        self._check(x)
        return super().predict_on_batch(x)
