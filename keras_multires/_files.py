"""Files that are there whole or not at all."""

import contextlib
import os
import uuid


@contextlib.contextmanager
def write_whole(path):
    """Context that opens a file for bytes and gives it its name at the end.

    After an error nothing is left of it, and an earlier file of that name
    stays as it was.

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
    """As `write_whole`, for what opens the file itself.

    Args:
        path: `pathlib.Path` of the file.

    Yields:
        `pathlib.Path` to write to, with the suffixes of `path`.
    """
    temporary = path.with_name(f"{uuid.uuid4().hex}.tmp.{path.name}")
    with _renamed(temporary, path):
        yield temporary


@contextlib.contextmanager
def _renamed(temporary, path):
    try:
        yield
        # Else a power failure may leave the name without the content.
        with open(temporary, "r+b") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
