"""Arrays kept on disk, so that a data set is prepared only once.

A file is written under a temporary name and renamed when it is complete. It is
read without `pickle`, so it cannot run code.
"""

import contextlib
import os
import tempfile
import zipfile
from pathlib import Path

import numpy as np

from keras_multires._files import explain_errors
from keras_multires._files import locked
from keras_multires._files import write_whole
from keras_multires._validation import require

__all__ = [
    "cache_file",
    "keep_arrays",
    "keras_folder",
    "read_arrays",
    "write_arrays",
]


def cache_file(name, cache_dir=None):
    """Path of a file in the cache. The folder is created if it is missing.

    Args:
        name: Name of the file. It must determine the contents.
        cache_dir: `pathlib.Path` of the cache. Defaults to `datasets` in
            Keras's own folder, `~/.keras` or `$KERAS_HOME`.

    Returns:
        A `pathlib.Path`.

    Raises:
        OSError: if the folder cannot be created.
    """
    if cache_dir is None:
        cache_dir = _home() / "datasets"
    cache_dir.mkdir(parents=True, exist_ok=True)
    return cache_dir / name


def keras_folder():
    """The folder into which `keras.datasets` downloads, which exists.

    It is not that of the cache if Keras may not write there.
    """
    home = _home()
    with contextlib.suppress(OSError):
        home.mkdir(parents=True, exist_ok=True)
    if not os.access(home, os.W_OK):
        home = Path(tempfile.gettempdir(), ".keras")
    folder = home / "datasets"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _home():
    return Path(os.environ.get("KERAS_HOME", "~/.keras")).expanduser()


def keep_arrays(path, are_valid, make, compress=True, verbose=0):
    """Reads arrays, or makes and writes them where there are none.

    If several processes call this, one makes them and the others wait.

    Args:
        path: `pathlib.Path` of an archive, in a folder that exists.
        are_valid: As in `read_arrays`.
        make: Function without arguments that returns the dict of arrays.
        compress: Boolean, whether to compress them.
        verbose: 0 or 1. Whether to say that another process is waited for.

    Returns:
        A dict of arrays.

    Raises:
        OSError: if the file cannot be read or written.
        ValueError: if it is damaged. The message says what to do.
    """
    if path.exists():
        return read_arrays(path, are_valid)
    with locked(path, verbose):
        if path.exists():
            return read_arrays(path, are_valid)
        arrays = make()
        write_arrays(path, arrays, compress)
    return arrays


def write_arrays(path, arrays, compress=True):
    """Writes a dict of arrays, completely or not at all."""
    save = np.savez_compressed if compress else np.savez
    with write_whole(path) as file:
        save(file, **arrays)


def read_arrays(path, are_valid):
    """Reads what `write_arrays` wrote.

    Args:
        path: `pathlib.Path` of an archive.
        are_valid: Function of the dict of arrays: whether they are what the
            file should hold. It may raise an error instead of returning False.

    Returns:
        A dict of arrays.

    Raises:
        OSError: if the file cannot be opened.
        ValueError: if it is damaged. The message says what to do.
    """
    damage = (
        f"The kept data are damaged: {path}. Delete the file, and it is made "
        "again."
    )
    with open(path, "rb") as file, explain_errors(lambda _: damage):
        with zipfile.ZipFile(file) as archive:
            are_likely = all(map(_is_likely, archive.infolist()))
            require(are_likely, "It must be compressed as usual.")
        file.seek(0)
        with np.load(file, allow_pickle=False) as archive:
            arrays = dict(archive)
        require(are_valid(arrays), "Arrays must be those of the data set.")
    return arrays


def _is_likely(member):
    """Whether a member of an archive can be what `write_arrays` wrote."""
    # The arrays of the data sets are compressed to a tenth at least. Other
    # methods need up to 4 GB of memory.
    is_small = member.file_size <= 100 * member.compress_size
    methods = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
    return is_small and member.compress_type in methods
