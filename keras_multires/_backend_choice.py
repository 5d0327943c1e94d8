"""Chooses the installed backend if Keras would ask for a missing one.

Keras takes its backend from the environment variable `KERAS_BACKEND` or from
`keras.json`, and otherwise TensorFlow, installed or not. It does so once, when
it is first imported. If nothing was chosen and TensorFlow is missing, importing
this library before Keras takes JAX or PyTorch.
"""

import importlib.util
import json
import os
import sys
from pathlib import Path


def _configured():
    """The backend that Keras would take, and whether a user chose it."""
    if "KERAS_BACKEND" in os.environ:
        return os.environ["KERAS_BACKEND"]
    home = Path(os.environ.get("KERAS_HOME", Path.home() / ".keras"))
    try:
        # Keras writes this file by itself when it is first imported.
        return json.loads((home / "keras.json").read_text())["backend"]
    except (OSError, ValueError, KeyError, TypeError):
        return "tensorflow"


def _is_installed(backend):
    return importlib.util.find_spec(backend) is not None


def choose():
    """Sets `KERAS_BACKEND` if the configured backend is not installed.

    A backend in `KERAS_BACKEND` is the user's choice and stays.
    """
    if "keras" in sys.modules or "KERAS_BACKEND" in os.environ:
        return
    configured = _configured()
    if configured in ("tensorflow", "jax", "torch"):
        for backend in (configured, "tensorflow", "jax", "torch"):
            if _is_installed(backend):
                if backend != configured:
                    os.environ["KERAS_BACKEND"] = backend
                return


choose()
