import keras
from keras import ops

from keras_multires._validation import check_integer
from keras_multires._validation import check_tensor
from keras_multires._validation import check_token_ids
from keras_multires.initializers import fan_in_uniform
from keras_multires.layers.kernel_synthesis import synthesize
from keras_multires.layers.multires_block import MultiresBlock
from keras_multires.layers.multires_block import pop_weight_options
from keras_multires.models.base_model import BaseModel
from keras_multires.models.compilation import compiled_step
from keras_multires.ops.precision import limit

# `2 * hidden_dim**2` weights of 4 bytes each are 2**47 bytes then.
MAX_HIDDEN_DIM = 2**22
# Far more than have ever been trained, and few enough to build in a day.
MAX_NUM_LAYERS = 2**16


@keras.saving.register_keras_serializable(package="keras_multires")
class MultiresNet(BaseModel):
    """Backbone: an encoder and a stack of multiresolution blocks.

    The encoder is a `Dense(hidden_dim)` on every time step or, with
    `vocabulary_size`, an `Embedding` in which id 0 is padding and masked.

    Args:
        hidden_dim: Integer up to `2**22`, channels of the blocks. With more,
            the weights of one block would not fit into the 128 TiB that a
            processor can address.
        num_layers: Integer up to `2**16`, number of blocks.
        vocabulary_size: Integer, number of token ids, padding included. By
            default the inputs are not tokens but features.
        kernel_size: As in `MultiresLayer`.
        depth: As in `MultiresLayer`. By default it follows from the length of
            the inputs that the model is built or first called on.
        memory: As in `MultiresLayer`.
        memory_size: As in `MultiresLayer`.
        wavelet: As in `MultiresLayer`.
        independent_skip: As in `MultiresLayer`.
        algorithm: As in `MultiresLayer`.
        normalization: As in `MultiresBlock`.
        dropout: As in `MultiresBlock`.
        output_projection: As in `MultiresBlock`.
        **kwargs: Initializers, regularizers and constraints of the weights of
            the blocks, as in `MultiresBlock`. And base model arguments, such
            as `name` and `dtype`.

    Call arguments:
        inputs: Float tensor `(batch, length, input_channels)` or, with
            `vocabulary_size`, integer tensor `(batch, length)`.
        mask: Optional boolean tensor `(batch, length)`, False at the steps
            that are padding. Tokens with id 0 are padding without it.
        training: Whether to apply dropout and to update batch statistics.

    Returns:
        Float tensor `(batch, length, hidden_dim)`.

    Raises:
        ValueError: if an argument is out of its range or contradicts another,
            or a token id is outside the vocabulary where its value is known
            (not while a compiled function is traced).

    Example:

    >>> backbone = keras_multires.models.MultiresNet(32, num_layers=4)
    >>> backbone(np.ones((2, 100, 3))).shape
    (2, 100, 32)

    Reference:

    - [Shi, Wang and Fox, 2023](https://arxiv.org/abs/2305.01638)
    """

    def __init__(
        self,
        hidden_dim,
        num_layers,
        vocabulary_size=None,
        kernel_size=None,
        depth=None,
        memory="fading",
        memory_size=None,
        wavelet=None,
        independent_skip=False,
        algorithm="auto",
        normalization="layer",
        dropout=0.0,
        output_projection=False,
        **kwargs,
    ):
        hidden_dim = check_integer(
            "hidden_dim", hidden_dim, maximum=MAX_HIDDEN_DIM
        )
        num_layers = check_integer(
            "num_layers", num_layers, maximum=MAX_NUM_LAYERS
        )
        if vocabulary_size is not None:
            vocabulary_size = check_integer("vocabulary_size", vocabulary_size)
            # A policy of half precision would round the ids that come as
            # floats, as those of a `keras.Input` do by default.
            kwargs["autocast"] = False
        weight_options = pop_weight_options(kwargs)
        super().__init__(**kwargs)
        self.hidden_dim = hidden_dim
        self.num_layers = num_layers
        self.vocabulary_size = vocabulary_size
        self.blocks = [
            MultiresBlock(
                kernel_size=kernel_size,
                depth=depth,
                memory=memory,
                memory_size=memory_size,
                wavelet=wavelet,
                independent_skip=independent_skip,
                algorithm=algorithm,
                normalization=normalization,
                dropout=dropout,
                output_projection=output_projection,
                **weight_options,
                dtype=self.dtype_policy,
                name=f"block_{index}",
            )
            for index in range(num_layers)
        ]
        self.supports_masking = True

    def check_input_shape(self, input_shape):
        """Raises a `ValueError` for a shape of inputs that cannot be built."""
        expected = "(batch, length), since `vocabulary_size` is given"
        rank = 2
        if self.vocabulary_size is None:
            expected = "(batch, length, input_channels), with known channels"
            rank = 3
        if len(input_shape) != rank or input_shape[2:] == (None,):
            raise ValueError(
                f"The inputs must have the shape {expected}. "
                f"Received: input_shape={tuple(input_shape)}"
            )

    def check_inputs(self, inputs):
        """Raises a `ValueError` for token ids outside the vocabulary."""
        # JAX would make NaN of them, silently.
        if self.vocabulary_size is not None:
            check_token_ids(inputs, self.vocabulary_size)

    def build(self, input_shape):
        self.check_input_shape(input_shape)
        if self.built:
            return
        batch_size, length = input_shape[:2]
        # The blocks first: they check the shape before any weight is made.
        for block in self.blocks:
            block.build((batch_size, length, self.hidden_dim))
        if self.vocabulary_size is None:
            fan_in = input_shape[-1]
            self.encoder = keras.layers.Dense(
                self.hidden_dim,
                kernel_initializer=fan_in_uniform(fan_in),
                bias_initializer=fan_in_uniform(fan_in),
                dtype=self.dtype_policy,
                name="encoder",
            )
            axes = {-1: fan_in}
        else:
            self.encoder = keras.layers.Embedding(
                self.vocabulary_size,
                self.hidden_dim,
                embeddings_initializer=keras.initializers.RandomNormal(
                    stddev=1.0
                ),
                mask_zero=True,
                dtype=self.dtype_policy,
                name="encoder",
            )
            axes = {}
        self.encoder.build(input_shape)
        self.input_spec = keras.layers.InputSpec(
            ndim=len(input_shape), axes=axes
        )

    def call(self, inputs, mask=None, training=None):
        mask = self.compute_mask(inputs, mask)
        if mask is None:
            outputs = self._encode(inputs)
        else:
            valid = ops.expand_dims(mask, -1)
            if self.vocabulary_size is None:
                # Padding may hold anything. A NaN would spread to the gradient
                # of the encoder, even where its output is not used.
                inputs = ops.where(valid, inputs, 0)
            outputs = ops.where(valid, self._encode(inputs), 0)
        kernels = self._kernels(outputs.shape)
        for block, kernel in zip(self.blocks, kernels, strict=True):
            outputs = block(
                outputs, mask=mask, training=training, kernel=kernel
            )
        return outputs

    def _kernels(self, input_shape):
        """One a block, or None where a block does without or makes its own."""
        layers = [block.multires_layer for block in self.blocks]
        # Of layers that were made in a `RematScope`, which are run again for
        # the gradient, TensorFlow takes none by arguments that have a name.
        recomputed = any(
            getattr(block, "_remat_mode", None) for block in self.blocks
        )
        if recomputed or not layers[0]._runs_fft(input_shape):
            return [None] * len(layers)
        return synthesize(layers, input_shape[1])

    def _encode(self, inputs):
        self.check_inputs(inputs)
        if self.vocabulary_size is not None:
            inputs = ops.cast(inputs, "int32")
        return limit(self.encoder(inputs), self.compute_dtype)

    def compute_mask(self, inputs, mask=None):
        if mask is None and self.vocabulary_size is not None:
            return ops.not_equal(inputs, 0)
        return mask

    def compute_output_shape(self, input_shape):
        return (*input_shape[:2], self.hidden_dim)

    @property
    def receptive_field(self):
        """Time steps, the present one included, that an output depends on."""
        return 1 + sum(block.receptive_field - 1 for block in self.blocks)

    def initial_state(self, batch_size):
        """State of `step` before the first time step.

        Args:
            batch_size: Integer, sequences that are run side by side.

        Returns:
            A list with the state of each block, tensors that may be stored
            like any others; see `MultiresLayer.initial_state`.

        Raises:
            ValueError: if `batch_size` is not a positive integer, or the model
                is not built.
        """
        return [block.initial_state(batch_size) for block in self.blocks]

    def transition(self):
        """What `step` needs of the weights of the blocks for a single step.

        Returns:
            A list of one tensor a block, see `MultiresLayer.transition`.

        Raises:
            ValueError: if the model is not built.
        """
        return [block.transition() for block in self.blocks]

    @compiled_step
    def step(self, inputs, state, transition=None, in_place=False):
        """Outputs of the next time steps of a sequence, in inference mode.

        However a sequence is cut into chunks, the outputs are those of the
        whole sequence.

        Args:
            inputs: The next steps, at least one and none of them padding, as
                in the model's call.
            state: The state that `initial_state` or the last `step` returned.
            transition: Optional result of the method `transition`, as in
                `MultiresLayer.step`.
            in_place: As in `MultiresLayer.step`.

        Returns:
            `(outputs, state)`: float tensor `(batch, steps, hidden_dim)`, and
            the state after these steps.

        Raises:
            ValueError: if `inputs`, `state` or `transition` do not fit the
                model or each other, or the model is not built.
        """
        if not self.built:
            raise ValueError(
                "`step` needs a built model: call the model on inputs, or its "
                "`build` with their shape, first."
            )
        if transition is None:
            transition = [None] * self.num_layers
        for name, parts in (("state", state), ("transition", transition)):
            if (
                not isinstance(parts, (list, tuple))
                or len(parts) != self.num_layers
            ):
                received = f"{name}={parts!r}"
                if isinstance(parts, (list, tuple)):
                    received = f"len({name})={len(parts)}"
                raise ValueError(
                    f"`{name}` must be a list of one {name} a block, "
                    f"{self.num_layers}. Received: {received}"
                )
        axes = ("batch", "steps")
        if self.vocabulary_size is None:
            axes += (self.input_spec.axes[-1],)
        outputs = self._encode(check_tensor("inputs", inputs, axes))
        states = []
        for block, past, linear_map in zip(
            self.blocks, state, transition, strict=True
        ):
            outputs, past = block.step(outputs, past, linear_map, in_place)
            states.append(past)
        return outputs, states

    def get_config(self):
        own = super().get_config()
        block = self.blocks[0].get_config()
        for name in own:
            block.pop(name, None)
        return {
            **own,
            **block,
            "hidden_dim": self.hidden_dim,
            "num_layers": self.num_layers,
            "vocabulary_size": self.vocabulary_size,
        }
