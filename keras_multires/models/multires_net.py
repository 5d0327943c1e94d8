"""`MultiresNet`: the backbone of every task."""

import contextlib

import keras
from keras import ops

from keras_multires._precision import saturating_cast
from keras_multires._validation import INT32_MAX
from keras_multires._validation import INT64_MAX
from keras_multires._validation import check_input_shape
from keras_multires._validation import check_integer
from keras_multires._validation import check_real
from keras_multires._validation import check_token_ids
from keras_multires._validation import require
from keras_multires.initializers import fan_in_uniform
from keras_multires.layers import MultiresBlock
from keras_multires.layers._composite import Composite
from keras_multires.layers._kernel_synthesis import synthesized_together
from keras_multires.layers._padding import without_padding
from keras_multires.models._multires_model import MultiresModel
from keras_multires.models._preset_files import HasPresets
from keras_multires.models.presets import BACKBONE_PRESETS

__all__ = ["MultiresNet"]

# A size that was meant for something else is refused before it takes all
# memory or time.
MAX_HIDDEN_DIM = 2**22
MAX_NUM_LAYERS = 2**16


@keras.saving.register_keras_serializable(package="keras_multires")
class MultiresNet(HasPresets, Composite, MultiresModel):
    """Backbone: an encoder and a stack of multiresolution blocks.

    The encoder is a `Dense(hidden_dim)` on every time step or, with
    `vocabulary_size`, an `Embedding` in which id 0 is padding and masked.

    With a length, and channels or a vocabulary, the backbone has its weights at
    once. Otherwise it takes what is missing from the first inputs.

    Args:
        hidden_dim: Integer up to `2**22`, channels of the blocks.
        num_layers: Integer up to `2**16`, number of blocks.
        length: Integer, time steps that the receptive field of each block
            covers: the depth of the trees follows from it, unless `depth` is
            given. Sequences may be shorter or longer.
        input_channels: Integer, features of each time step.
        vocabulary_size: Integer, number of token ids, padding included, if the
            inputs are tokens.
        trainable: As in `keras.Model`.
        dtype: As in `keras.Model`.
        name: As in `keras.Model`.
        **block_options: Options of `MultiresBlock`, the same for all blocks,
            except that each takes a `seed` of its own that follows from the
            given one.

    Call arguments:
        inputs: Float tensor `(batch, length, input_channels)` or, with
            `vocabulary_size`, integer tensor `(batch, length)`.
        mask: Optional boolean tensor `(batch, length)`, False at the steps
            that are padding. By default, tokens with id 0 are padding.
        training: Whether to apply dropout and to update batch statistics.

    Returns:
        Float tensor `(batch, length, hidden_dim)`.

    Raises:
        ValueError: if an argument is out of its range or contradicts another,
            or a token id is outside the vocabulary and its value is known (not
            while a compiled function is traced).

    Example:

    >>> backbone = keras_multires.models.MultiresNet(32, num_layers=4)
    >>> backbone(np.ones((2, 100, 3))).shape
    (2, 100, 32)

    Reference:

    - [Shi, Wang and Fox, 2023](https://arxiv.org/abs/2305.01638)
    """

    presets = BACKBONE_PRESETS

    def __init__(
        self,
        hidden_dim,
        num_layers,
        length=None,
        input_channels=None,
        vocabulary_size=None,
        trainable=True,
        dtype=None,
        name=None,
        **block_options,
    ):
        hidden_dim = check_integer("hidden_dim", hidden_dim, 1, MAX_HIDDEN_DIM)
        num_layers = check_integer("num_layers", num_layers, 1, MAX_NUM_LAYERS)
        sizes = {
            "length": length,
            "input_channels": input_channels,
            "vocabulary_size": vocabulary_size,
        }
        for size, value in sizes.items():
            if value is not None:
                maximum = INT64_MAX if size == "length" else INT32_MAX
                sizes[size] = check_integer(size, value, maximum=maximum)
        channels, tokens = "input_channels", "vocabulary_size"
        kinds = {channels: input_channels, tokens: vocabulary_size}
        expected = f"Only one of `{channels}` and `{tokens}` can be given."
        require(None in kinds.values(), expected, **kinds)
        super().__init__(
            trainable=trainable,
            dtype=dtype,
            name=name,
            # A policy of half precision would round the ids that come as
            # floats, as those of a `keras.Input` do by default.
            autocast=block_options.pop("autocast", vocabulary_size is None),
        )
        self.hidden_dim = hidden_dim
        self.num_layers = num_layers
        self.length = sizes["length"]
        self.input_channels = sizes["input_channels"]
        self.vocabulary_size = sizes["vocabulary_size"]
        self.block_options = block_options
        self.blocks = list(self._make_blocks(num_layers, block_options))
        self.supports_masking = True
        self.built_shape = None
        # Paths of weights start with the name of the model, as after `build`:
        # PyTorch trains wrongly with two weights of one path.
        with keras.name_scope(self.name, caller=self):
            if length is not None and vocabulary_size is not None:
                self._build_layers((None, self.length))
            elif length is not None and input_channels is not None:
                self._build_layers((None, self.length, self.input_channels))

    def _make_blocks(self, num_layers, options):
        for index in range(num_layers):
            block = self._sublayer(
                MultiresBlock, **options, name=f"block_{index}"
            )
            yield block
            seed = block.multires_layer.seed
            if seed is not None:
                # A block has two seeds. Others would drop the same channels.
                options = {**options, "seed": (seed + 2) % 2**31}

    def check_input_shape(self, input_shape):
        """Raises a `ValueError` for a shape of inputs that cannot be built."""
        if self.vocabulary_size is None:
            return check_input_shape(input_shape, self.input_channels)
        expected = "(batch, length), since `vocabulary_size` is given"
        expected = f"The inputs must have the shape {expected}."
        received = f"input_shape={tuple(input_shape)}"
        return require(len(input_shape) == 2, expected, received)

    def check_inputs(self, inputs):
        """Raises a `ValueError` for token ids outside the vocabulary."""
        # JAX would silently make NaN from them.
        if self.vocabulary_size is not None:
            check_token_ids(inputs, self.vocabulary_size)

    def build(self, input_shape):
        self.check_input_shape(input_shape)
        if self.built_shape is None:
            # The depth follows from `length`, whatever the length of inputs.
            length = self.length or input_shape[1]
            self._build_layers((None, length, *input_shape[2:]))

    def _build_layers(self, input_shape):
        # The blocks first: they check the shape before any weight is made.
        for block in self.blocks:
            block.build((None, input_shape[1], self.hidden_dim))
        if self.vocabulary_size is None:
            fan_in = input_shape[-1]
            self.encoder = self._sublayer(
                keras.layers.Dense,
                units=self.hidden_dim,
                kernel_initializer=fan_in_uniform(fan_in),
                bias_initializer=fan_in_uniform(fan_in),
                dtype=self._policy_of("encoder"),
                name="encoder",
            )
            axes = {-1: fan_in}
        else:
            self.encoder = self._sublayer(
                keras.layers.Embedding,
                input_dim=self.vocabulary_size,
                output_dim=self.hidden_dim,
                embeddings_initializer=keras.initializers.RandomNormal(
                    stddev=1.0
                ),
                mask_zero=True,
                dtype=self._policy_of("encoder"),
                name="encoder",
            )
            axes = {}
        self.encoder.build(input_shape)
        self.input_spec = keras.layers.InputSpec(
            ndim=len(input_shape), axes=axes
        )
        self.built_shape = input_shape
        self._mark_built()

    def call(self, inputs, mask=None, training=None):
        check_real(inputs)
        self.check_inputs(inputs)
        mask = self.compute_mask(inputs, mask)
        if self.vocabulary_size is None:
            inputs = without_padding(inputs, mask)
        outputs = self._encode(inputs)
        with self._synthesis(outputs.shape):
            for block in self.blocks:
                outputs = block(outputs, mask=mask, training=training)
        return outputs

    def _synthesis(self, input_shape):
        """Context in which the blocks share one synthesis of their kernels."""
        layers = []
        for block in self.blocks:
            # A layer that is called again to recompute its activations makes
            # its own kernel: TensorFlow would lose the kernel's gradient.
            for layer in (block, block.multires_layer):
                if getattr(layer, "_remat_mode", None):
                    return contextlib.nullcontext()
            layers.append(block.multires_layer)
        if not layers[0].runs_fft(input_shape):
            return contextlib.nullcontext()
        return synthesized_together(layers, input_shape[1])

    def _encode(self, inputs):
        if self.vocabulary_size is not None:
            inputs = ops.cast(inputs, "int32")
        return saturating_cast(self.encoder(inputs), self.compute_dtype)

    def compute_mask(self, inputs, mask=None):
        if mask is None and self.vocabulary_size is not None:
            return ops.not_equal(inputs, 0)
        return mask

    def compute_output_shape(self, input_shape):
        return (*input_shape[:2], self.hidden_dim)

    @property
    def receptive_field(self):
        """Time steps that an output depends on, including its own."""
        return 1 + sum(block.receptive_field - 1 for block in self.blocks)

    def _stream_specs(self, batch_size):
        states, transitions = [], []
        for block in self.blocks:
            state, transition = block.multires_layer._stream_specs(batch_size)
            states.append(state)
            transitions.append(transition)
        return states, transitions

    def _transition(self):
        return [block._transition() for block in self.blocks]

    def _step_axes(self):
        return "batch", "steps", *self.input_spec.axes.values()

    def _step(self, inputs, state, transition=None, in_place=False):
        if transition is None:
            transition = [None] * self.num_layers
        outputs = self._encode(inputs)
        states = []
        for block, past, matrices in zip(
            self.blocks, state, transition, strict=True
        ):
            outputs, past = block._step(outputs, past, matrices, in_place)
            states.append(past)
        return outputs, states

    def get_config(self):
        block = self.blocks[0].get_config()
        return {
            **super().get_config(),
            "hidden_dim": self.hidden_dim,
            "num_layers": self.num_layers,
            "length": self.length,
            "input_channels": self.input_channels,
            "vocabulary_size": self.vocabulary_size,
            **{k: block[k] for k in self.block_options if k in block},
        }
