"""Checks of what tensors hold, where it is known."""

import keras
import numpy as np
from keras import ops


def has_values(tensor):
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
        ValueError: if an id is no integer, negative, or not below
            `vocabulary_size`.
    """
    if not has_values(token_ids):
        return
    token_ids = ops.convert_to_numpy(token_ids)
    if token_ids.size == 0:
        return
    lowest, highest = token_ids.min(), token_ids.max()
    if (
        token_ids.dtype.kind not in "biu"
        and (token_ids != np.floor(token_ids)).any()
    ):
        raise ValueError(
            "Token ids of `inputs` must be integers. "
            f"Received: ids of dtype {token_ids.dtype}, with fractions or NaN"
        )
    if not (lowest >= 0 and highest < vocabulary_size):
        raise ValueError(
            f"Token ids of `inputs` must be from 0 to {vocabulary_size - 1}, "
            f"since `vocabulary_size` is {vocabulary_size}. "
            f"Received: ids from {lowest} to {highest}"
        )


def check_pixels(name, pixels):
    """Raises a `ValueError` for pixels outside [-1, 1].

    Args:
        name: What the pixels are called.
        pixels: Tensor or array. A symbolic one is not checked: its values are
            not known yet.

    Raises:
        ValueError: if a pixel is NaN, or out of the range by more than
            rounding.
    """
    if not has_values(pixels):
        return
    if ops.is_tensor(pixels):
        pixels = ops.convert_to_numpy(ops.cast(pixels, "float32"))
    lowest, highest = pixels.min(initial=0), pixels.max(initial=0)
    # Far less than from one of the 256 values to the next.
    if not (lowest >= -1.001 and highest <= 1.001):
        raise ValueError(
            f"`{name}` must be in [-1, 1], where a byte is `byte / 127.5 - 1`. "
            f"Received: values from {lowest} to {highest}"
        )
