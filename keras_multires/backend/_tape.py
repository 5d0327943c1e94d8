"""What TensorFlow's eager tape must not see inside a custom gradient."""

import keras
from keras import ops


def unrecorded(*tensors):
    """See the contract."""
    # On JAX, the stop would cut the second derivative. PyTorch does not record
    # inside a custom gradient.
    if keras.backend.backend() == "tensorflow":
        return [ops.stop_gradient(tensor) for tensor in tensors]
    return tensors
