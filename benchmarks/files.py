"""Files of results, which are whole whenever the program ends."""

import json
import os

__all__ = ["write_json"]


def write_json(path, content):
    """Writes a file of JSON under another name and renames it at the end.

    Args:
        path: `pathlib.Path` of the file, in a folder that exists.
        content: What it holds.
    """
    temporary = path.with_name(f"{path.name}.tmp")
    temporary.write_text(json.dumps(content, indent=1) + "\n")
    os.replace(temporary, path)
