"""Files: written completely or not at all, locks, and errors about damage."""

import contextlib
import errno
import os
import shutil
import stat
import tempfile
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

__all__ = ["explain_errors", "locked", "replace_whole", "write_whole"]

# Of the folders of files that are not complete yet.
_PREFIX = ".keras_multires-"
_SUFFIX = ".tmp"
_LOCK = ".lock"


@contextlib.contextmanager
def write_whole(path):
    """Context that opens a file for bytes and names it when it is complete.

    See `replace_whole`.

    Args:
        path: `pathlib.Path` of the file.

    Yields:
        The file.
    """
    # The inner context closes the file before the outer one renames it.
    with replace_whole(path) as temporary, open(temporary, "wb") as file:
        yield file


@contextlib.contextmanager
def replace_whole(path):
    """Context that replaces a file by one that is written elsewhere.

    After an error, nothing is left of the new file, and an earlier file of that
    name stays as it was. What a killed process leaves is removed when the next
    file is written to the same folder.

    The new file has the mode and, if possible, the owner of the earlier one. If
    the path is a symbolic link, the file that it leads to is replaced.

    Args:
        path: `pathlib.Path` of the file.

    Yields:
        `pathlib.Path` of an empty file to write to, with the name of `path`.
        Other files that are written beside it end up beside `path`.
    """
    target = Path(os.path.realpath(path))
    _remove_abandoned(target.parent)
    with _temporary_folder(target) as folder:
        temporary = folder / path.name
        temporary.touch()
        access = (target if target.exists() else temporary).stat()
        yield temporary
        # Without this, a power failure may leave the name but not the content.
        with open(temporary, "r+b") as file:
            os.fsync(file.fileno())
        # Windows has no such owners, and others may not give files away.
        with contextlib.suppress(AttributeError, OSError):
            os.chown(temporary, access.st_uid, access.st_gid)
        temporary.chmod(stat.S_IMODE(access.st_mode))
        for other in folder.iterdir():
            if other.name not in (temporary.name, _LOCK):
                other.replace(target.with_name(other.name))
        temporary.replace(target)


@contextlib.contextmanager
def locked(path, verbose=0):
    """Context that one thread of one process at a time has for a path.

    The others wait for it. It also ends when its process is killed. Meanwhile,
    there is a file `<name>.lock` beside the path. Windows has no such locks, so
    nobody waits there.

    Args:
        path: `pathlib.Path` in a folder that exists.
        verbose: 0 or 1. Whether to say that another process is waited for.
    """
    if fcntl is None:
        yield
        return
    path = path.with_name(f"{path.name}.lock")
    waits = False
    while True:
        with _lock(path, waits) as is_locked:
            if is_locked:
                try:
                    yield
                finally:
                    # Those who wait notice it, and make another.
                    path.unlink(missing_ok=True)
                return
        if verbose and not waits:
            print(f"Waiting for another process: {path}", flush=True)
        waits = True


@contextlib.contextmanager
def explain_errors(explain, kind=ValueError):
    """Context that turns any error into one that says what to do.

    Libraries that parse a damaged file raise errors of many kinds. Open the
    file before this context: a file that cannot be opened is not damaged.

    Args:
        explain: Function from the text of the error to the new message.
        kind: Class of the new error.
    """
    try:
        yield
    except Exception as error:
        # Some quote the whole file.
        message = explain(str(error)[:1000] or type(error).__name__)
        raise kind(message) from error


@contextlib.contextmanager
def _temporary_folder(target):
    """A new folder beside a file, locked until it is removed."""
    with contextlib.ExitStack() as stack:
        while True:
            try:
                folder = Path(tempfile.mkdtemp(_SUFFIX, _PREFIX, target.parent))
            except OSError as error:
                error.filename = str(target)
                raise
            try:
                if stack.enter_context(_lock(folder / _LOCK)):
                    break
            except FileNotFoundError:
                pass  # another process took it for an abandoned one
            except OSError:
                break  # there are no locks, so none is taken for abandoned
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        yield folder


def _remove_abandoned(parent):
    """Removes the folders of processes that were killed."""
    for folder in parent.glob(f"{_PREFIX}*{_SUFFIX}"):
        with (
            contextlib.suppress(OSError),
            _lock(folder / _LOCK) as is_locked,
        ):
            if is_locked:
                shutil.rmtree(folder)


@contextlib.contextmanager
def _lock(path, waits=False):
    """Context with a lock on a file, which is made if it is missing.

    Args:
        path: `pathlib.Path` of the file.
        waits: Boolean, whether to wait for a process that has the lock.

    Yields:
        Whether the file is locked, and is still there.

    Raises:
        OSError: if the file cannot be opened, or there are no locks.
    """
    if fcntl is None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))
    # Some file systems only lock files that are open for writing.
    with open(path, "a+b") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | (0 if waits else fcntl.LOCK_NB))
            same = os.path.samestat(os.fstat(file.fileno()), os.stat(path))
        except (BlockingIOError, FileNotFoundError):
            same = False
        try:
            yield same
        finally:
            # A process that was forked meanwhile would keep it.
            fcntl.flock(file, fcntl.LOCK_UN)
