"""Starting a program in a process of its own, with a backend of its own."""

import os
import subprocess
import sys

from testing.paths import PROGRAMS
from testing.paths import ROOT


def command(*arguments):
    """The command that runs this Python with some arguments."""
    return [sys.executable, *map(str, arguments)]


def environment(backend=None, folders=(), **variables):
    """The environment of a process that finds the packages of this one.

    Args:
        backend: Name of the backend of Keras. Defaults to that of this process.
        folders: Paths from which the process can import, besides the
            repository's root.
        **variables: Strings, further variables.
    """
    if backend is not None:
        variables["KERAS_BACKEND"] = backend
    paths = [*map(str, folders), str(ROOT), *filter(None, sys.path)]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths), **variables}


def run_python(
    *arguments, backend=None, folders=(), check=True, cwd=ROOT, **variables
):
    """Runs Python with some arguments until it ends.

    Args:
        *arguments: Arguments of Python, such as the path of a script.
        backend: As in `environment`.
        folders: As in `environment`.
        check: Whether a status other than 0 fails the test, with the end of
            what the process printed.
        cwd: Path, working directory.
        **variables: As in `environment`.

    Returns:
        A `subprocess.CompletedProcess` with `stdout` and `stderr` as text.
    """
    result = subprocess.run(
        command(*arguments),
        env=environment(backend, folders, **variables),
        cwd=cwd,
        capture_output=True,
        text=True,
    )
    if check and result.returncode != 0:
        raise AssertionError(
            f"{result.args} ended with the status {result.returncode}.\n"
            f"{result.stdout[-3000:]}\n{result.stderr[-3000:]}"
        )
    return result


def run_program(name, *arguments, **options):
    """Runs a program of `integration_tests/programs`, see `run_python`."""
    return run_python(PROGRAMS / f"{name}.py", *arguments, **options)


def start_program(name, *arguments, backend=None):
    """Starts a program of `integration_tests/programs` and does not wait.

    Returns:
        A `subprocess.Popen`, from whose `stdout` text can be read.
    """
    return subprocess.Popen(
        command(PROGRAMS / f"{name}.py", *arguments),
        env=environment(backend),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )


def run_tests(*arguments, backend, **options):
    """Runs pytest with some arguments on a backend, see `run_python`."""
    quiet = ("-q", "-p", "no:cacheprovider", "-p", "no:xdist")
    return run_python(
        "-m", "pytest", *quiet, *arguments, backend=backend, **options
    )
