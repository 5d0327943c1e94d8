"""Language models that generate by the samplers of keras-nlp."""

import itertools

import keras
import keras_nlp
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from keras_multires.models import MultiresCausalLM
from keras_multires.models import MultiresNet
from testing.backends import BACKEND
from testing.backends import use_floatx
from testing.programs import run_tests
from testing.threads import check_in_threads

samplers = keras_nlp.samplers
LENGTH = 10
PROMPTS = [[1, 2, 3], [4], [2, 2, 1, 1, 3]]


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(0)
    backbone = MultiresNet(
        16, 2, length=8, vocabulary_size=6, independent_skip=True
    )
    return MultiresCausalLM(backbone)


def log_probs(model, token_ids):
    """Of each token of sequences, given those before it."""
    token_ids = np.asarray(token_ids)
    log_probs = ops.log_softmax(next_logits(model, token_ids[:, :-1]))
    log_probs = ops.convert_to_numpy(log_probs)
    return np.take_along_axis(log_probs, token_ids[:, 1:, None], axis=-1)[
        ..., 0
    ]


def next_logits(model, token_ids):
    """Without that of padding, which is never generated."""
    logits = ops.convert_to_numpy(model(np.asarray(token_ids)))
    return np.where(np.arange(logits.shape[-1]) > 0, logits, -np.inf)


def naive_greedy(model, prompt):
    prompt = list(prompt)
    while len(prompt) < LENGTH:
        prompt.append(int(next_logits(model, [prompt])[0, -1].argmax()))
    return prompt


def test_greedy_search_gives_the_sequences_of_the_naive_loop(model):
    expected = [naive_greedy(model, prompt) for prompt in PROMPTS]
    received = model.generate(PROMPTS, LENGTH, sampler="greedy")
    np.testing.assert_array_equal(received, expected)
    assert received.dtype == "int32"
    alone = model.generate(PROMPTS[0], LENGTH, sampler="greedy")
    np.testing.assert_array_equal(alone, expected[0])


def test_generated_text_sees_a_change():
    keras.utils.set_random_seed(0)
    model = MultiresCausalLM(MultiresNet(8, 1, length=8, vocabulary_size=6))
    before = model.generate(PROMPTS, LENGTH, sampler="greedy")
    model.head.enable_lora(2)
    rng = np.random.default_rng(0)
    for factor in (model.head.lora_kernel_a, model.head.lora_kernel_b):
        factor.assign(rng.normal(size=factor.shape))
    received = model.generate(PROMPTS, LENGTH, sampler="greedy")
    expected = [naive_greedy(model, prompt) for prompt in PROMPTS]
    np.testing.assert_array_equal(received, expected)
    assert (received != before).any()


def test_eight_threads_write_what_one_writes(model):
    def write(number):
        prompt = [1 + number % 5]
        return model.generate(prompt, LENGTH, sampler="greedy")

    check_in_threads(write)


@pytest.mark.parametrize("floatx", ["bfloat16", "float16", "float64"])
def test_generation_works_whatever_floatx_is(floatx):
    with use_floatx(floatx):
        model = MultiresCausalLM(MultiresNet(8, 1, length=8, vocabulary_size=6))
        for sampler in ("top_k", "beam"):
            received = model.generate(
                PROMPTS, 6, sampler=sampler, stop_token_ids=[5]
            )
            assert received.dtype == "int32"
            for row, prompt in zip(received.tolist(), PROMPTS, strict=True):
                assert row[: len(prompt)] == prompt


def test_generation_uses_new_weights_and_changed_samplers(model):
    sampler = samplers.RandomSampler(temperature=1.0, seed=0)
    model.generate(PROMPTS, LENGTH, sampler=sampler)
    sampler.temperature = 1e-4
    expected = [naive_greedy(model, prompt) for prompt in PROMPTS]
    received = model.generate(PROMPTS, LENGTH, sampler=sampler)
    np.testing.assert_array_equal(received, expected)
    # Copies: PyTorch's arrays share the memory of the weights.
    weights = [weight.copy() for weight in model.get_weights()]
    rng = np.random.default_rng(0)
    model.set_weights([rng.normal(size=weight.shape) for weight in weights])
    changed = [naive_greedy(model, prompt) for prompt in PROMPTS]
    received = model.generate(PROMPTS, LENGTH, sampler=sampler)
    model.set_weights(weights)
    assert changed != expected
    np.testing.assert_array_equal(received, changed)


