"""Runs a program as if one backend alone were installed.

    python run_with_one_backend.py BACKEND PROGRAM

The packages of the other backends cannot be found. They still look like
distributions that are installed.
"""

import importlib.machinery
import runpy
import sys

PACKAGES = {"jax", "tensorflow", "torch"}


class Finder(importlib.machinery.PathFinder):
    """Python's finder of packages, which does not find some."""

    hidden = frozenset()

    @classmethod
    def find_spec(cls, fullname, path=None, target=None):
        if fullname in cls.hidden:
            return None
        return super().find_spec(fullname, path, target)


if __name__ == "__main__":
    backend, program = sys.argv[1:]
    Finder.hidden = frozenset(PACKAGES - {backend})
    place = sys.meta_path.index(importlib.machinery.PathFinder)
    sys.meta_path[place] = Finder
    runpy.run_path(program, run_name="__main__")
