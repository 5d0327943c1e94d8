"""Multiresolution convolution for Keras 3."""

# isort: off
from keras_multires import _backend_choice  # noqa: F401 (before Keras)

# isort: on
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
    "visualization",
]


def __getattr__(name):
    # It needs matplotlib, which only pictures are worth installing for.
    if name == "visualization":
        import keras_multires.visualization as visualization

        return visualization
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return __all__
