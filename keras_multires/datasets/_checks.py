"""Checks of the files that a data set is read from, and of room for them."""

import errno
import shutil

_MAX_CHARACTERS = 500  # of a problem in a message

__all__ = [
    "check_files",
    "check_folder",
    "check_free_space",
    "require_content",
    "require_whole",
]


def check_folder(path, remedy):
    """Accepts the path of a folder."""
    if not path.is_dir():
        raise FileNotFoundError(f"Not a folder: {path}. {remedy}")


def check_files(paths, remedy):
    """Accepts paths of files."""
    for path in paths:
        if not path.is_file():
            raise FileNotFoundError(f"No such file: {path}. {remedy}")


def check_free_space(path, num_bytes, purpose):
    """Accepts a size that fits on the disk of a path.

    Args:
        path: `pathlib.Path` of a folder, or of a file in a folder that exists.
        num_bytes: Integer, the size.
        purpose: What will be done with the bytes, such as `"downloaded"`.
    """
    folder = path if path.is_dir() else path.parent
    free = shutil.disk_usage(folder).free
    if num_bytes > free:
        problem = f"{num_bytes} bytes are to be {purpose} and only {free} are"
        raise OSError(errno.ENOSPC, f"{problem} free on the disk", str(path))


def require_whole(condition, problem):
    """Raises an error without the name of the file unless a condition holds."""
    if not condition:
        raise ValueError(problem)


def require_content(condition, place, problem, remedy, line=None):
    """Raises a `ValueError` unless a file holds what it should.

    Args:
        condition: What must be true.
        place: Path of the file, or words that say which file it is.
        problem: What is wrong with it otherwise.
        remedy: Sentences that say what to do about it.
        line: Number of the line with the problem, if it is in one line.
    """
    if not condition:
        place = place if line is None else f"{place}, line {line}"
        problem = str(problem)
        if len(problem) > _MAX_CHARACTERS:  # it quotes the file
            problem = f"{problem[:_MAX_CHARACTERS]}..."
        raise ValueError(f"{place}: {problem}. {remedy}")
