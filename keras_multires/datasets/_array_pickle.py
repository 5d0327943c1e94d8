"""Reads pickles of NumPy arrays and plain values from untrusted files.

A pickle calls functions. NumPy's own are no safer than others: an array of
objects takes any bytes for addresses of memory. So nothing of NumPy is called:
calls are recorded, and the arrays are made from the recorded bytes.
"""

import io
import pickle
import pickletools
import re

import numpy as np

__all__ = ["load"]

_MODULES = ("numpy.core.", "numpy._core.")  # of NumPy 1 and 2
_FUNCTIONS = {
    *(f"{module}multiarray._reconstruct" for module in _MODULES),
    *(f"{module}multiarray.scalar" for module in _MODULES),
    *(f"{module}numeric._frombuffer" for module in _MODULES),
    "numpy.ndarray",
    "numpy.dtype",
    "_codecs.encode",  # for bytes in a protocol without bytes
}
_NUMBERS = re.compile("b1|[iuf][1248]")


class _Record:
    """A function, its arguments once it is called, and the state set later."""

    def __init__(self, name, arguments=None):
        self.name, self.arguments, self.state = name, arguments, None

    def __call__(self, *arguments):
        if self.name == "_codecs.encode":
            return _encode(*arguments)
        return _Record(self.name, arguments)

    def __setstate__(self, state):
        self.state = state


class _Unpickler(pickle.Unpickler):
    def find_class(self, module, name):
        function = f"{module}.{name}"
        if function in _FUNCTIONS:
            return _Record(function)
        problem = f"it asks for `{function}`, which no batch needs"
        raise pickle.UnpicklingError(problem)


def load(content):
    """The dict of a pickle, with its arrays and numbers of NumPy.

    Args:
        content: Bytes of a pickle, of any protocol and of Python 2 too.

    Returns:
        What was pickled. If that is a dict, values that are arrays of numbers,
        or lists with numbers of NumPy, are such arrays and lists.

    Raises:
        Exception: of several kinds, if the pickle is damaged or has other
            content.
    """
    _check_sizes(content)
    # Python 2 wrote the batches of CIFAR: its strings are bytes.
    loaded = _Unpickler(io.BytesIO(content), encoding="bytes").load()
    if not isinstance(loaded, dict):
        return loaded
    return {key: _decode(value) for key, value in loaded.items()}


def _check_sizes(content):
    # Python's unpickler takes memory for whatever size or place a pickle names,
    # before it looks at the content. This reads the content.
    for opcode, argument, _ in pickletools.genops(content):
        if "PUT" in opcode.name and argument > len(content):
            raise pickle.UnpicklingError("it is larger than its file")


def _decode(value):
    if isinstance(value, list):
        return [_decode_record(item) for item in value]
    return _decode_record(value)


def _decode_record(value):
    """The array or number that a record stands for. Other values stay."""
    if not isinstance(value, _Record):
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
        raise pickle.UnpicklingError(f"it holds a `{value.name}`")
    if not isinstance(content, (bytes, bytearray)):
        raise pickle.UnpicklingError("it holds an array without its bytes")
    array = np.frombuffer(content, _dtype(dtype))
    if order not in ("C", "F") or min(shape, default=0) < 0:
        raise pickle.UnpicklingError("it holds an array of unknown form")
    array = array.reshape(shape, order=order)
    return array if shape else array[()]


def _dtype(record):
    code = record.arguments[0]
    code = code.decode("ascii") if isinstance(code, bytes) else code
    if record.name != "numpy.dtype" or not _NUMBERS.fullmatch(code):
        raise pickle.UnpicklingError("it holds an array of other than numbers")
    # The state is a version, the byte order, and what numbers do not have.
    order = record.state[1]
    order = order.decode("ascii") if isinstance(order, bytes) else order
    return np.dtype(code).newbyteorder(order)


def _encode(text, encoding):
    # Other encodings can run for minutes or take gigabytes.
    if encoding not in ("latin1", b"latin1") or not isinstance(text, str):
        raise pickle.UnpicklingError("it holds text of another encoding")
    return text.encode("latin1")
