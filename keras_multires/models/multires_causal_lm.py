import keras
from keras import ops

from keras_multires._validation import INT64_MAX
from keras_multires._validation import check_integer
from keras_multires._validation import check_numbers
from keras_multires.initializers import fan_in_uniform
from keras_multires.layers.multires_block import pop_weight_options
from keras_multires.models.base_model import BaseModel
from keras_multires.models.compilation import compiled_step
from keras_multires.models.multires_net import MultiresNet
from keras_multires.models.prompts import check_token
from keras_multires.models.prompts import read_prompts
from keras_multires.models.token_generator import TokenGenerator
from keras_multires.models.token_generator import get_sampler

# Of half precision too, and far below what a logit can be.
_PADDING_LOGIT = -1e4
# Compiled loops that a model keeps.
MAX_GENERATORS = 8


@keras.saving.register_keras_serializable(package="keras_multires")
class MultiresCausalLM(BaseModel):
    """Causal language model: `MultiresNet`, then logits of the next token.

    Train it on sequences and the same sequences a step later. Id 0 is padding,
    which comes last in a sequence; it is never predicted, so it must not count
    as a target:

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
        vocabulary_size: Integer, number of token ids, padding (id 0) included.
        length: Integer, time steps that the receptive field of each layer is
            to cover: `depth` follows from it. Sequences may be shorter or
            longer.
        hidden_dim: As in `MultiresNet`.
        num_layers: As in `MultiresNet`.
        kernel_size: As in `MultiresLayer`.
        normalization: As in `MultiresBlock`.
        memory: As in `MultiresLayer`.
        memory_size: As in `MultiresLayer`.
        wavelet: As in `MultiresLayer`.
        dropout: As in `MultiresBlock`.
        depth: As in `MultiresLayer`; overrides what follows from `length`.
        independent_skip: As in `MultiresLayer`.
        algorithm: As in `MultiresLayer`.
        **kwargs: Initializers, regularizers and constraints of the weights of
            the blocks, as in `MultiresBlock`. And base model arguments, such
            as `name` and `dtype`.

    Call arguments:
        inputs: Integer tensor `(batch, length)`, token ids.
        mask: Optional boolean tensor `(batch, length)`, False at the steps
            that are padding. Tokens with id 0 are padding without it.
        training: Whether to apply dropout and to update batch statistics.

    Returns:
        Float tensor `(batch, length, vocabulary_size)`: at step `n` the logits
        of the token after it, from the tokens up to `n`. That of padding is
        -10,000.

    Raises:
        ValueError: if an argument is out of its range or contradicts another,
            or a token id is outside the vocabulary where its value is known
            (not while a compiled function is traced).

    Example:

    >>> model = keras_multires.models.MultiresCausalLM(
    ...     vocabulary_size=257, length=512, hidden_dim=32, num_layers=2
    ... )
    >>> model(np.ones((2, 100), dtype="int32")).shape
    (2, 100, 257)
    >>> model.generate([[5, 7, 2], [9]], max_length=20).shape
    (2, 20)

    Reference:

    - [Shi, Wang and Fox, 2023](https://arxiv.org/abs/2305.01638)
    """

    def __init__(
        self,
        vocabulary_size,
        length,
        hidden_dim=256,
        num_layers=10,
        kernel_size=None,
        normalization="layer",
        memory="fading",
        memory_size=None,
        wavelet=None,
        dropout=0.1,
        depth=None,
        independent_skip=False,
        algorithm="auto",
        **kwargs,
    ):
        vocabulary_size = check_integer("vocabulary_size", vocabulary_size)
        if vocabulary_size < 2:
            raise ValueError(
                "`vocabulary_size` must be at least 2, for padding and a "
                f"token. Received: vocabulary_size={vocabulary_size}"
            )
        length = check_integer("length", length, maximum=INT64_MAX)
        kwargs["autocast"] = False  # as in `MultiresNet`
        weight_options = pop_weight_options(kwargs)
        super().__init__(**kwargs)
        self.vocabulary_size = vocabulary_size
        self.length = length
        self.backbone = MultiresNet(
            hidden_dim,
            num_layers,
            vocabulary_size=vocabulary_size,
            kernel_size=kernel_size,
            depth=depth,
            memory=memory,
            memory_size=memory_size,
            wavelet=wavelet,
            independent_skip=independent_skip,
            algorithm=algorithm,
            normalization=normalization,
            dropout=dropout,
            **weight_options,
            dtype=self.dtype_policy,
            name="backbone",
        )
        self.head = keras.layers.Dense(
            vocabulary_size - 1,
            kernel_initializer=fan_in_uniform(hidden_dim),
            bias_initializer=fan_in_uniform(hidden_dim),
            dtype=self.dtype_policy,
            name="head",
        )
        self._samplers = {}
        self._generators = {}
        self.build((None, length))

    def check_inputs(self, inputs):
        """Raises a `ValueError` for inputs that the backbone refuses."""
        self.backbone.check_inputs(inputs)

    def build(self, input_shape):
        self.backbone.check_input_shape(input_shape)
        if self.built:  # by the constructor
            return
        # The depth follows from `length`, whatever the length at hand.
        self.backbone.build((input_shape[0], self.length))
        self.head.build((input_shape[0], None, self.backbone.hidden_dim))
        self.input_spec = keras.layers.InputSpec(ndim=2)

    def call(self, inputs, mask=None, training=None):
        return self.predict_next(
            self.backbone(inputs, mask=mask, training=training)
        )

    def predict_next(self, hidden):
        """Logits of the next tokens, from the outputs of the backbone."""
        logits = self.head(hidden)
        # Not a pad: exported by TensorFlow, its constant would be float32.
        padding = ops.full_like(logits[..., :1], _PADDING_LOGIT)
        return ops.concatenate([padding, logits], axis=-1)

    def compute_mask(self, inputs, mask=None):
        return self.backbone.compute_mask(inputs, mask)

    def compute_output_shape(self, input_shape):
        return (*input_shape[:2], self.vocabulary_size)

    @property
    def receptive_field(self):
        """Tokens, the last one included, that a prediction depends on."""
        return self.backbone.receptive_field

    def initial_state(self, batch_size):
        """State of `step` before the first token, as in `MultiresNet`.

        Args:
            batch_size: Integer, sequences that are run side by side.

        Returns:
            A list of dicts of tensors that may be stored like any others.

        Raises:
            ValueError: if `batch_size` is not a positive integer.
        """
        return self.backbone.initial_state(batch_size)

    def transition(self):
        """As `MultiresNet.transition`."""
        return self.backbone.transition()

    @compiled_step
    def step(self, inputs, state, transition=None):
        """Logits after the next tokens of a sequence, in inference mode.

        However a sequence is cut into chunks, the logits are those of the
        whole sequence.

        Args:
            inputs: Integer tensor `(batch, steps)`, the next tokens, at least
                one and none of them padding.
            state: The state that `initial_state` or the last `step` returned.
            transition: Optional result of the method `transition`, as in
                `MultiresLayer.step`.

        Returns:
            `(logits, state)`: float tensor `(batch, steps, vocabulary_size)`,
            and the state after these tokens.

        Raises:
            ValueError: if the inputs do not fit the model or the state.
        """
        hidden, state = self.backbone.step(inputs, state, transition)
        return self.predict_next(hidden), state

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
        if key not in self._generators:
            if len(self._generators) == MAX_GENERATORS:
                del self._generators[next(iter(self._generators))]
            self._generators[key] = TokenGenerator(
                self, sampler, stop_token_ids
            )
        results = self._generators[key](token_ids, mask)
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
        kept = self._samplers.setdefault(sampler, new)
        # As if it were new, which the compiled loop does not know.
        for variable, value in zip(kept.variables, new.variables, strict=True):
            variable.assign(value)
        return kept

    def get_config(self):
        own = super().get_config()
        backbone = self.backbone.get_config()
        for name in ("output_projection", *own):
            backbone.pop(name, None)
        return {**own, **backbone, "length": self.length}
