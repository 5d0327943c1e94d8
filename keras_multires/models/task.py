"""`Task`: what every task shares."""

import keras

from keras_multires._validation import require
from keras_multires.initializers import fan_in_uniform
from keras_multires.layers._composite import Composite
from keras_multires.models._multires_model import MultiresModel
from keras_multires.models._preset_files import HasPresets
from keras_multires.models.multires_net import MultiresNet

__all__ = ["Task"]


class Task(HasPresets, Composite, MultiresModel):
    """A backbone and a `Dense` head. The subclasses are the tasks.

    Args:
        backbone: A `MultiresNet`.
        num_outputs: Integer, units of the head.
        dtype: As in `keras.Model`. By default that of the backbone.
        **kwargs: Other base model arguments. By default, `autocast` is that of
            the backbone.

    Attributes:
        backbone: The `MultiresNet`.
        head: The `keras.layers.Dense`.
    """

    def __init__(self, backbone, num_outputs, dtype=None, **kwargs):
        is_backbone = isinstance(backbone, MultiresNet)
        expected = "`backbone` must be a `MultiresNet`."
        require(is_backbone, expected, backbone=backbone)
        super().__init__(
            dtype=backbone.dtype_policy if dtype is None else dtype,
            **{"autocast": backbone.autocast, **kwargs},
        )
        self.backbone = backbone
        self._adopt(backbone)
        self.head = self._sublayer(
            keras.layers.Dense,
            units=num_outputs,
            kernel_initializer=fan_in_uniform(backbone.hidden_dim),
            bias_initializer=fan_in_uniform(backbone.hidden_dim),
            dtype=self._policy_of("head"),
            name="head",
        )
        # As in the backbone.
        with keras.name_scope(self.name, caller=self):
            self.head.build((None, None, backbone.hidden_dim))
        if backbone.built:
            self._mark_built()

    @classmethod
    def _from_named_preset(cls, preset, overrides):
        arguments = dict(cls.presets[preset])
        backbone = arguments.pop("backbone")
        if "backbone" not in overrides:
            overrides = {**overrides, "backbone": MultiresNet(**backbone)}
        return cls(**{**arguments, **overrides})

    @property
    def built_shape(self):
        """Shape of the inputs that the backbone was built for."""
        return self.backbone.built_shape

    def check_inputs(self, inputs):
        """Raises a `ValueError` for values that the backbone refuses."""
        self.backbone.check_inputs(inputs)

    def build(self, input_shape):
        self.backbone.check_input_shape(input_shape)
        if not self.backbone.built:
            self.backbone.build(input_shape)

    def compute_mask(self, inputs, mask=None):
        return self.backbone.compute_mask(inputs, mask)

    def compute_output_shape(self, input_shape):
        return (*input_shape[:2], self.head.units)

    @property
    def receptive_field(self):
        """Time steps that a feature depends on, including its own."""
        return self.backbone.receptive_field

    def _stream_specs(self, batch_size):
        return self.backbone._stream_specs(batch_size)

    def _transition(self):
        return self.backbone._transition()

    def _step_axes(self):
        return self.backbone._step_axes()

    def get_config(self):
        return {
            **super().get_config(),
            "backbone": keras.saving.serialize_keras_object(self.backbone),
        }

    @classmethod
    def from_config(cls, config):
        backbone = keras.saving.deserialize_keras_object(config["backbone"])
        return super().from_config({**config, "backbone": backbone})
