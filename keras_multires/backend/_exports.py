"""The formats of `keras.Model.export`, and what each backend needs for them."""

import sys

# Packages whose code runs below a layer while it is exported. Keras's own
# `Model.export` and `ExportArchive` live in the first.
EXPORTERS = ("keras.src.export.", "jax2onnx.", "tf2onnx.")

# By backend and format: the modules that the converters need, and the dtypes
# that the runtimes cannot compute in or the converters cannot write.
FORMATS = {
    "jax": {
        "tf_saved_model": (("tensorflow",), ()),
        "onnx": (("jax2onnx",), ("bfloat16",)),
    },
    "tensorflow": {
        "tf_saved_model": ((), ()),
        "onnx": (("onnx", "tf2onnx"), ("bfloat16",)),
        "litert": ((), ("bfloat16", "float16")),
    },
    "torch": {
        "onnx": (("onnx", "onnxscript"), ("bfloat16",)),
        "litert": (("litert_torch",), ("bfloat16",)),
        "torch": ((), ()),
    },
}


def backends_that_export(format):
    """Names of the backends that write a format, TensorFlow's first."""
    names = ("tensorflow", "jax", "torch")
    return [name for name in names if format in FORMATS[name]]


def is_called_by_exporter():
    """Whether an exporter is among the callers.

    JAX and TensorFlow trace for an export as they do for training. Only the
    callers tell the two apart.
    """
    frame = sys._getframe()
    while frame is not None:
        if frame.f_globals.get("__name__", "").startswith(EXPORTERS):
            return True
        frame = frame.f_back
    return False
