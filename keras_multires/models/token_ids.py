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

    Inside `fit`, `evaluate` and `predict` the model is compiled, and sees no
    values. JAX would turn an id outside the vocabulary into NaN, silently.
    A model that uses this sets `vocabulary_size`, None if it takes no tokens.
    """

    def _check_array(self, array):
        if self.vocabulary_size is not None and isinstance(array, np.ndarray):
            check_token_ids(array, self.vocabulary_size)

    def fit(self, x=None, *args, **kwargs):
        self._check_array(x)
        return super().fit(x, *args, **kwargs)

    def evaluate(self, x=None, *args, **kwargs):
        self._check_array(x)
        return super().evaluate(x, *args, **kwargs)

    def predict(self, x, *args, **kwargs):
        self._check_array(x)
        return super().predict(x, *args, **kwargs)
