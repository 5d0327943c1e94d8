import keras
from keras import ops

from keras_multires._validation import INT64_MAX
from keras_multires._validation import check_choice
from keras_multires._validation import check_integer
from keras_multires._validation import check_tensor
from keras_multires.initializers import fan_in_uniform
from keras_multires.layers.multires_block import pop_weight_options
from keras_multires.models.base_model import BaseModel
from keras_multires.models.compilation import compiled_step
from keras_multires.models.multires_net import MultiresNet
from keras_multires.models.presets import CLASSIFIER_PRESETS
from keras_multires.ops.precision import at_least_float32


@keras.saving.register_keras_serializable(package="keras_multires")
class MultiresClassifier(BaseModel):
    """Sequence classifier: `MultiresNet`, mean over time, `Dense`.

    Args:
        num_classes: Integer, number of logits.
        length: Integer, time steps that the receptive field of each layer is
            to cover: `depth` follows from it. Sequences may be shorter or
            longer.
        input_channels: Integer, features of each time step.
        vocabulary_size: Integer, number of token ids, padding (id 0)
            included, if the inputs are tokens. With neither this nor
            `input_channels`, the model takes its channels from the first
            inputs.
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
        inputs: Float tensor `(batch, length, input_channels)` or, with
            `vocabulary_size`, integer tensor `(batch, length)`.
        mask: Optional boolean tensor `(batch, length)`, False at the steps
            that are padding. Tokens with id 0 are padding without it.
        training: Whether to apply dropout and to update batch statistics.

    Returns:
        Float tensor `(batch, num_classes)`, logits. A sequence without any
        valid step is pooled to zeros.

    Raises:
        ValueError: if an argument is out of its range or contradicts another,
            or a token id is outside the vocabulary where its value is known
            (not while a compiled function is traced).

    Example:

    >>> model = keras_multires.models.MultiresClassifier(
    ...     num_classes=10, length=64, input_channels=1,
    ...     hidden_dim=32, num_layers=2,
    ... )
    >>> model(np.ones((2, 64, 1))).shape
    (2, 10)

    The paper's models, with new weights:

    >>> model = keras_multires.models.MultiresClassifier.from_preset_config(
    ...     "scifar"
    ... )
    >>> model.count_params()
    1365514

    Reference:

    - [Shi, Wang and Fox, 2023](https://arxiv.org/abs/2305.01638)
    """

    def __init__(
        self,
        num_classes,
        length,
        input_channels=None,
        vocabulary_size=None,
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
        num_classes = check_integer("num_classes", num_classes)
        length = check_integer("length", length, maximum=INT64_MAX)
        if vocabulary_size is not None:
            vocabulary_size = check_integer("vocabulary_size", vocabulary_size)
            kwargs["autocast"] = False  # as in `MultiresNet`
        if input_channels is not None:
            input_channels = check_integer("input_channels", input_channels)
            if vocabulary_size is not None:
                raise ValueError(
                    "Only one of `input_channels` and `vocabulary_size` can be "
                    f"given. Received: input_channels={input_channels}, "
                    f"vocabulary_size={vocabulary_size}"
                )
        weight_options = pop_weight_options(kwargs)
        super().__init__(**kwargs)
        self.num_classes = num_classes
        self.length = length
        self.input_channels = input_channels
        self.vocabulary_size = vocabulary_size
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
            num_classes,
            kernel_initializer=fan_in_uniform(hidden_dim),
            bias_initializer=fan_in_uniform(hidden_dim),
            dtype=self.dtype_policy,
            name="head",
        )
        if vocabulary_size is not None:
            self.build((None, length))
        elif input_channels is not None:
            self.build((None, length, input_channels))

    presets = CLASSIFIER_PRESETS

    @classmethod
    def from_preset_config(cls, preset, **overrides):
        """A model of a published experiment, with new weights.

        Not called `from_preset`, since Keras users expect trained weights of
        that.

        Args:
            preset: One of the names in `MultiresClassifier.presets`:
                `"scifar"`, `"listops"`, `"ptbxl_all"`, `"ptbxl_diagnostic"`,
                `"ptbxl_subdiagnostic"`, `"ptbxl_superdiagnostic"`,
                `"ptbxl_form"`, `"ptbxl_rhythm"`.
            **overrides: Constructor arguments that replace the preset's.

        Returns:
            A `MultiresClassifier`.

        Raises:
            ValueError: if the name is not one of these.
        """
        check_choice("preset", preset, tuple(cls.presets))
        return cls(**{**cls.presets[preset], **overrides})

    def check_inputs(self, inputs):
        """Raises a `ValueError` for inputs that the backbone refuses."""
        self.backbone.check_inputs(inputs)

    def build(self, input_shape):
        self.backbone.check_input_shape(input_shape)
        if self.built:  # by the constructor, perhaps
            return
        # The depth follows from `length`, whatever the length at hand.
        build_shape = (input_shape[0], self.length, *input_shape[2:])
        self.backbone.build(build_shape)
        self.head.build((input_shape[0], self.backbone.hidden_dim))

    def call(self, inputs, mask=None, training=None):
        outputs = self.backbone(inputs, mask=mask, training=training)
        mask = self.backbone.compute_mask(inputs, mask)
        return self._classify(*self._pooling_terms(outputs, mask))

    def _pooling_terms(self, outputs, mask):
        """Sum over the valid steps, and their number: `(batch, ..)` each.

        In float32 at least: a long sum overflows half precision.
        """
        precision = at_least_float32(outputs.dtype)
        outputs = ops.cast(outputs, precision)
        if mask is None:
            mask = ops.ones(ops.shape(outputs)[:2], dtype="bool")
        mask = ops.expand_dims(mask, -1)
        total = ops.sum(ops.where(mask, outputs, 0), axis=1)
        return total, ops.sum(ops.cast(mask, precision), axis=1)

    def _classify(self, total, count):
        return self.head(total / ops.maximum(count, 1))

    def compute_mask(self, inputs, mask=None):
        return None

    def compute_output_shape(self, input_shape):
        return (input_shape[0], self.num_classes)

    @property
    def receptive_field(self):
        """Time steps, the present one included, that a feature depends on."""
        return self.backbone.receptive_field

    def initial_state(self, batch_size):
        """State of `step` before the first time step.

        Args:
            batch_size: Integer, sequences that are run side by side.

        Returns:
            A dict of tensors that may be stored like any others: the state of
            the backbone, and the sum and number of the steps so far.

        Raises:
            ValueError: if `batch_size` is not a positive integer, or the model
                is not built.
        """
        precision = at_least_float32(self.compute_dtype)
        hidden_dim = self.backbone.hidden_dim
        return {
            "backbone": self.backbone.initial_state(batch_size),
            "total": ops.zeros((batch_size, hidden_dim), dtype=precision),
            "count": ops.zeros((batch_size, 1), dtype=precision),
        }

    def transition(self):
        """As `MultiresNet.transition`."""
        return self.backbone.transition()

    @compiled_step
    def step(self, inputs, state, transition=None):
        """Logits of a sequence so far, from its next time steps.

        Args:
            inputs: The next steps, at least one and none of them padding, as
                in the model's call.
            state: The state that `initial_state` or the last `step` returned.
            transition: Optional result of the method `transition`, as in
                `MultiresLayer.step`.

        Returns:
            `(logits, state)`: float tensor `(batch, num_classes)`, the logits
            of the sequence up to these steps, and the state after them.

        Raises:
            ValueError: if the inputs do not fit the model or the state, or the
                model is not built.
        """
        if not isinstance(state, dict) or set(state) != {
            "backbone",
            "total",
            "count",
        }:
            raise ValueError(
                "`state` must be one that `initial_state` or `step` of this "
                f"model returned. Received: {type(state)}"
            )
        outputs, backbone = self.backbone.step(
            inputs, state["backbone"], transition
        )
        batch_size, _, hidden_dim = outputs.shape
        terms = self._pooling_terms(outputs, mask=None)
        total, count = (
            new
            + check_tensor(
                f"state['{name}']",
                state[name],
                (batch_size, size),
                cast_to=new.dtype,
            )
            for name, size, new in zip(
                ("total", "count"), (hidden_dim, 1), terms, strict=True
            )
        )
        state = {"backbone": backbone, "total": total, "count": count}
        return self._classify(total, count), state

    def get_config(self):
        own = super().get_config()
        backbone = self.backbone.get_config()
        for name in ("output_projection", *own):
            backbone.pop(name, None)
        return {
            **own,
            **backbone,
            "num_classes": self.num_classes,
            "length": self.length,
            "input_channels": self.input_channels,
        }
