"""`MultiresClassifier`: one of several classes, or labels, a sequence."""

import keras
from keras import ops

from keras_multires._precision import at_least_float32
from keras_multires._validation import check_integer
from keras_multires._validation import check_real
from keras_multires._validation import require
from keras_multires.layers._padding import without_padding
from keras_multires.layers._streams import TensorSpec
from keras_multires.models.presets import CLASSIFIER_PRESETS
from keras_multires.models.task import Task

__all__ = ["MultiresClassifier"]


@keras.saving.register_keras_serializable(package="keras_multires")
class MultiresClassifier(Task):
    """Sequence classifier: backbone, mean over time, `Dense`.

    Args:
        backbone: A `MultiresNet`.
        num_classes: Integer, number of logits.
        preprocessing: Optional Keras layer that raw inputs pass first, one time
            step by itself, such as `keras.layers.Rescaling` or `Normalization`.
            It is saved with the model.
        **kwargs: Base model arguments, such as `name` and `dtype`.

    Call arguments:
        inputs: Tensor that `preprocessing` takes. By default the inputs of the
            backbone: a float tensor `(batch, length, input_channels)` or, with
            a vocabulary, an integer tensor `(batch, length)`.
        mask: Optional boolean tensor `(batch, length)`, False at the steps
            that are padding. By default, tokens with id 0 are padding.
        training: Whether to apply dropout and to update batch statistics.

    Returns:
        Float tensor `(batch, num_classes)`, logits. A sequence without a valid
        step is pooled to zeros.

    Raises:
        ValueError: if an argument is out of its range or contradicts another,
            or a token id is outside the vocabulary and its value is known (not
            while a compiled function is traced).

    Example:

    >>> backbone = keras_multires.models.MultiresNet(
    ...     hidden_dim=32, num_layers=2, length=64, input_channels=1
    ... )
    >>> model = keras_multires.models.MultiresClassifier(
    ...     backbone, num_classes=10
    ... )
    >>> model(np.ones((2, 64, 1))).shape
    (2, 10)

    The paper's models, with new weights:

    >>> model = keras_multires.models.MultiresClassifier.from_preset(
    ...     "scifar", load_weights=False
    ... )
    >>> model.count_params()
    1365514

    Reference:

    - [Shi, Wang and Fox, 2023](https://arxiv.org/abs/2305.01638)
    """

    presets = CLASSIFIER_PRESETS

    def __init__(self, backbone, num_classes, preprocessing=None, **kwargs):
        num_classes = check_integer("num_classes", num_classes)
        is_right = isinstance(preprocessing, (keras.layers.Layer, type(None)))
        expected = "`preprocessing` must be None or a Keras layer."
        require(is_right, expected, preprocessing=preprocessing)
        super().__init__(backbone, num_classes, **kwargs)
        self.num_classes = num_classes
        self.preprocessing = preprocessing
        if preprocessing is not None:
            self._adopt(preprocessing)
            if backbone.built:
                with keras.name_scope(self.name, caller=self):
                    preprocessing.build(backbone.built_shape)
                self._mark_built()

    def build(self, input_shape):
        super().build(input_shape)
        if self.preprocessing is not None and not self.preprocessing.built:
            self.preprocessing.build(input_shape)

    def check_inputs(self, inputs):
        """Raises a `ValueError` for token ids outside the vocabulary."""
        if self.backbone.vocabulary_size is not None:
            if self.preprocessing is not None:
                inputs = self.preprocessing(inputs)
            self.backbone.check_inputs(inputs)

    def call(self, inputs, mask=None, training=None):
        check_real(inputs)
        if self.preprocessing is not None:
            if keras.backend.is_float_dtype(inputs.dtype):
                inputs = without_padding(inputs, mask)
            inputs = self.preprocessing(inputs)
        mask = self.backbone.compute_mask(inputs, mask)
        outputs = self.backbone(inputs, mask=mask, training=training)
        return self._classify(*_pooling_terms(outputs, mask))

    def _classify(self, total, count):
        return self.head(total / ops.maximum(count, 1))

    def compute_mask(self, inputs, mask=None):
        return None

    def compute_output_shape(self, input_shape):
        return (input_shape[0], self.num_classes)

    def _stream_specs(self, batch_size):
        backbone, transition = self.backbone._stream_specs(batch_size)
        precision = at_least_float32(self.compute_dtype)
        hidden_dim = self.backbone.hidden_dim
        return {
            "backbone": backbone,
            # The sum of the steps so far, what rounding has added to it, and
            # their number.
            "total": TensorSpec((batch_size, hidden_dim), precision),
            "excess": TensorSpec((batch_size, hidden_dim), precision),
            "count": TensorSpec((batch_size, 1), "int32"),
        }, transition

    def _step(self, inputs, state, transition=None, in_place=False):
        if self.preprocessing is not None:
            inputs = self.preprocessing(inputs)
        outputs, backbone = self.backbone._step(
            inputs, state["backbone"], transition, in_place
        )
        added = ops.sum(ops.cast(outputs, state["total"].dtype), axis=1)
        # Kahan's sum. After 2**24 steps, a plain one in float32 would lose most
        # of what is added.
        added -= state["excess"]
        total = state["total"] + added
        excess = (total - state["total"]) - added
        count = state["count"] + outputs.shape[1]
        state = {
            "backbone": backbone,
            "total": total,
            "excess": excess,
            "count": count,
        }
        return self._classify(total, ops.cast(count, total.dtype)), state

    def get_config(self):
        preprocessing = keras.saving.serialize_keras_object(self.preprocessing)
        return {
            **super().get_config(),
            "num_classes": self.num_classes,
            "preprocessing": preprocessing,
        }

    @classmethod
    def from_config(cls, config):
        preprocessing = config.get("preprocessing")
        preprocessing = keras.saving.deserialize_keras_object(preprocessing)
        return super().from_config({**config, "preprocessing": preprocessing})


def _pooling_terms(outputs, mask):
    """Sum over the valid steps, and their number: `(batch, ..)` each.

    In float32 at least: a long sum overflows half precision.
    """
    precision = at_least_float32(outputs.dtype)
    outputs = ops.cast(outputs, precision)
    total = ops.sum(without_padding(outputs, mask), axis=1)
    if mask is None:
        mask = ops.ones(ops.shape(outputs)[:2], dtype="bool")
    return total, ops.sum(ops.cast(mask, precision), axis=1, keepdims=True)
