"""The dtypes that sums and signals need, whatever the layers compute in."""

from keras import ops
from keras.backend import standardize_dtype

FLOAT16_MAX = 65504.0


def at_least_float32(dtype):
    """The dtype for sums that half precision cannot hold.

    Not `keras.backend.result_type(dtype, "float32")`: that is float32 for
    float64 on JAX and PyTorch.
    """
    return "float64" if standardize_dtype(dtype) == "float64" else "float32"


def tree_precision(dtype):
    """The dtype in which the tree runs for inputs of a dtype.

    It is that of the inputs except for float16, whose range ends at 65,504: the
    tree multiplies its signals level by level.
    """
    dtype = standardize_dtype(dtype)
    return "float32" if dtype == "float16" else dtype


def saturating_cast(inputs, dtype):
    """Casts; float16 gets its largest value in place of larger ones.

    Not `keras.ops.saturate_cast`, which leaves an infinite float16 as it is.
    """
    if standardize_dtype(dtype) == "float16":
        inputs = ops.clip(inputs, -FLOAT16_MAX, FLOAT16_MAX)
    return ops.cast(inputs, dtype)
