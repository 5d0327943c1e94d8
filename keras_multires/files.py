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
    """
    temporary = path.with_name(f"{path.name}.{uuid.uuid4().hex}.tmp")
    try:
        with open(temporary, "xb") as file:
            yield file
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
