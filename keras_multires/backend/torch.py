"""The functions of the backend contract for PyTorch."""

import keras
import numpy as np
import torch


def dtype_name(tensor):
    return str(tensor.dtype).removeprefix("torch.")


def has_values(tensor):
    if isinstance(tensor, np.ndarray):
        return True
    if isinstance(tensor, keras.KerasTensor) or torch.compiler.is_compiling():
        return False
    return tensor.device.type != "meta"


def is_exporting():
    return torch.onnx.is_in_onnx_export() or _is_torch_export()


def _is_torch_export():
    compiler = torch.compiler
    if hasattr(compiler, "is_exporting"):
        return compiler.is_exporting()
    # Before PyTorch 2.7. Keras exports without Dynamo, which compiles.
    return compiler.is_compiling() and not compiler.is_dynamo_compiling()
