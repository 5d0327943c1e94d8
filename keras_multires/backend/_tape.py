"""What TensorFlow's eager tape must not see inside a custom gradient."""

import keras
from keras import ops


def unrecorded(*tensors):
    """The tensors for the forward pass of a custom gradient.

    It has its own derivative, and so needs no record of the operations.
    """
    # On JAX, the stop would cut the second derivative. PyTorch does not record
    # inside a custom gradient.
    if keras.backend.backend() == "tensorflow":
        return [ops.stop_gradient(tensor) for tensor in tensors]
    return tensors
