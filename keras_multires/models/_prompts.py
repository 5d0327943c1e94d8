"""Prompts of token ids, as arrays."""

import numpy as np
from keras import ops

from keras_multires._validation import check_integer
from keras_multires._validation import require


def read_prompts(prompts, max_length, vocabulary_size):
    """Prompts of token ids as one padded array.

    Args:
        prompts: Token ids of one sequence or of several: nested lists, an
            array or tensor, a ragged tensor of TensorFlow. Trailing zeros are
            padding.
        max_length: Integer, length to pad to.
        vocabulary_size: Integer; the ids are `1 .. vocabulary_size - 1`.

    Returns:
        `(token_ids, mask, is_single)`: int32 array `(batch, max_length)`; a
        boolean array of the same shape, True where a token is given; and
        whether `prompts` is one sequence, not several. `batch` is then 1.

    Raises:
        ValueError: if there is no prompt, or one is empty, not made of
            integers, longer than `max_length`, or holds an unknown token.
    """
    if ops.is_tensor(prompts):
        prompts = ops.convert_to_numpy(prompts)
    elif hasattr(prompts, "to_list"):
        prompts = prompts.to_list()  # of a ragged tensor
    if isinstance(prompts, np.ndarray) and prompts.dtype == object:
        prompts = prompts.tolist()
    is_sequence = isinstance(prompts, (str, list, tuple)) or (
        isinstance(prompts, np.ndarray) and prompts.ndim > 0
    )
    expected = "`prompts` must be at least one sequence of token ids."
    require(is_sequence and len(prompts), expected, prompts=prompts)
    is_single = isinstance(prompts, str) or np.ndim(prompts[0]) == 0
    prompts = [prompts] if is_single else list(prompts)
    token_ids = np.zeros((len(prompts), max_length), dtype="int32")
    for index, prompt in enumerate(prompts):
        prompt = _read(index, prompt, vocabulary_size)
        expected = f"Prompt {index} must not be longer than `max_length`."
        received = f"{len(prompt)} tokens, max_length={max_length}"
        require(len(prompt) <= max_length, expected, received)
        token_ids[index, : len(prompt)] = prompt
    return token_ids, token_ids != 0, is_single


def check_token(name, token_id, vocabulary_size):
    """Raises a `ValueError` unless `token_id` is that of a token."""
    check_integer(name, token_id)
    expected = f"`{name}` must be {_token_range(vocabulary_size)}."
    require(token_id < vocabulary_size, expected, **{name: token_id})


def _token_range(size):
    reason = f"`vocabulary_size` is {size} and id 0 is padding"
    return f"from 1 to {size - 1}, since {reason}"


def _read(index, prompt, vocabulary_size):
    try:
        prompt = np.asarray(prompt)
    except ValueError:  # of sequences of several lengths
        prompt = np.asarray(prompt, dtype=object)
    is_integer = np.issubdtype(prompt.dtype, np.integer)
    place, kind = f"prompts[{index}]", "a sequence of token ids"
    is_right = prompt.ndim == 1 and (is_integer or prompt.size == 0)
    expected = f"Prompt {index} must be {kind}, which a tokenizer makes."
    require(is_right, expected, **{place: prompt})
    prompt = prompt[: np.flatnonzero(prompt).max(initial=-1) + 1]
    expected = f"Prompt {index} must hold at least one token."
    require(prompt.size, expected, f"none in {place}")
    unknown = prompt[(prompt < 1) | (prompt >= vocabulary_size)]
    expected = f"The tokens of prompt {index} must be "
    expected += f"{_token_range(vocabulary_size)}."
    received = f"in {place} the unknown tokens {sorted(set(unknown.tolist()))}"
    require(not unknown.size, expected, received)
    return prompt
