"""Files that are there whole or not at all."""

import contextlib
import os
import uuid


@contextlib.contextmanager
def replace_whole(path):
    """Context in which a file is written, which gets its name at the end.

    After an error nothing is left of it, and an earlier file of that name
    stays as it was.

    Args:
        path: `pathlib.Path` of the file.

    Yields:
        `pathlib.Path` to write to, which ends like `path`.
    """
    temporary = path.with_name(f"{uuid.uuid4().hex}.tmp.{path.name}")
    try:
        yield temporary
        # Else a power failure may leave the name without the content.
        with open(temporary, "r+b") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def write_whole(path):
    """As `replace_whole`, but yields the file, open for bytes."""
    # The inner context closes the file before the outer one renames it.
    with replace_whole(path) as temporary, open(temporary, "xb") as file:
        yield file
