"""Checkpoints of the PyTorch code that the paper's authors published.

A checkpoint is a dict of tensors by names, or a training's dictionary that
holds one. Tensors differ from the weights here in layout alone.
"""

import io
from collections.abc import Callable
from typing import NamedTuple

import keras
import numpy as np
from keras import ops

from keras_multires._files import write_whole
from keras_multires._precision import at_least_float32
from keras_multires._validation import check_path
from keras_multires.models import MultiresClassifier
from keras_multires.models import MultiresDensityModel


class _Layout(NamedTuple):
    """How one published array holds the arrays of variables, and back."""

    join: Callable  # (*arrays) -> published array
    split: Callable  # published array -> (*arrays,)


_SAME = _Layout(lambda weight: weight, lambda published: (published,))
_LINEAR = _Layout(lambda kernel: kernel.T, lambda published: (published.T,))
_CONVOLUTION = _Layout(
    lambda kernel: kernel.T[..., None],
    lambda published: (published[..., 0].T,),
)
# In the order of a correlation, which is lag order reversed.
_FILTER = _Layout(
    lambda taps: taps[::-1].T[:, None],
    lambda published: (published[:, 0].T[::-1],),
)
_READOUT = _Layout(
    lambda memory, skip: np.vstack([memory, skip]).T,
    lambda published: (published.T[:-1], published.T[-1]),
)
# PyTorch counts the batches of a batch normalisation, Keras does not.
_COUNT = _Layout(lambda: np.int64(0), lambda published: ())


class _Entry(NamedTuple):
    """A tensor of a checkpoint, and the variables that it holds."""

    name: str
    layout: _Layout
    variables: tuple

    def published_array(self):
        arrays = (
            # NumPy knows no bfloat16. Of float64 nothing is to be lost.
            ops.convert_to_numpy(ops.cast(v, at_least_float32(v.dtype)))
            for v in self.variables
        )
        return self.layout.join(*arrays)


def load_pytorch_checkpoint(model, path):
    """Sets the weights of a model to those of a published checkpoint.

    The file may hold the weights alone, or as the entry `"model"` or
    `"state_dict"` of a dictionary, whose other entries are ignored. Their names
    may start with the `module.` of data-parallel training. Weights of any
    floating dtype are cast to that of the model's.

    No code of the file is run. PyTorch is needed here, whatever the backend.

    Args:
        model: A built `MultiresClassifier` or `MultiresDensityModel`, with the
            arguments of the published model.
        path: Path of the file, as `torch.save` wrote it.

    Raises:
        ImportError: if PyTorch is not installed, or is older than 2.6.
        OSError: if the file cannot be opened; `FileNotFoundError` if there is
            none.
        ValueError: if `path` is no path, `model` is no such model or not
            built, the file is damaged or holds other objects than tensors, or
            the names or shapes of its tensors are not those of the model. The
            model is left as it was.

    Example:

    >>> model = keras_multires.models.MultiresClassifier.from_preset_config(
    ...     "scifar"
    ... )
    >>> keras_multires.checkpoints.load_pytorch_checkpoint(model, "scifar.pth")

    Reference:

    - [Shi, Wang and Fox, 2023](https://arxiv.org/abs/2305.01638)
    """
    entries = _entries(model)
    path = check_path("path", path)
    torch = _import_torch()
    state = _read_state(torch, path)
    _check_state(torch, entries, state, path)
    assignments = []
    for entry in entries:
        if entry.variables:
            # In float64, which holds the values of every other dtype.
            published = state[entry.name].detach().double().numpy()
            arrays = entry.layout.split(published)
            assignments += zip(entry.variables, arrays, strict=True)
    for variable, array in assignments:
        variable.assign(array)


def save_pytorch_checkpoint(model, path):
    """Writes the weights of a model as the published code does.

    The file holds the weights alone, under the published names and in the
    published shapes, in float32, or in float64 where the model's are. It is
    there whole or not at all: an earlier file stays as it was after an error.

    PyTorch is needed here, whatever the backend.

    Args:
        model: A built `MultiresClassifier` or `MultiresDensityModel`.
        path: Path of the file. An earlier one is replaced.

    Raises:
        ImportError: if PyTorch is not installed, or is older than 2.6.
        OSError: if the file cannot be written.
        ValueError: if `path` is no path, or `model` is no such model or not
            built.

    Example:

    >>> model = keras_multires.models.MultiresClassifier(
    ...     num_classes=10, length=64, input_channels=1
    ... )
    >>> keras_multires.checkpoints.save_pytorch_checkpoint(model, "model.pth")

    Reference:

    - [Shi, Wang and Fox, 2023](https://arxiv.org/abs/2305.01638)
    """
    entries = _entries(model)
    path = check_path("path", path)
    torch = _import_torch()
    state = {
        # A copy: PyTorch takes no array with a negative stride.
        entry.name: torch.from_numpy(
            np.array(entry.published_array(), order="C")
        )
        for entry in entries
    }
    # Not `torch.save` to the file itself: of a full disk it makes a
    # `RuntimeError` of its own that does not tell so.
    content = io.BytesIO()
    torch.save(state, content)
    with write_whole(path) as file:
        file.write(content.getbuffer())


