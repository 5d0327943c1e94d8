"""Chooses the backend of Keras, which Keras reads once, when it is imported.

This is the backend that the environment variable `KERAS_BACKEND` names, or else
the first one that is installed. Keras's configuration file does not count:
Keras writes it itself, whatever is installed.
"""

import importlib.util
import os
import sys

BACKENDS = ("jax", "tensorflow", "torch")


def choose_backend():
    """The name of the backend. Ends the program if it is not installed."""
    if "keras" in sys.modules:  # too late to choose, as in a notebook
        return sys.modules["keras"].backend.backend()
    name = os.environ.get("KERAS_BACKEND")
    if name:
        if name not in BACKENDS:
            _stop(
                f"KERAS_BACKEND must be one of {', '.join(map(repr, BACKENDS))}"
                f". Received: {name!r}"
            )
        if not _is_installed(name):
            _stop(
                f"KERAS_BACKEND: {name} is not installed. Install it: pip "
                f"install {name}"
            )
        return name
    installed = list(filter(_is_installed, BACKENDS))
    if not installed:
        _stop(
            f"No backend is installed. Install one of {', '.join(BACKENDS)}, "
            "such as: pip install jax"
        )
    name = installed[0]
    print(f"Backend: {name}. Set KERAS_BACKEND to choose another.", flush=True)
    # Keras and the processes that a run starts read it.
    os.environ["KERAS_BACKEND"] = name
    return name


def _is_installed(name):
    return importlib.util.find_spec(name) is not None


def _stop(message):
    print(f"Error: {message}", file=sys.stderr)
    sys.exit(2)  # as for any other wrong use of the command line


BACKEND = choose_backend()
