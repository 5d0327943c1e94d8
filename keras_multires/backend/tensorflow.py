"""The functions of the backend contract for TensorFlow."""

import keras
import numpy as np
import tensorflow as tf

from keras_multires.backend.exporters import is_called_by_exporter

is_exporting = is_called_by_exporter


def dtype_name(tensor):
    return tensor.dtype.name


def has_values(tensor):
    if isinstance(tensor, np.ndarray):
        return True
    if isinstance(tensor, keras.KerasTensor):
        return False
    return not tf.is_symbolic_tensor(tensor)