def test_samples_have_the_distribution_of_the_model(model):
    num_samples = 20_000
    prompts = [[2, 1]] * num_samples
    sampled = model.generate(
        prompts, max_length=5, sampler=samplers.RandomSampler(seed=3)
    )
    every = np.array(
        [[2, 1, *rest] for rest in itertools.product(range(1, 6), repeat=3)]
    )
    expected = np.exp(log_probs(model, every)[:, 1:].sum(axis=1))
    np.testing.assert_allclose(expected.sum(), 1, atol=1e-4)
    place = {tuple(tokens): row for row, tokens in enumerate(every.tolist())}
    counts = np.zeros(len(every))
    for tokens in sampled.tolist():
        counts[place[tuple(tokens)]] += 1
    deviations = counts - num_samples * expected
    chi_square = (deviations**2 / (num_samples * expected)).sum()
    # Of 124 degrees of freedom: mean 124, standard deviation 16.
    assert chi_square < 124 + 5 * 16


def test_beam_search_finds_the_likeliest_sequence(model):
    every = np.array(list(itertools.product(range(1, 6), repeat=3)))
    beams = samplers.BeamSampler(num_beams=25, return_all_beams=True)
    prompts = [[3], [1, 4], [5]]
    found, scores = model.generate(prompts, max_length=4, sampler=beams)
    assert found.shape == (3, 25, 4)
    for prompt, beam, score in zip(prompts, found, scores, strict=True):
        given = len(prompt)
        rest = np.unique(every[:, given - 1 :], axis=0)
        candidates = np.hstack([np.tile(prompt, (len(rest), 1)), rest])
        likelihood = log_probs(model, candidates)[:, given - 1 :].sum(axis=1)
        best = likelihood.argmax()
        np.testing.assert_array_equal(beam[0], candidates[best])
        np.testing.assert_allclose(score[0], likelihood[best], atol=1e-4)
    best = model.generate(prompts, 4, sampler=samplers.BeamSampler(25))
    np.testing.assert_array_equal(best, found[:, 0])


@pytest.mark.parametrize(
    "sampler",
    [
        samplers.TopKSampler(k=3),
        samplers.TopPSampler(p=0.5, seed=0),
        samplers.ContrastiveSampler(k=3),
    ],
    ids=["top_k", "top_p", "contrastive"],
)
def test_any_sampler_continues_prompts(model, sampler):
    received = model.generate(PROMPTS, LENGTH, sampler=sampler)
    assert received.shape == (3, LENGTH)
    assert (received > 0).all()
    for row, prompt in zip(received.tolist(), PROMPTS, strict=True):
        assert row[: len(prompt)] == prompt


def test_contrastive_search_without_a_penalty_is_greedy(model):
    sampler = samplers.ContrastiveSampler(k=3, alpha=0.0)
    received = model.generate(PROMPTS, LENGTH, sampler=sampler)
    expected = [naive_greedy(model, prompt) for prompt in PROMPTS]
    np.testing.assert_array_equal(received, expected)


def test_contrastive_search_penalizes_similarity_to_earlier_steps(model):
    """A search written out, over the whole sequence at each step."""
    prompt, alpha = [1, 2, 3], 0.7
    sampler = samplers.ContrastiveSampler(k=3, alpha=alpha)
    received = model.generate(prompt, LENGTH, sampler=sampler)
    while len(prompt) < LENGTH:
        logits = next_logits(model, [prompt])[0, -1]
        candidates = np.argsort(logits)[::-1][:3]
        probabilities = ops.convert_to_numpy(ops.softmax(logits))[candidates]
        scores = []
        for candidate, probability in zip(
            candidates, probabilities, strict=True
        ):
            features = ops.convert_to_numpy(
                model.backbone(np.array([[*prompt, candidate]]))
            )[0]
            features /= np.linalg.norm(features, axis=-1, keepdims=True)
            similarity = (features[:-1] @ features[-1]).max()
            scores.append((1 - alpha) * probability - alpha * similarity)
        prompt.append(int(candidates[np.argmax(scores)]))
    np.testing.assert_array_equal(received, prompt)


def test_a_sequence_ends_after_a_stop_token(model):
    expected = np.array([naive_greedy(model, prompt) for prompt in PROMPTS])
    stop = expected[0, 5]
    received = model.generate(
        PROMPTS, LENGTH, sampler="greedy", stop_token_ids=stop
    )
    for row, whole, prompt in zip(received, expected, PROMPTS, strict=True):
        # One in the prompt does not count.
        ends = np.flatnonzero(whole[len(prompt) :] == stop)
        end = len(prompt) + ends[0] + 1 if len(ends) else LENGTH
        np.testing.assert_array_equal(row[:end], whole[:end])
        assert (row[end:] == 0).all()
    several = model.generate(
        PROMPTS, LENGTH, sampler="greedy", stop_token_ids=[1, 2, 3, 4, 5]
    )
    assert ((several > 0).sum(axis=1) == [4, 2, 6]).all()


