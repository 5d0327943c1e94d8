"""Reads files of `torch.save` without PyTorch, and so without running it.

A file has a pickle that describes the tensors, and their bytes. PyTorch's own
reader for files that are not trusted still calls what can crash the process or
take all of its memory. Here, nothing is called, and only tensors that are asked
for are read: plain ones, whose size is known before.
"""

import functools
import io
import zipfile
from collections.abc import Callable
from typing import NamedTuple

import ml_dtypes
import numpy as np

from keras_multires._plain_pickle import Call
from keras_multires._plain_pickle import load

__all__ = ["PyTorchFile", "Tensor"]

# What PyTorch asks for where there are weights, scores of NumPy and the state
# of an optimizer.
_FUNCTIONS = (
    r"torch(\.\w+)+|numpy(\.\w+)+|collections\.(OrderedDict|Counter)"
    r"|_codecs\.encode|__builtin__\.(bytes|bytearray|complex|set)"
)
_ZIP_START = b"PK\x03\x04"
_LEGACY_MAGIC = 0x1950A86A20F9469CFC6C

# Dtypes of floats, by their names in PyTorch.
_FLOATS = {
    "float64": np.dtype("float64"),
    "float32": np.dtype("float32"),
    "float16": np.dtype("float16"),
    "bfloat16": np.dtype(ml_dtypes.bfloat16),
    "float8_e4m3fn": np.dtype(ml_dtypes.float8_e4m3fn),
    "float8_e4m3fnuz": np.dtype(ml_dtypes.float8_e4m3fnuz),
    "float8_e5m2": np.dtype(ml_dtypes.float8_e5m2),
    "float8_e5m2fnuz": np.dtype(ml_dtypes.float8_e5m2fnuz),
}
# Name and bytes of the dtype of each kind of storage.
_STORAGES = {
    "DoubleStorage": ("float64", 8),
    "FloatStorage": ("float32", 4),
    "HalfStorage": ("float16", 2),
    "BFloat16Storage": ("bfloat16", 2),
    "LongStorage": ("int64", 8),
    "IntStorage": ("int32", 4),
    "ShortStorage": ("int16", 2),
    "CharStorage": ("int8", 1),
    "ByteStorage": ("uint8", 1),
    "BoolStorage": ("bool", 1),
    "ComplexFloatStorage": ("complex64", 8),
    "ComplexDoubleStorage": ("complex128", 16),
    "QInt32Storage": ("qint32", 4),
    "QInt8Storage": ("qint8", 1),
    "QUInt8Storage": ("quint8", 1),
    "QUInt4x2Storage": ("quint4x2", 1),
    "QUInt2x4Storage": ("quint2x4", 1),
    "UntypedStorage": ("uint8", 1),
}
_PARAMETERS = {
    "torch._utils._rebuild_parameter",
    "torch._utils._rebuild_parameter_with_state",
}
# What makes a tensor, and how many arguments a plain one has.
_TENSORS = {
    "torch._utils._rebuild_tensor": 4,
    "torch._utils._rebuild_tensor_v2": 6,
    "torch._utils._rebuild_tensor_v3": 7,  # the last one is the dtype
}


class _Storage(NamedTuple):
    """Values that tensors share."""

    dtype: str
    num_bytes: int  # of a value
    read: Callable  # () -> all bytes


class Tensor(NamedTuple):
    """A dense tensor of a file, which is not read yet."""

    storage: _Storage
    offset: int
    shape: tuple
    strides: tuple
    dtype: str  # its name in PyTorch
    order: str  # of the bytes, "<" or ">"

    @property
    def is_float(self):
        return self.dtype in _FLOATS

    def read(self):
        """The array of a tensor of floats, in its own dtype.

        Raises:
            Exception: of several kinds, if the file is damaged.
        """
        dtype = _FLOATS[self.dtype].newbyteorder(self.order)
        values = np.frombuffer(self.storage.read(), dtype)
        if 0 in self.shape:
            return np.empty(self.shape, dtype)
        # A view could reach outside.
        last = self.offset
        for size, stride in zip(self.shape, self.strides, strict=True):
            last += (size - 1) * stride
        if min((self.offset, *self.strides)) < 0 or last >= len(values):
            raise ValueError("a tensor is larger than its storage")
        strides = [stride * dtype.itemsize for stride in self.strides]
        return np.lib.stride_tricks.as_strided(
            values[self.offset :], self.shape, strides, writeable=False
        )


