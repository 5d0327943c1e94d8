import keras
from keras import ops


def at_least_float32(dtype):
    """The dtype for sums that half precision cannot hold.

    Not `keras.backend.result_type(dtype, "float32")`: that is float32 for
    float64 on JAX and PyTorch.
    """
    dtype = keras.backend.standardize_dtype(dtype)
    return "float64" if dtype == "float64" else "float32"


def tree_precision(dtype):
    """The dtype in which the tree runs for inputs of a dtype.

    The inputs' own, but for float16: its range ends at 65,504, and the tree
    multiplies its signals level by level.
    """
    dtype = keras.backend.standardize_dtype(dtype)
    return "float32" if dtype == "float16" else dtype


def limit(inputs, dtype):
    """Casts, to the largest values where float16 does not hold larger ones."""
    if keras.backend.standardize_dtype(dtype) == "float16":
        largest = 65504.0
        inputs = ops.clip(inputs, -largest, largest)
    return ops.cast(inputs, dtype)
