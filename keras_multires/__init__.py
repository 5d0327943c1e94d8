"""Multiresolution convolution for Keras 3."""

from keras_multires import checkpoints
from keras_multires import datasets
from keras_multires import distributions
from keras_multires import export
from keras_multires import initializers
from keras_multires import layers
from keras_multires import losses
from keras_multires import metrics
from keras_multires import models
from keras_multires import ops
from keras_multires.version import __version__

__all__ = [
    "__version__",
    "checkpoints",
    "datasets",
    "distributions",
    "export",
    "initializers",
    "layers",
    "losses",
    "metrics",
    "models",
    "ops",
]
