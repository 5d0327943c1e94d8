import numpy as np
from keras import ops

from keras_multires._validation import check_integer


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
    if not is_sequence or len(prompts) == 0:
        raise ValueError(
            "`prompts` must be at least one sequence of token ids. "
            f"Received: prompts={prompts!r}"
        )
    is_single = isinstance(prompts, str) or np.ndim(prompts[0]) == 0
    prompts = [prompts] if is_single else list(prompts)
    token_ids = np.zeros((len(prompts), max_length), dtype="int32")
    for index, prompt in enumerate(prompts):
        prompt = _read(index, prompt, vocabulary_size)
        if len(prompt) > max_length:
            raise ValueError(
                f"Prompt {index} must not be longer than `max_length`. "
                f"Received: prompts[{index}] of {len(prompt)} tokens, "
                f"max_length={max_length}"
            )
        token_ids[index, : len(prompt)] = prompt
    return token_ids, token_ids != 0, is_single


def check_token(name, token_id, vocabulary_size):
    """Raises a `ValueError` unless `token_id` is that of a token."""
    check_integer(name, token_id)
    if token_id >= vocabulary_size:
        raise ValueError(
            f"`{name}` must be from 1 to {vocabulary_size - 1}, since "
            f"`vocabulary_size` is {vocabulary_size} and id 0 is padding. "
            f"Received: {name}={token_id}"
        )


def _read(index, prompt, vocabulary_size):
    try:
        prompt = np.asarray(prompt)
    except ValueError:  # of sequences of several lengths
        prompt = np.asarray(prompt, dtype=object)
    is_integer = np.issubdtype(prompt.dtype, np.integer)
    if prompt.ndim != 1 or not (is_integer or prompt.size == 0):
        raise ValueError(
            f"Prompt {index} must be a sequence of token ids, which a "
            f"tokenizer makes of a text. Received: prompts[{index}]={prompt!r}"
        )
    prompt = prompt[: np.flatnonzero(prompt).max(initial=-1) + 1]
    if prompt.size == 0:
        raise ValueError(
            f"Prompt {index} must hold at least one token. "
            f"Received: none in prompts[{index}]"
        )
    unknown = prompt[(prompt < 1) | (prompt >= vocabulary_size)]
    if unknown.size:
        raise ValueError(
            f"The tokens of prompt {index} must be from 1 to "
            f"{vocabulary_size - 1}, since `vocabulary_size` is "
            f"{vocabulary_size} and id 0 is padding. "
            f"Received: in prompts[{index}] the unknown tokens "
            f"{sorted(set(unknown.tolist()))}"
        )
    return prompt
