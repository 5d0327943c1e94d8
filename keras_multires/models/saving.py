import io
import os
from pathlib import Path

import h5py
import keras
from keras import ops

from keras_multires._files import replace_whole
from keras_multires._files import write_whole


class Saves:
    """Mix-in for models: their files are whole, and go on on any backend."""

    def get_compile_config(self):
        config = super().get_compile_config()
        if config is None:
            return None
        # Keras stores what "auto" came to, and another backend would take it
        # for the user's wish: PyTorch compiles nothing unless asked to.
        default = keras.backend.backend() != "torch"
        if config.get("jit_compile") is default:
            config["jit_compile"] = "auto"
        return _for_any_backend(config)

    def save(self, filepath, overwrite=True, zipped=None, **kwargs):
        """As `keras.Model.save`; a `.keras` file is there whole or not."""
        if _replaces(filepath, ".keras", overwrite):
            with replace_whole(Path(filepath)) as temporary:
                super().save(temporary, zipped=zipped, **kwargs)
        else:
            super().save(filepath, overwrite, zipped, **kwargs)

    def save_weights(self, filepath, overwrite=True, max_shard_size=None):
        """As `keras.Model.save_weights`; one file is there whole or not."""
        if max_shard_size is None and _replaces(
            filepath, ".weights.h5", overwrite
        ):
            content = self._weights_content()
            with write_whole(Path(filepath)) as file:
                file.write(content.getbuffer())
        else:
            super().save_weights(filepath, overwrite, max_shard_size)

    def load_weights(self, filepath, skip_mismatch=False, **kwargs):
        """As `keras.Model.load_weights`; an error leaves the model as it was.

        By itself, Keras assigns layer by layer until one does not fit, and
        passes over layers that only the file has. Until the new weights are
        there, a copy of the old ones and of the optimizer's is kept.
        """
        if not skip_mismatch and not kwargs and self.built:
            self._check_weights_file(filepath)
        variables = list(self.variables)
        if getattr(self, "optimizer", None) is not None:
            variables += self.optimizer.variables
        before = [ops.copy(variable.value) for variable in variables]
        try:
            super().load_weights(filepath, skip_mismatch, **kwargs)
        except BaseException:
            for variable, value in zip(variables, before, strict=True):
                variable.assign(value)
            raise

    def _check_weights_file(self, filepath):
        """Raises a `ValueError` for the weights of another architecture."""
        if not _is_local(filepath, ".weights.h5"):
            return
        received = _weight_shapes(filepath)
        expected = _weight_shapes(self._weights_content())
        differences = [
            f"{name}: {received.get(name, 'none')} in the file, "
            f"{expected.get(name, 'none')} in the model"
            for name in sorted(received.keys() | expected.keys())
            if received.get(name) != expected.get(name)
        ]
        if differences:
            more = len(differences) - len(differences[:4])
            raise ValueError(
                "The weights in `filepath` do not fit the model. Their shapes "
                f"are {'; '.join(differences[:4])}"
                f"{f'; and {more} more' if more else ''}. "
                f"Received: filepath={str(filepath)!r}"
            )

    def _weights_content(self):
        """What is in a file of weights, as a buffer."""
        buffer = _Weights()
        super().save_weights(buffer)
        return buffer


def _weight_shapes(file):
    """Names and shapes of the weights in a file, without the optimizer's."""
    shapes = {}

    def visit(name, item):
        if isinstance(item, h5py.Dataset) and not name.startswith("optimizer/"):
            shapes[name] = item.shape

    with h5py.File(file) as content:
        content.visititems(visit)
    return shapes


def _for_any_backend(config):
    """A serialized configuration without the classes of one backend.

    On PyTorch, Keras stores its optimizers as such, and would train by PyTorch
    where another backend loads them.
    """
    if isinstance(config, dict):
        config = {k: _for_any_backend(v) for k, v in config.items()}
        if str(config.get("module")).startswith("keras.src.backend."):
            config["module"] = "keras.optimizers"
    return config


class _Weights(io.BytesIO):
    """A buffer that Keras takes for a file of weights.

    HDF5 crashes the process where the disk it writes to is full.
    """

    def __str__(self):
        return "model.weights.h5"


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
