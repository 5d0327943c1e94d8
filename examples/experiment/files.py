"""Files of a run that are whole or not there, whatever ends the program."""

import csv
import json
import os


def write_whole(path, content):
    """Writes a file under another name and renames it at the end.

    Args:
        path: `pathlib.Path` of the file.
        content: String or bytes.
    """
    if isinstance(content, str):
        content = content.encode()
    temporary = path.with_name(f"{path.name}.tmp")
    with open(temporary, "wb") as file:
        file.write(content)
        file.flush()
        # Otherwise a power failure may leave the name without the content.
        os.fsync(file.fileno())
    os.replace(temporary, path)


def write_json(path, content):
    """Writes a file of JSON, whole or not at all."""
    write_whole(path, json.dumps(content, indent=2) + "\n")


def read_rows(path):
    """The rows of a CSV file, a dict each.

    Args:
        path: `pathlib.Path` of the file.
    """
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file, strict=True))
