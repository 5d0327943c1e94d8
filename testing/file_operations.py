"""The operations of this process that change a folder."""

import contextlib
import functools
import os
import sys

# Python reports each of them before it executes it.
CHANGES = {"os.mkdir", "os.remove", "os.rename", "os.rmdir"}
WRITING = os.O_WRONLY | os.O_RDWR

_watchers = {}


@contextlib.contextmanager
def before_each_change(folder, watch):
    """A context in which a function is called before a folder changes.

    When it is called, the folder is what a kill at this moment would leave.

    Args:
        folder: `pathlib.Path` of the folder.
        watch: Function of the operation, such as `"os.rename"`, and of the
            `str` path of the file. What it does itself is not watched.
    """
    _listen()
    folder = os.path.abspath(folder) + os.sep
    _watchers[folder] = watch
    try:
        yield
    finally:
        _watchers.pop(folder, None)


@functools.cache
def _listen():
    sys.addaudithook(_report)  # for good: Python cannot remove it


def _report(event, arguments):
    if not _watchers or event not in {*CHANGES, "open"}:
        return
    path = arguments[0]
    is_file = isinstance(path, (str, bytes, os.PathLike))  # or a number
    if is_file and (event in CHANGES or arguments[2] & WRITING):
        path = os.path.abspath(os.fsdecode(path))
        for folder in filter(path.startswith, list(_watchers)):
            watch = _watchers.pop(folder)
            try:
                watch(event, path)
            finally:
                _watchers[folder] = watch
