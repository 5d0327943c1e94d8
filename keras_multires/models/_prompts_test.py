import numpy as np
import pytest
from keras import ops

from keras_multires.models._prompts import read_prompts

ROWS = [[1, 2, 3], [4, 0, 0]]
PADDED = [[1, 2, 3, 0, 0], [4, 0, 0, 0, 0]]


@pytest.mark.parametrize(
    "prompts",
    [
        [[1, 2, 3], [4]],
        ((1, 2, 3), (4, 0)),
        ROWS,
        np.array(ROWS, "uint8"),
        [np.array([1, 2, 3]), np.array([4])],
    ],
)
def test_prompts_of_several_lengths_are_padded(prompts):
    token_ids, mask, is_single = read_prompts(
        prompts, max_length=5, vocabulary_size=6
    )
    assert token_ids.dtype == "int32"
    np.testing.assert_array_equal(token_ids, PADDED)
    np.testing.assert_array_equal(mask, np.array(PADDED) > 0)
    assert not is_single


def test_prompts_can_be_tensors_of_the_backend():
    prompts = ops.convert_to_tensor(ROWS)
    token_ids, _, _ = read_prompts(prompts, max_length=5, vocabulary_size=6)
    np.testing.assert_array_equal(token_ids, PADDED)


@pytest.mark.parametrize(
    "prompts", [[1, 2, 3], np.array([1, 2, 3]), (1, 2, 3, 0)]
)
def test_one_sequence_is_read_as_a_single_prompt(prompts):
    token_ids, _, is_single = read_prompts(
        prompts, max_length=5, vocabulary_size=6
    )
    np.testing.assert_array_equal(token_ids, PADDED[:1])
    assert is_single


@pytest.mark.parametrize(
    ("prompts", "problem"),
    [
        ([], "at least one"),
        ([[]], "Prompt 0 must hold at least one token"),
        ([[1], [0, 0]], "Prompt 1 must hold at least one token"),
        ([[1], [2, 6, -1, 6]], r"prompt 1 .*unknown tokens \[-1, 6\]"),
        ([[1, 0, 2]], r"prompt 0 .*padding.*unknown tokens \[0\]"),
        ([[1] * 6], "Prompt 0 must not be longer.*6 tokens, max_length=5"),
        ([[1.5]], "Prompt 0 must be a sequence of token ids"),
        ([[True]], "Prompt 0 must be a sequence of token ids"),
        ([[[1]]], "Prompt 0 must be a sequence of token ids"),
        ("text", "tokenizer makes"),
        (["some", "text"], "tokenizer makes"),
        (3, "`prompts` must be"),
        (np.array(3), "`prompts` must be"),
        ({"token_ids": [[1]]}, "`prompts` must be"),
        ([[1], [2, [3]]], "Prompt 1 must be a sequence of token ids"),
        (None, "`prompts` must be"),
    ],
)
def test_errors_say_why_prompts_are_refused(prompts, problem):
    with pytest.raises(ValueError, match=problem):
        read_prompts(prompts, max_length=5, vocabulary_size=6)
