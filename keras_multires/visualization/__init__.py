"""Pictures of what the layers learned and of how well, with matplotlib.

Needs matplotlib, and so is imported by itself:
`from keras_multires import visualization`.
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
]
