"""Files of a run that are whole or not there, whatever ends the program."""

import contextlib
import csv
import io
import json
import os

import click


@contextlib.contextmanager
def writing(path):
    """Context in which a full disk ends the program with a clear error.

    Args:
        path: `pathlib.Path` of what is written.
    """
    try:
        yield
    except OSError as error:
        raise click.ClickException(
            f"Cannot write {str(path)!r}: {error.strerror or error}. Mend this "
            "and give the same command again."
        ) from error


@contextlib.contextmanager
def whole_file(path):
    """Context that opens a file for bytes and names it when it is complete.

    Args:
        path: `pathlib.Path` of the file.

    Yields:
        The file.

    Raises:
        click.ClickException: if it cannot be written.
    """
    # Only one process writes to the folder of a run. What a kill leaves behind
    # under this name is therefore overwritten.
    temporary = path.with_name(f"{path.name}.tmp")
    with writing(path):
        try:
            with open(temporary, "wb") as file:
                yield file
                file.flush()
                # Otherwise a power failure may leave the name without the
                # content.
                os.fsync(file.fileno())
            os.replace(temporary, path)
        except OSError:
            temporary.unlink(missing_ok=True)  # makes space
            raise


def write_whole(path, content):
    """Writes a file, whole or not at all.

    Args:
        path: `pathlib.Path` of the file.
        content: String or bytes.
    """
    if isinstance(content, str):
        content = content.encode()
    with whole_file(path) as file:
        file.write(content)


def write_json(path, content):
    """Writes a file of JSON, whole or not at all."""
    write_whole(path, json.dumps(content, indent=2) + "\n")


def write_rows(path, rows):
    """Writes a CSV file, whole or not at all.

    Args:
        path: `pathlib.Path` of the file.
        rows: List of dicts with the same keys.
    """
    content = io.StringIO(newline="")
    if rows:
        writer = csv.DictWriter(content, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)
    write_whole(path, content.getvalue())
