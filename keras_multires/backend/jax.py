"""The functions of the backend contract for JAX."""

import jax
import keras
import numpy as np

from keras_multires.backend.exporters import is_called_by_exporter

is_exporting = is_called_by_exporter


def dtype_name(tensor):
    return tensor.dtype.name


def has_values(tensor):
    if isinstance(tensor, np.ndarray):
        return True
    return not isinstance(tensor, (keras.KerasTensor, jax.core.Tracer))
