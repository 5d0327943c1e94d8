"""How JAX and TensorFlow tell that a call is traced for an export."""

import sys

# Packages whose code runs below a layer while it is exported. Keras's own
# `Model.export` and `ExportArchive` live in the first.
EXPORTERS = ("keras.src.export.", "jax2onnx.", "tf2onnx.")


def is_called_by_exporter():
    """Whether an exporter is among the callers.

    JAX and TensorFlow trace for an export as they do for training, so nothing
    else tells the two apart.
    """
    frame = sys._getframe()
    while frame is not None:
        if frame.f_globals.get("__name__", "").startswith(EXPORTERS):
            return True
        frame = frame.f_back
    return False
