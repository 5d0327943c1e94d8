"""Reads a pickled dict of NumPy arrays from an untrusted file."""

import io
import re

import numpy as np

from keras_multires._plain_pickle import Call
from keras_multires._plain_pickle import load as load_plain

__all__ = ["load"]

_FUNCTIONS = (
    r"numpy\.(core|_core)"  # of NumPy 1 and 2
    r"\.(multiarray\.(_reconstruct|scalar)|numeric\._frombuffer)"
    r"|numpy\.(ndarray|dtype)|_codecs\.encode|__builtin__\.bytes"
)
_NUMBERS = re.compile("b1|[iuf][1248]")


def load(content):
    """The dict of a pickle, with its arrays and numbers of NumPy.

    Args:
        content: Bytes of a pickle, of any protocol and of Python 2 too.

    Returns:
        What was pickled. If that is a dict, its keys are strings, and values
        that are arrays of numbers, or lists with numbers of NumPy, are such
        arrays and lists.

    Raises:
        Exception: of several kinds, if the pickle is damaged or has other
            content.
    """
    loaded = load_plain(io.BytesIO(content), _FUNCTIONS, len(content))
    if not isinstance(loaded, dict):
        return loaded
    return {key: _decode(value) for key, value in loaded.items()}


def _decode(value):
    if isinstance(value, list):
        return [_decode_call(item) for item in value]
    return _decode_call(value)


def _decode_call(value):
    """The array or number that a call makes. Other values stay."""
    if not isinstance(value, Call):
        return value
    function = value.name.rpartition(".")[2]
    if function == "_reconstruct":
        _, shape, dtype, is_fortran, content = value.state
        order = "F" if is_fortran else "C"
    elif function == "_frombuffer":
        content, dtype, shape, order = value.arguments
    elif function == "scalar":
        dtype, content = value.arguments
        shape, order = (), "C"
    else:
        raise ValueError(f"it holds a `{value.name}`")
    if not isinstance(content, (bytes, bytearray)):
        raise ValueError("it holds an array without its bytes")
    array = np.frombuffer(content, _dtype(dtype))
    if order not in ("C", "F") or min(shape, default=0) < 0:
        raise ValueError("it holds an array of unknown form")
    array = array.reshape(shape, order=order)
    return array if shape else array[()]


def _dtype(call):
    code = call.arguments[0]
    code = code.decode("ascii") if isinstance(code, bytes) else code
    if call.name != "numpy.dtype" or not _NUMBERS.fullmatch(code):
        raise ValueError("it holds an array of other than numbers")
    # The state is a version, the byte order, and what numbers do not have.
    order = call.state[1]
    order = order.decode("ascii") if isinstance(order, bytes) else order
    return np.dtype(code).newbyteorder(order)
