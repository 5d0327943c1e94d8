"""Checkpoints of the PyTorch code that the paper's authors published.

A checkpoint is a dict of tensors by name, or the dictionary of a training that
contains one. Its tensors differ from the weights here only in their layout.
"""

import io
from collections.abc import Callable
from typing import NamedTuple

import keras
import numpy as np
from keras import ops

from keras_multires._files import explain_errors
from keras_multires._files import write_whole
from keras_multires._packages import import_package
from keras_multires._precision import at_least_float32
from keras_multires._pytorch_files import PyTorchFile
from keras_multires._pytorch_files import Tensor
from keras_multires._validation import check_layer
from keras_multires._validation import check_path
from keras_multires._validation import require
from keras_multires.models import MultiresClassifier
from keras_multires.models import MultiresDensityModel

__all__ = ["load_pytorch_checkpoint", "save_pytorch_checkpoint"]

_MUST_FIT = (
    "The checkpoint does not fit `model`, whose arguments must be those of the "
    "model that it was saved from."
)
_MAX_MISFITS = 50  # in a message
_MUST_BE_FLOAT = (
    "`model` must have weights of a floating dtype, neither quantised nor with "
    "LoRA."
)


class _Layout(NamedTuple):
    """How the arrays of some variables become one published array, and back."""

    join: Callable  # (*arrays) -> published array
    split: Callable  # published array -> (*arrays,)


_SAME = _Layout(lambda weight: weight, lambda published: (published,))
_LINEAR = _Layout(lambda kernel: kernel.T, lambda published: (published.T,))
_CONVOLUTION = _Layout(
    lambda kernel: kernel.T[..., None],
    lambda published: (published[..., 0].T,),
)
# Published in the order of a correlation, which is lag order reversed.
_FILTER = _Layout(
    lambda taps: taps[::-1].T[:, None],
    lambda published: (published[:, 0].T[::-1],),
)
_READOUT = _Layout(
    lambda memory, skip: np.vstack([memory, skip]).T,
    lambda published: (published.T[:-1], published.T[-1]),
)
# PyTorch counts the batches of a batch normalisation. Keras does not.
_COUNT = _Layout(lambda: np.int64(0), lambda published: ())


class _Entry(NamedTuple):
    """A tensor of a checkpoint, and the variables whose values it holds."""

    name: str
    layout: _Layout
    variables: tuple

    def published_array(self):
        arrays = (
            # NumPy does not have bfloat16. float64 keeps its precision.
            ops.convert_to_numpy(ops.cast(v, at_least_float32(v.dtype)))
            for v in self.variables
        )
        return self.layout.join(*arrays)


def load_pytorch_checkpoint(model, path):
    """Sets the weights of a model to those of a published checkpoint.

    The file holds the weights, or a dictionary with the weights in the entry
    `"model"`, `"state_dict"` or `"model_state_dict"`. Other entries are
    ignored. The names may start with the `module.` of data-parallel training
    and the `_orig_mod.` of `torch.compile`, in any order. Weights of any
    floating dtype are cast to the dtype of the model's weights.

    Code in the file is not run. PyTorch is not needed.

    Args:
        model: A built `MultiresClassifier` or `MultiresDensityModel`, with the
            arguments of the published model.
        path: Path of the file, as `torch.save` wrote it.

    Raises:
        OSError: if the file cannot be opened. It is a `FileNotFoundError` if
            the file does not exist.
        ValueError: if `path` is not a path, `model` is not one of these models
            or is not built, the file is damaged or holds objects other than
            tensors, or the names or shapes of the tensors are not those of the
            model. The model does not change.

    Example:

    >>> model = keras_multires.models.MultiresClassifier.from_preset(
    ...     "scifar", load_weights=False
    ... )
    >>> keras_multires.checkpoints.load_pytorch_checkpoint(model, "scifar.pth")

    Reference:

    - [Shi, Wang and Fox, 2023](https://arxiv.org/abs/2305.01638)
    """
    entries = _entries(model)
    path = check_path("path", path)
    with open(path, "rb") as file:
        with _explained(path):
            content = PyTorchFile(file)
            state = _state_of(content)
        expected = f"The file holds no dict of tensors: {path}. Write it with "
        expected += "`torch.save(model.state_dict(), path)`."
        received = f"an object of type {state}"
        require(isinstance(state, dict), expected, received)
        misfits = list(_misfits(entries, state))
        more = len(misfits) - _MAX_MISFITS
        listed = [misfit[:200] for misfit in misfits[:_MAX_MISFITS]]
        listed += [f"and {more} more"] if more > 0 else []
        received = "\n  ".join([f"path={str(path)!r}, with", *listed])
        require(not misfits, _MUST_FIT, received)
        assignments = []
        for entry in entries:
            if entry.variables:
                with _explained(path):
                    # float64 holds the values of every other dtype.
                    published = state[entry.name].read().astype("float64")
                arrays = entry.layout.split(published)
                assignments += zip(entry.variables, arrays, strict=True)
    for variable, array in assignments:
        variable.assign(array)


