"""Files: written completely or not at all, and errors about damaged ones."""

import contextlib
import os
import uuid

__all__ = ["explain_errors", "replace_whole", "write_whole"]


@contextlib.contextmanager
def write_whole(path):
    """Context that opens a file for bytes and names it when it is complete.

    After an error, nothing is left of the new file, and an earlier file of that
    name stays as it was.

    Args:
        path: `pathlib.Path` of the file.

    Yields:
        The file.
    """
    temporary = path.with_name(f"{path.name}.{uuid.uuid4().hex}.tmp")
    # The inner context closes the file before the outer one renames it.
    with _renamed(temporary, path), open(temporary, "xb") as file:
        yield file


@contextlib.contextmanager
def replace_whole(path):
    """Like `write_whole`, for code that opens the file itself.

    Args:
        path: `pathlib.Path` of the file.

    Yields:
        `pathlib.Path` to write to, with the suffixes of `path`.
    """
    temporary = path.with_name(f"{uuid.uuid4().hex}.tmp.{path.name}")
    with _renamed(temporary, path):
        yield temporary


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
def _renamed(temporary, path):
    try:
        yield
        # Without this, a power failure may leave the name but not the content.
        with open(temporary, "r+b") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
