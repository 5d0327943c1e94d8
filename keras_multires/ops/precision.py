import keras
from keras import ops


def at_least_float32(dtype):
    """The dtype for sums that half precision cannot hold.

    Not `keras.backend.result_type(dtype, "float32")`: that is float32 for
    float64 on JAX and PyTorch.
    """
    dtype = keras.backend.standardize_dtype(dtype)
    return "float64" if dtype == "float64" else "float32"


def gelu(inputs):
    """Exact (erf) GELU, exact in float64 too.

    TensorFlow's own rounds its constant to float32 whatever the dtype of the
    inputs, an error of 5e-9.
    """
    if keras.backend.standardize_dtype(inputs.dtype) != "float64":
        return ops.gelu(inputs, approximate=False)
    return 0.5 * inputs * (1 + ops.erf(inputs * 0.5**0.5))
