import io
import os
from pathlib import Path

import keras

from keras_multires.files import replace_whole
from keras_multires.files import write_whole


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
            buffer = _Weights()
            super().save_weights(buffer)
            with write_whole(Path(filepath)) as file:
                file.write(buffer.getbuffer())
        else:
            super().save_weights(filepath, overwrite, max_shard_size)


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
    return (
        isinstance(filepath, (str, os.PathLike))
        and str(filepath).endswith(suffix)
        and "://" not in str(filepath)
        and (overwrite or not Path(filepath).exists())
    )