def test_beams_that_have_ended_keep_their_score(model):
    """Against all sequences of up to three tokens, of which one ends."""
    stop = 2
    endings = [
        rest
        for length in (1, 2, 3)
        for rest in itertools.product(range(1, 6), repeat=length)
        if stop not in rest[:-1] and (length == 3 or rest[-1] == stop)
    ]
    for prompt in ([1], [3, 4], [5, 5, 1]):
        given = len(prompt)
        scores = [
            log_probs(model, [[*prompt, *rest]])[0, given - 1 :].sum()
            for rest in endings
        ]
        best = [*prompt, *endings[np.argmax(scores)], 0, 0][: given + 3]
        found, found_scores = model.generate(
            prompt,
            given + 3,
            sampler=samplers.BeamSampler(50, return_all_beams=True),
            stop_token_ids=stop,
        )
        np.testing.assert_array_equal(found[0], best)
        np.testing.assert_allclose(found_scores[0], max(scores), atol=1e-4)


def test_padding_is_never_sampled_at_any_temperature(model):
    sampler = samplers.RandomSampler(temperature=1e6, seed=0)
    received = model.generate([[1]] * 50, LENGTH, sampler=sampler)
    assert (received > 0).all()


def test_padding_is_never_generated_even_if_it_is_the_likeliest(model):
    bias = ops.convert_to_numpy(model.head.bias)
    likely = bias.copy()
    likely[0] = 100
    before = model.generate(PROMPTS, LENGTH, sampler="greedy")
    model.head.bias.assign(likely)
    for sampler in ("random", "top_k", "top_p", "beam", "contrastive"):
        assert (model.generate(PROMPTS, LENGTH, sampler=sampler) > 0).all()
    after = model.generate(PROMPTS, LENGTH, sampler="greedy")
    model.head.bias.assign(bias)
    np.testing.assert_array_equal(after, before)


def test_the_seed_of_keras_repeats_samplers_given_by_name(model):
    received = []
    for _ in range(2):
        keras.utils.set_random_seed(3)
        for _ in range(2):
            received.append(model.generate([[1]] * 9, LENGTH, sampler="random"))
    np.testing.assert_array_equal(received[:2], received[2:])
    assert (received[0] != received[1]).any()


def test_prompts_of_the_full_length_are_returned_unchanged(model):
    token_ids = [[1, 2, 3, 4]]
    for sampler in ("greedy", "beam"):
        received = model.generate(token_ids, 4, sampler=sampler)
        np.testing.assert_array_equal(received, token_ids)


def test_outputs_of_tokenizers_are_prompts():
    vocabulary = ["[PAD]", "[UNK]", "[END]", "a", "good", "bad", "day"]
    tokenizer = keras_nlp.tokenizers.WordPieceTokenizer(
        vocabulary, lowercase=True
    )
    dense = keras_nlp.tokenizers.WordPieceTokenizer(
        vocabulary, lowercase=True, sequence_length=4
    )
    keras.utils.set_random_seed(0)
    model = MultiresCausalLM(
        MultiresNet(8, 1, length=8, vocabulary_size=len(vocabulary))
    )
    texts = ["a good day", "bad"]
    received = model.generate(tokenizer(texts), 6, sampler="greedy")
    again = model.generate(dense(texts), 6, sampler="greedy")
    np.testing.assert_array_equal(received, again)
    ragged = tf.ragged.constant([[3, 4, 6], [5]])
    again = model.generate(ragged, 6, sampler="greedy")
    np.testing.assert_array_equal(received, again)
    alone = model.generate(tokenizer("bad"), 6, sampler="greedy")
    np.testing.assert_array_equal(alone, received[1])
    continued = tokenizer.detokenize(received[:, :4])
    assert [str(text).startswith(("a good", "bad")) for text in continued]


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"prompts": [[1], [6, 2]]}, r"prompt 1 .*unknown tokens \[6\]"),
        ({"prompts": [[1] * 11]}, "longer than `max_length`"),
        ({"max_length": 0}, "`max_length`"),
        ({"sampler": "best"}, "'greedy'.*sampler='best'"),
        ({"sampler": 3}, "sampler=3"),
        ({"sampler": None}, "sampler=None"),
        ({"sampler": samplers.ContrastiveSampler(k=6)}, "k=6"),
        ({"sampler": samplers.TopKSampler(k=9)}, "k=9"),
        ({"sampler": samplers.RandomSampler(temperature=0)}, "`temperature`"),
        ({"sampler": "speculative"}, "draft_next"),
        ({"stop_token_ids": 0}, "`stop_token_ids`"),
        ({"stop_token_ids": [2, 6]}, "stop_token_ids=6"),
    ],
)
def test_generate_refuses_bad_arguments_by_name(model, options, problem):
    with pytest.raises(ValueError, match=problem):
        model.generate(**{"prompts": [[1]], "max_length": LENGTH, **options})


@pytest.mark.parametrize("backend", ["tensorflow", "torch"])
def test_other_backends_pass_the_tests_of_this_file(backend):
    if backend == BACKEND:
        pytest.skip("runs these tests already")
    run_tests("-k", "not other_backends", __file__, backend=backend)
