"""Plots of what layers learned and of how well models perform.

They need matplotlib. `import keras_multires` does not import it: this package
is loaded when it is used for the first time.
"""

from keras_multires.visualization.confusion_matrix import plot_confusion_matrix
from keras_multires.visualization.frequency_responses import (
    plot_frequency_responses,
)
from keras_multires.visualization.image_grid import plot_images
from keras_multires.visualization.kernels import plot_kernels
from keras_multires.visualization.learning_curves import plot_learning_curves
from keras_multires.visualization.receptive_fields import (
    effective_receptive_field,
)
from keras_multires.visualization.receptive_fields import (
    plot_effective_receptive_fields,
)
from keras_multires.visualization.roc_curves import plot_roc_curves
from keras_multires.visualization.scalogram import plot_scalogram
from keras_multires.visualization.tree import plot_tree

__all__ = [
    "effective_receptive_field",
    "plot_confusion_matrix",
    "plot_effective_receptive_fields",
    "plot_frequency_responses",
    "plot_images",
    "plot_kernels",
    "plot_learning_curves",
    "plot_roc_curves",
    "plot_scalogram",
    "plot_tree",
]
