"""Tasks from one flat set of options, as tests and golden files give them."""

from keras_multires.models import MultiresCausalLM
from keras_multires.models import MultiresClassifier
from keras_multires.models import MultiresDensityModel
from keras_multires.models import MultiresNet


def classifier(num_classes, preprocessing=None, name=None, **backbone):
    """A classifier on a backbone of these options."""
    return MultiresClassifier(
        MultiresNet(**backbone, name="backbone"),
        num_classes,
        preprocessing=preprocessing,
        name=name,
    )


def density_model(num_mixtures=10, **backbone):
    """A density model on a backbone of these options, as the published one."""
    options = {"output_projection": True, "independent_skip": True, **backbone}
    return MultiresDensityModel(
        MultiresNet(**options, name="backbone"), num_mixtures
    )


def language_model(**backbone):
    """A language model on a backbone of these options."""
    return MultiresCausalLM(MultiresNet(**backbone, name="backbone"))
