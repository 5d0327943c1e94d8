"""Keras models built of multiresolution layers."""

from keras_multires.models.multires_causal_lm import MultiresCausalLM
from keras_multires.models.multires_classifier import MultiresClassifier
from keras_multires.models.multires_density_model import MultiresDensityModel
from keras_multires.models.multires_net import MultiresNet

__all__ = [
    "MultiresCausalLM",
    "MultiresClassifier",
    "MultiresDensityModel",
    "MultiresNet",
]
