"""Arrays kept on disk, so that a data set is prepared only once.

A file is there whole or not at all: it is written under a temporary name and
renamed. It is never unpickled.
"""

import os
from pathlib import Path

import numpy as np

from keras_multires._files import write_whole
from keras_multires._validation import check_path


def cache_file(name, cache_dir=None):
    """Path of a file of the cache, whose folder is made if it is missing.

    Args:
        name: Name of the file. What it holds must follow from its name.
        cache_dir: Folder of the cache. Defaults to `datasets` in Keras's own
            folder, `~/.keras` or `$KERAS_HOME`.

    Returns:
        A `pathlib.Path`.

    Raises:
        OSError: if the folder cannot be made.
        ValueError: if `cache_dir` is no path.
    """
    if cache_dir is None:
        cache_dir = Path(os.environ.get("KERAS_HOME", "~/.keras"), "datasets")
    folder = check_path("cache_dir", cache_dir)
    folder.mkdir(parents=True, exist_ok=True)
    return folder / name


def write_arrays(path, arrays, compress=True):
    """Writes a dict of arrays as an `.npz` archive, whole or not at all."""
    save = np.savez_compressed if compress else np.savez
    with write_whole(path) as file:
        save(file, **arrays)


def read_arrays(path, check):
    """Reads what `write_arrays` wrote.

    Args:
        path: `pathlib.Path` of an archive.
        check: Function that takes the dict of arrays and raises any error if
            they are not what the file should hold.

    Returns:
        A dict of arrays.

    Raises:
        OSError: if the file cannot be opened.
        ValueError: if it is damaged, with the remedy.
    """
    # Not in the `try`: a file that may not be read is no damaged file.
    with open(path, "rb") as file:
        try:
            with np.load(file, allow_pickle=False) as archive:
                arrays = dict(archive)
            check(arrays)
        # A damaged archive raises errors of half a dozen modules.
        except Exception as error:
            raise ValueError(
                f"The kept data are damaged: {path}. Delete the file, and it "
                "is made again."
            ) from error
    return arrays
