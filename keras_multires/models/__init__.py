"""Keras models built of multiresolution layers."""

from keras_multires.models.multires_causal_lm import MultiresCausalLM
from keras_multires.models.multires_classifier import MultiresClassifier
from keras_multires.models.multires_density_model import MultiresDensityModel
from keras_multires.models.multires_net import MultiresNet
from keras_multires.models.saving import load_weights
from keras_multires.models.saving import save_model
from keras_multires.models.saving import save_weights
from keras_multires.models.training import build_optimizer
from keras_multires.models.training import check_data

__all__ = [
    "MultiresCausalLM",
    "MultiresClassifier",
    "MultiresDensityModel",
    "MultiresNet",
    "build_optimizer",
    "check_data",
    "load_weights",
    "save_model",
    "save_weights",
]