class PyTorchFile:
    """A file of `torch.save`, in either of its formats.

    Args:
        file: Binary file, which must stay open while tensors are read.

    Attributes:
        content: Dicts, lists and plain values as they were saved. The keys of
            dicts are strings. `tensor` says what the rest is.

    Raises:
        Exception: of several kinds, if the file is damaged, has another format,
            or asks for code.
    """

    def __init__(self, file):
        self._file = file
        self._num_bytes = file.seek(0, io.SEEK_END)
        file.seek(0)
        is_zip = file.read(len(_ZIP_START)) == _ZIP_START
        file.seek(0)
        self._order = "<"
        if is_zip:
            self._open_zip()
        else:
            self._open_legacy()

    def tensor(self, value):
        """The `Tensor` that a part of the content is, or what it is instead.

        Args:
            value: Part of the content.

        Returns:
            A `Tensor`, or a string: the type of a plain value, or what makes
            another one, which starts with `torch.` for a tensor that is not
            dense.

        Raises:
            Exception: of several kinds, if the file is damaged.
        """
        while isinstance(value, Call) and value.name in _PARAMETERS:
            value = value.arguments[0]
        if not isinstance(value, Call):
            return type(value).__name__
        if value.name not in _TENSORS:
            return value.name
        num_arguments = _TENSORS[value.name]
        storage, offset, shape, strides, *rest = value.arguments
        if any(value.arguments[num_arguments:]):
            return "torch.Tensor, to be conjugated or negated"
        dtype = storage.dtype
        if num_arguments == 7:
            dtype = rest[2].name.removeprefix("torch.")
        if not all(type(n) is int for n in (offset, *shape, *strides)):
            raise ValueError("the shape of a tensor is damaged")
        return Tensor(storage, offset, shape, strides, dtype, self._order)

    def _open_zip(self):
        archive = zipfile.ZipFile(self._file)
        members = {member.filename: member for member in archive.infolist()}
        (name,) = (name for name in members if name.endswith("/data.pkl"))
        folder = name.removesuffix("data.pkl")

        def read(name):
            member = members[folder + name]
            # PyTorch compresses nothing, so nothing is larger than the file.
            if member.compress_type != zipfile.ZIP_STORED:
                raise ValueError(f"{member.filename} is compressed")
            return archive.read(member)

        def refer(identity):
            dtype, num_bytes = _kind_of_storage(identity)
            read_all = functools.partial(read, f"data/{identity[2]}")
            return _Storage(dtype, num_bytes, read_all)

        if f"{folder}byteorder" in members and read("byteorder") == b"big":
            self._order = ">"
        self.content = self._load(io.BytesIO(read("data.pkl")), refer)

    def _open_legacy(self):
        sizes, places = {}, {}

        def read(key):
            start, num_bytes = places[key]
            self._file.seek(start)
            return self._file.read(num_bytes)

        def refer(identity):
            dtype, num_bytes = _kind_of_storage(identity)
            key = str(identity[2])
            sizes[key] = num_bytes
            return _Storage(dtype, num_bytes, functools.partial(read, key))

        magic, _, system, self.content, keys = (
            self._load(self._file, refer) for _ in range(5)
        )
        if magic != _LEGACY_MAGIC:
            raise ValueError("it is not a file of PyTorch")
        self._order = "<" if system["little_endian"] else ">"
        for key in map(str, keys):
            count = self._file.read(8)
            num_bytes = sizes[key] * int.from_bytes(count, "little")
            places[key] = self._file.tell(), num_bytes
            if self._file.seek(num_bytes, io.SEEK_CUR) > self._num_bytes:
                raise ValueError("it is shorter than its tensors")

    def _load(self, file, refer):
        return load(file, _FUNCTIONS, self._num_bytes, refer)


def _kind_of_storage(identity):
    """Name and bytes of the dtype of a storage that a pickle refers to."""
    kind = identity[1].name.removeprefix("torch.").removeprefix("storage.")
    return _STORAGES[kind]
