"""`MultiresCausalLM`: the next token, and text generated from it."""

import keras

from keras_multires._validation import check_integer
from keras_multires._validation import check_numbers
from keras_multires._validation import require
from keras_multires.models._prompts import check_token
from keras_multires.models._prompts import read_prompts
from keras_multires.models._token_generator import TokenGenerator
from keras_multires.models._token_generator import get_sampler
from keras_multires.models.task import Task

__all__ = ["MultiresCausalLM"]

# Compiled loops that a model keeps.
MAX_GENERATORS = 8


@keras.saving.register_keras_serializable(package="keras_multires")
class MultiresCausalLM(Task):
    """Causal language model: backbone, then logits of the next token.

    Train it on sequences and the same sequences a step later. Id 0 is padding,
    which comes last in a sequence. `generate` never gives it, so it must not
    count as a target:

    ```python
    model.compile(
        "adam",
        keras.losses.SparseCategoricalCrossentropy(
            from_logits=True, ignore_class=0
        ),
    )
    model.fit(token_ids[:, :-1], token_ids[:, 1:])
    ```

    Args:
        backbone: A `MultiresNet` with a `vocabulary_size` of at least 2.
        **kwargs: Base model arguments, such as `name` and `dtype`.

    Call arguments:
        inputs: Integer tensor `(batch, length)`, token ids.
        mask: Optional boolean tensor `(batch, length)`, False at the steps
            that are padding. By default, tokens with id 0 are padding.
        training: Whether to apply dropout and to update batch statistics.

    Returns:
        Float tensor `(batch, length, vocabulary_size)`: at step `n` the logits
        of the token after it, from the tokens up to `n`. That of padding is
        one of them: training on tokens alone lowers it.

    Raises:
        ValueError: if an argument is out of its range or contradicts another,
            or a token id is outside the vocabulary and its value is known (not
            while a compiled function is traced).

    Example:

    >>> backbone = keras_multires.models.MultiresNet(
    ...     hidden_dim=32, num_layers=2, length=512, vocabulary_size=257
    ... )
    >>> model = keras_multires.models.MultiresCausalLM(backbone)
    >>> model(np.ones((2, 100), dtype="int32")).shape
    (2, 100, 257)
    >>> model.generate([[5, 7, 2], [9]], max_length=20).shape
    (2, 20)

    Reference:

    - [Shi, Wang and Fox, 2023](https://arxiv.org/abs/2305.01638)
    """

    def __init__(self, backbone, **kwargs):
        vocabulary_size = getattr(backbone, "vocabulary_size", 2)
        expected = "`backbone` must have a `vocabulary_size` of at least 2."
        received = f"backbone.vocabulary_size={vocabulary_size}"
        # One for padding, and a token.
        require((vocabulary_size or 0) >= 2, expected, received)
        super().__init__(backbone, vocabulary_size, **kwargs)
        self._compiled.samplers = {}
        self._compiled.generators = {}
        self.input_spec = keras.layers.InputSpec(ndim=2)

    @property
    def vocabulary_size(self):
        """Number of token ids, padding included."""
        return self.backbone.vocabulary_size

    def call(self, inputs, mask=None, training=None):
        return self.head(self.backbone(inputs, mask=mask, training=training))

    def _step(self, inputs, state, transition=None, in_place=False):
        hidden, state = self.backbone._step(inputs, state, transition, in_place)
        return self.head(hidden), state

    def generate(
        self, prompts, max_length, sampler="top_k", stop_token_ids=None
    ):
        """Continues prompts, token by token.

        Nothing is computed twice: the time grows in proportion to the length.
        On JAX and TensorFlow the loop is compiled at the first call, and again
        for other shapes or another sampler.

        Args:
            prompts: Token ids of one sequence or of several, each with at
                least one token: nested lists, an array or tensor, or what a
                tokenizer of keras-nlp returns. Trailing zeros are padding.
            max_length: Integer, length of the result, prompts included.
            sampler: A sampler of `keras_nlp.samplers`, or its name, such as
                `"greedy"`, `"random"`, `"top_k"`, `"top_p"`, `"beam"` or
                `"contrastive"`. It holds the temperature and the seed.
            stop_token_ids: Optional token id, or several, after which a
                sequence ends. A prompt may hold them.

        Returns:
            int32 array `(batch, max_length)`, or `(max_length,)` for one
            sequence: the prompts and what follows, then zeros after a token of
            `stop_token_ids`. With a sampler that returns more than one array,
            a tuple of that and the others.

        Raises:
            ValueError: if a prompt or token id is invalid, or the sampler
                unknown.
            ImportError: if keras-nlp is not installed.
        """
        max_length = check_integer("max_length", max_length)
        stop_token_ids = self._check_stop_token_ids(stop_token_ids)
        token_ids, mask, is_single = read_prompts(
            prompts, max_length, self.vocabulary_size
        )
        sampler = self._get_sampler(sampler)
        # A sampler that was changed since is compiled anew. Its id stays its
        # own, since the generator holds it.
        key = (id(sampler), repr(sampler.get_config()), stop_token_ids)
        generators = self._compiled.generators
        if key not in generators:
            if len(generators) == MAX_GENERATORS:
                del generators[next(iter(generators))]
            generators[key] = TokenGenerator(self, sampler, stop_token_ids)
        results = generators[key](token_ids, mask)
        if is_single:
            results = keras.tree.map_structure(lambda part: part[0], results)
        return results

    def _check_stop_token_ids(self, token_ids):
        """Token ids as a sorted tuple without repetitions, or None."""
        if token_ids is None:
            return None
        if isinstance(token_ids, (set, frozenset)):
            token_ids = list(token_ids)
        token_ids = check_numbers("stop_token_ids", token_ids).ravel().tolist()
        for token_id in token_ids:
            check_token("stop_token_ids", token_id, self.vocabulary_size)
        return tuple(sorted(set(token_ids))) or None

    def _get_sampler(self, sampler):
        new = get_sampler(sampler)
        if not isinstance(sampler, str):
            return new
        kept = self._compiled.samplers.setdefault(sampler, new)
        # As if it were new, which the compiled loop does not know.
        for variable, value in zip(kept.variables, new.variables, strict=True):
            variable.assign(value)
        return kept