def _import_torch():
    try:
        import torch
    except ImportError as error:
        raise ImportError(
            "Checkpoints of PyTorch are read and written by PyTorch, which may "
            "stand beside another backend: pip install torch"
        ) from error
    if torch.__version__ < (2, 6):
        raise ImportError(
            "Checkpoints of PyTorch are read by PyTorch 2.6 or later, since a "
            "file can make earlier ones run code (CVE-2025-32434): pip install "
            f"--upgrade torch. Received: torch {torch.__version__}"
        )
    return torch


def _entries(model):
    """The entries of a model's checkpoint, in the published order."""
    kinds = (MultiresClassifier, MultiresDensityModel)
    if not isinstance(model, kinds) or not model.built:
        raise ValueError(
            "`model` must be a `MultiresClassifier` or `MultiresDensityModel` "
            "that is built: call it on inputs, or its `build` with their "
            f"shape, first. Received: model={model!r}"
        )
    backbone = model.backbone
    blocks = list(enumerate(backbone.blocks))
    entries = []

    def add(name, layout, *variables):
        for variable in variables:
            # With LoRA, a kernel is no variable but a sum.
            if not (
                isinstance(variable, keras.Variable)
                and keras.backend.is_float_dtype(variable.dtype)
            ):
                raise ValueError(
                    "`model` must have weights of a floating dtype, neither "
                    f"quantised nor with LoRA. Received: for {name} a "
                    f"{type(variable).__name__} of dtype {variable.dtype}"
                )
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


class _Ignored:
    """Stands for a NumPy value in the file, and for what makes it.

    Of such are the scores in a training's dictionary, say. They are not needed,
    and so NumPy need not be trusted with them.
    """

    def __init__(self, *arguments):
        pass

    def __setstate__(self, state):
        pass


_IGNORED = [
    (_Ignored, f"numpy{name}")
    for name in (
        ".dtype",
        ".ndarray",
        # The module was renamed in NumPy 2.
        ".core.multiarray.scalar",
        "._core.multiarray.scalar",
        ".core.multiarray._reconstruct",
        "._core.multiarray._reconstruct",
    )
]


def _read_state(torch, path):
    """The objects of a checkpoint by names without `module.`."""
    # Not in the `try`: a file that may not be read is no damaged file.
    with open(path, "rb") as file:
        try:
            with torch.serialization.safe_globals(_IGNORED):
                state = torch.load(file, map_location="cpu", weights_only=True)
        # A damaged file raises errors of half a dozen modules.
        except Exception as error:
            raise ValueError(
                "The file is no checkpoint of PyTorch, is damaged, or holds "
                "objects other than tensors, numbers and strings, which are "
                f"not read since they may run code: {path}. Get it again; or, "
                "where it comes from someone you trust, write with PyTorch its "
                "state dict alone to another file."
            ) from error
    for name in ("model", "state_dict"):
        if isinstance(state, dict) and isinstance(state.get(name), dict):
            state = state[name]
    if not isinstance(state, dict):
        raise ValueError(
            f"The file holds no dict of tensors: {path}. Write it with "
            "`torch.save(model.state_dict(), path)`. Received: an object of "
            f"type {type(state).__name__}"
        )
    names = list(map(str, state))
    if all(name.startswith("module.") for name in names):
        names = [name.removeprefix("module.") for name in names]
    return dict(zip(names, state.values(), strict=True))


def _check_state(torch, entries, state, path):
    """Raises a `ValueError` unless names, shapes and dtypes are the model's."""
    expected = {entry.name: entry.published_array().shape for entry in entries}
    optional = {entry.name for entry in entries if not entry.variables}
    faults = [
        f"missing: {name}, expected {shape}"
        for name, shape in expected.items()
        if name not in state and name not in optional
    ]
    for name, value in state.items():
        received = f"received {type(value).__name__}"
        if isinstance(value, torch.Tensor):
            received = f"received {tuple(value.shape)}"
        if name not in expected:
            faults.append(f"unexpected: {name}, {received}")
        elif name in optional:
            pass
        elif not isinstance(value, torch.Tensor):
            faults.append(f"not a tensor: {name}, {received}")
        elif tuple(value.shape) != expected[name]:
            faults.append(
                f"of another shape: {name}, expected {expected[name]}, "
                f"{received}"
            )
        elif (
            not value.is_floating_point()
            or value.layout != torch.strided
            or value.is_meta
        ):
            faults.append(
                f"not a dense tensor of floats: {name}, received "
                f"{value.dtype}, {value.layout}, on {value.device}"
            )
    if faults:
        raise ValueError(
            "The checkpoint does not fit `model`, whose arguments must be "
            "those of the model that it was saved from. Received: "
            f"path={str(path)!r}, with\n  " + "\n  ".join(faults)
        )