def save_pytorch_checkpoint(model, path):
    """Writes the weights of a model as the published code does.

    The file holds only the weights, with the published names and shapes, in
    float32, or in float64 if the model has float64 weights. It is written
    completely or not at all: after an error, an earlier file is unchanged.

    PyTorch is needed on every backend.

    Args:
        model: A built `MultiresClassifier` or `MultiresDensityModel`.
        path: Path of the file. An earlier one is replaced.

    Raises:
        ImportError: if PyTorch is not installed.
        OSError: if the file cannot be written.
        ValueError: if `path` is not a path, or if `model` is not one of these
            models or is not built.

    Example:

    >>> backbone = keras_multires.models.MultiresNet(
    ...     hidden_dim=64, num_layers=2, length=64, input_channels=1
    ... )
    >>> model = keras_multires.models.MultiresClassifier(backbone, 10)
    >>> keras_multires.checkpoints.save_pytorch_checkpoint(model, "model.pth")

    Reference:

    - [Shi, Wang and Fox, 2023](https://arxiv.org/abs/2305.01638)
    """
    entries = _entries(model)
    path = check_path("path", path)
    torch = import_package(
        "torch", "Checkpoints of PyTorch are written by PyTorch"
    )
    state = {
        # A copy, since PyTorch does not accept negative strides.
        entry.name: torch.from_numpy(
            np.array(entry.published_array(), order="C")
        )
        for entry in entries
    }
    # `torch.save` does not write the file itself: on a full disk it would raise
    # a `RuntimeError` that does not say so.
    content = io.BytesIO()
    torch.save(state, content)
    with write_whole(path) as file:
        file.write(content.getbuffer())


def _entries(model):
    """The entries of a model's checkpoint, in the published order."""
    check_layer(model, MultiresClassifier, MultiresDensityModel, name="model")
    backbone = model.backbone
    blocks = list(enumerate(backbone.blocks))
    entries = []

    def add(name, layout, *variables):
        for weight in variables:
            # With LoRA, a kernel is a sum and not a variable.
            is_variable = isinstance(weight, keras.Variable)
            is_float = keras.backend.is_float_dtype(weight.dtype)
            kind = type(weight).__name__
            received = f"for {name} a {kind} of dtype {weight.dtype}"
            require(is_variable and is_float, _MUST_BE_FLOAT, received)
        entries.append(_Entry(name, layout, variables))

    def add_dense(name, layout, dense):
        add(f"{name}.weight", layout, dense.kernel)
        add(f"{name}.bias", _SAME, dense.bias)

    if backbone.vocabulary_size is None:
        add_dense("encoder", _CONVOLUTION, backbone.encoder)
    else:
        add("encoder.weight", _SAME, backbone.encoder.embeddings)
    for index, block in blocks:
        layer, name = block.multires_layer, f"seq_layers.{index}"
        add(f"{name}.h0", _FILTER, layer.scaling_filter)
        add(f"{name}.h1", _FILTER, layer.wavelet_filter)
        add(f"{name}.w", _READOUT, layer.memory_weights, layer.skip_weights)
    for index, block in blocks:
        name = f"mixing_layers.{index}"
        add_dense(f"{name}.0", _CONVOLUTION, block.mixing)
        if block.output_projection:
            add_dense(f"{name}.3", _CONVOLUTION, block.projection)
    for index, block in blocks:
        norm, name = block.norm, f"norms.{index}"
        add(f"{name}.weight", _SAME, norm.gamma)
        add(f"{name}.bias", _SAME, norm.beta)
        if block.normalization == "batch":
            add(f"{name}.running_mean", _SAME, norm.moving_mean)
            add(f"{name}.running_var", _SAME, norm.moving_variance)
            add(f"{name}.num_batches_tracked", _COUNT)
    if isinstance(model, MultiresClassifier):
        add_dense("output_mapping", _LINEAR, model.head)
    else:
        add_dense("decoder", _CONVOLUTION, model.head)
    return entries


def _explained(path):
    """Context that turns errors about a damaged file into one."""
    return explain_errors(
        lambda _: (
            "The file is no checkpoint of PyTorch, is damaged, or holds "
            "objects other than tensors, numbers and strings, which are "
            f"not read since they may run code: {path}. Get it again; or, "
            "where it comes from someone you trust, write with PyTorch its "
            "state dict alone to another file."
        )
    )


def _state_of(file):
    """What a checkpoint holds, by names without prefixes.

    Args:
        file: `PyTorchFile`.

    Returns:
        A dict from names to what `PyTorchFile.tensor` returns, or a string that
        says what there is instead of a dict.
    """
    state = file.content
    for name in ("model", "state_dict", "model_state_dict"):
        if isinstance(state, dict) and isinstance(state.get(name), dict):
            state = state[name]
    if not isinstance(state, dict):
        found = file.tensor(state)
        return "Tensor" if isinstance(found, Tensor) else found
    names = list(state)
    # Twice, for either may enclose the other.
    for prefix in ("module.", "_orig_mod.") * 2:
        if all(name.startswith(prefix) for name in names):
            names = [name.removeprefix(prefix) for name in names]
    tensors = map(file.tensor, state.values())
    return dict(zip(names, tensors, strict=True))


def _misfits(entries, state):
    """Yields what is wrong with names, shapes and dtypes of a checkpoint."""
    shapes = {entry.name: entry.published_array().shape for entry in entries}
    # Counts of batches are not needed, so they may be missing or anything.
    unused = {entry.name for entry in entries if not entry.variables}
    for name in {**shapes, **state}:
        if name in unused:
            continue
        shape, value = shapes.get(name), state.get(name)
        found = value.shape if isinstance(value, Tensor) else value
        if name not in state:
            yield f"missing: {name}, expected {shape}"
        elif name not in shapes:
            yield f"unexpected: {name}, received {found}"
        elif isinstance(value, Tensor):
            if found != shape:
                problem = f"expected {shape}, received {found}"
                yield f"of another shape: {name}, {problem}"
            elif not value.is_float:
                problem = f"received torch.{value.dtype}"
                yield f"not a dense tensor of floats: {name}, {problem}"
        elif value.startswith("torch."):
            yield f"not a dense tensor of floats: {name}, received {value}"
        else:
            yield f"not a tensor: {name}, received {value}"
