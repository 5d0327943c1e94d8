"""Files of models that are whole or not there, and portable between backends.

The functions take any Keras model, also one that only contains layers of this
library. The models of this library call them from their own methods.
"""

import contextlib
import io
import os
from pathlib import Path

import h5py
import keras
from keras import ops

from keras_multires import backend
from keras_multires._files import replace_whole
from keras_multires._files import write_whole
from keras_multires._validation import require

__all__ = ["load_weights", "save_model", "save_weights"]


def save_model(model, filepath, overwrite=True, zipped=None, **kwargs):
    """Saves a model as `keras.saving.save_model` does, and more safely.

    A `.keras` file is there whole or not at all: an earlier file stays as it
    was until the new one is complete. A model that was compiled on one backend
    trains on any backend that loads it.

    Args:
        model: A `keras.Model`.
        filepath: As in `keras.saving.save_model`.
        overwrite: As in `keras.saving.save_model`.
        zipped: As in `keras.saving.save_model`.
        **kwargs: As in `keras.saving.save_model`.

    Raises:
        OSError: if the file cannot be written.
        ValueError: as `keras.saving.save_model`.
    """
    with _portable_compile_config(model):
        if not _replaces(filepath, ".keras", overwrite):
            keras.saving.save_model(
                model, filepath, overwrite, zipped, **kwargs
            )
            return
        with replace_whole(Path(filepath)) as temporary:
            keras.saving.save_model(model, temporary, zipped=zipped, **kwargs)


def save_weights(model, filepath, overwrite=True, max_shard_size=None):
    """Saves weights as `keras.Model.save_weights` does, and more safely.

    A single `.weights.h5` file is there whole or not at all.

    Args:
        model: A `keras.Model`.
        filepath: As in `keras.Model.save_weights`.
        overwrite: As in `keras.Model.save_weights`.
        max_shard_size: As in `keras.Model.save_weights`.

    Raises:
        OSError: if the file cannot be written.
        ValueError: as `keras.Model.save_weights`.
    """
    is_single = max_shard_size is None
    if is_single and _replaces(filepath, ".weights.h5", overwrite):
        content = _weights_content(model)
        with write_whole(Path(filepath)) as file:
            file.write(content.getbuffer())
    else:
        keras.Model.save_weights(model, filepath, overwrite, max_shard_size)


def load_weights(model, filepath, skip_mismatch=False, **kwargs):
    """Loads weights as `keras.Model.load_weights` does; or changes nothing.

    By itself, Keras assigns layer by layer until one does not fit, and ignores
    layers that only the file has. This function keeps a copy of the old weights
    and of the optimizer's variables until the new ones are there.

    Args:
        model: A `keras.Model`.
        filepath: As in `keras.Model.load_weights`.
        skip_mismatch: As in `keras.Model.load_weights`.
        **kwargs: As in `keras.Model.load_weights`.

    Raises:
        ValueError: if the weights are those of another architecture. The
            message lists the shapes that differ.
        OSError: if the file cannot be read.
    """
    is_whole = not skip_mismatch and not kwargs and model.built
    if is_whole and _is_local(filepath, ".weights.h5"):
        _check_weights_file(model, filepath)
    variables = list(model.variables)
    if getattr(model, "optimizer", None) is not None:
        variables += model.optimizer.variables
    before = [ops.copy(variable.value) for variable in variables]
    try:
        keras.Model.load_weights(model, filepath, skip_mismatch, **kwargs)
    except BaseException:
        for variable, value in zip(variables, before, strict=True):
            variable.assign(value)
        raise


def portable_compile_config(config):
    """The settings of `compile`, so that any backend can use them.

    Args:
        config: What `keras.Model.get_compile_config` returned, or None.

    Returns:
        The same settings. Keras stores what "auto" resolved to, and another
        backend would take it for the user's choice: PyTorch compiles nothing
        unless it is asked to.
    """
    if config is None:
        return None
    if config.get("jit_compile") is backend.COMPILES_BY_DEFAULT:
        config = {**config, "jit_compile": "auto"}
    return backend.for_any_backend(config)


@contextlib.contextmanager
def _portable_compile_config(model):
    get_compile_config = model.get_compile_config
    # Keras reads the settings from the model that it saves.
    model.get_compile_config = lambda: portable_compile_config(
        get_compile_config()
    )
    try:
        yield
    finally:
        del model.get_compile_config


def _check_weights_file(model, filepath):
    received = _weight_shapes(filepath)
    expected = _weight_shapes(_weights_content(model))
    differences = [
        f"{name}: {received.get(name, 'none')} in the file, "
        f"{expected.get(name, 'none')} in the model"
        for name in sorted(received.keys() | expected.keys())
        if received.get(name) != expected.get(name)
    ]
    shown, more = differences[:4], len(differences) - 4
    shown += [f"and {more} more"] if more > 0 else []
    expected = (
        "The weights in `filepath` do not fit the model. Their shapes are "
    )
    expected += f"{'; '.join(shown)}."
    require(not differences, expected, filepath=str(filepath))


def _weights_content(model):
    """The content of a file of weights, as a buffer."""
    buffer = _WeightsBuffer()
    keras.Model.save_weights(model, buffer)
    return buffer


class _WeightsBuffer(io.BytesIO):
    """A buffer that Keras takes for a file of weights.

    HDF5 crashes the process if the disk that it writes to is full.
    """

    def __str__(self):
        return "model.weights.h5"


def _weight_shapes(file):
    """Names and shapes of the weights in a file, without the optimizer's."""
    shapes = {}

    def visit(name, item):
        if isinstance(item, h5py.Dataset) and not name.startswith("optimizer/"):
            shapes[name] = item.shape

    with h5py.File(file) as content:
        content.visititems(visit)
    return shapes


def _replaces(filepath, suffix, overwrite):
    """Whether a local file is written without asking the user."""
    return _is_local(filepath, suffix) and (
        overwrite or not Path(filepath).exists()
    )


def _is_local(filepath, suffix):
    return (
        isinstance(filepath, (str, os.PathLike))
        and str(filepath).endswith(suffix)
        and "://" not in str(filepath)
    )
