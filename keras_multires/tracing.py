"""What a layer can know of the program that calls it."""

import sys

import keras

# Packages whose code runs below a layer while it is exported. Keras's own
# `Model.export` and `ExportArchive` live in the first.
EXPORTERS = ("keras.src.export.", "jax2onnx.", "tf2onnx.")


def is_exporting():
    """Whether the call at hand is traced for a file that runs without Keras.

    PyTorch says so itself. TensorFlow and JAX trace for an export as they do
    for training; but the exporter is among the callers then.

    Returns:
        A boolean.
    """
    if keras.backend.backend() == "torch":
        import torch

        return torch.onnx.is_in_onnx_export() or _is_torch_export()
    frame = sys._getframe()
    while frame is not None:
        if frame.f_globals.get("__name__", "").startswith(EXPORTERS):
            return True
        frame = frame.f_back
    return False


def _is_torch_export():
    import torch

    if hasattr(torch.compiler, "is_exporting"):
        return torch.compiler.is_exporting()
    # Before PyTorch 2.7. Keras exports without Dynamo, which compiles.
    compiler = torch.compiler
    return compiler.is_compiling() and not compiler.is_dynamo_compiling()
