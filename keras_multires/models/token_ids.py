import keras
import numpy as np
from keras import ops


def _has_values(tensor):
    """Whether a tensor holds values, or only stands for some in a graph."""
    if isinstance(tensor, keras.KerasTensor):
        return False
    if isinstance(tensor, np.ndarray):
        return True
    backend = keras.backend.backend()
    if backend == "jax":
        import jax

        return not isinstance(tensor, jax.core.Tracer)
    if backend == "tensorflow":
        import tensorflow as tf

        return not tf.is_symbolic_tensor(tensor)
    import torch

    return not (torch.compiler.is_compiling() or tensor.device.type == "meta")


def check_token_ids(token_ids, vocabulary_size):
    """Raises a `ValueError` for token ids outside the vocabulary.

    Args:
        token_ids: Tensor or array of token ids. A symbolic one is not checked:
            its values are not known yet.
        vocabulary_size: Integer; the ids are `0 .. vocabulary_size - 1`.

    Raises:
        ValueError: if an id is negative or not below `vocabulary_size`.
    """
    if not _has_values(token_ids):
        return
    token_ids = ops.convert_to_numpy(token_ids)
    if token_ids.size == 0:
        return
    lowest, highest = token_ids.min(), token_ids.max()
    if lowest < 0 or highest >= vocabulary_size:
        raise ValueError(
            f"Token ids must be from 0 to {vocabulary_size - 1}, since "
            f"`vocabulary_size` is {vocabulary_size}. "
            f"Received: ids from {lowest} to {highest}"
        )


class ChecksTokenIds:
    """Mix-in for models of tokens: arrays are checked before a loop starts.

    Inside `fit` and the like the model is compiled, and sees no values. JAX
    would turn an id outside the vocabulary into NaN, silently. What comes as a
    data set rather than an array is not checked.

    A model that uses this sets `vocabulary_size`, None if it takes no tokens.
    """

    def _check(self, token_ids):
        is_array = isinstance(token_ids, np.ndarray) or ops.is_tensor(token_ids)
        if self.vocabulary_size is not None and is_array:
            check_token_ids(token_ids, self.vocabulary_size)

    def fit(self, x=None, *args, **kwargs):
        self._check(x)
        if isinstance(kwargs.get("validation_data"), (tuple, list)):
            self._check(kwargs["validation_data"][0])
        return super().fit(x, *args, **kwargs)

    def evaluate(self, x=None, *args, **kwargs):
        self._check(x)
        return super().evaluate(x, *args, **kwargs)

    def predict(self, x, *args, **kwargs):
        self._check(x)
        return super().predict(x, *args, **kwargs)

    def train_on_batch(self, x, *args, **kwargs):
        self._check(x)
        return super().train_on_batch(x, *args, **kwargs)

    def test_on_batch(self, x, *args, **kwargs):
        self._check(x)
        return super().test_on_batch(x, *args, **kwargs)

    def predict_on_batch(self, x):
        self._check(x)
        return super().predict_on_batch(x)
