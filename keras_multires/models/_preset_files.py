"""Models by the name of a published experiment, or from a directory.

A directory holds `config.json`, the configuration of the model as Keras
serializes it, and `model.weights.h5`.
"""

import json

import keras

from keras_multires._files import explain_errors
from keras_multires._files import write_whole
from keras_multires._validation import check_boolean
from keras_multires._validation import check_built
from keras_multires._validation import check_choice
from keras_multires._validation import check_path
from keras_multires._validation import require
from keras_multires.layers._composite import freeze

CONFIG = "config.json"
WEIGHTS = "model.weights.h5"

# Arguments that are a number of rows of `hidden_dim` weights.
_ROWS = (
    *("input_channels", "vocabulary_size", "num_classes", "num_mixtures"),
    *("kernel_size", "depth", "memory_size"),
)

_MUST_BE_SAVED = "`preset` must be a directory that `save_to_preset` wrote."


class HasPresets:
    """Mix-in for models: `from_preset`, `save_to_preset`, `presets`.

    `presets` is a dict from names to arguments of the constructor.
    """

    presets = {}  # noqa: RUF012

    @classmethod
    def from_preset(cls, preset, load_weights=True, **overrides):
        """A model of a published experiment, or one that was saved.

        Args:
            preset: One of the names in `presets`, or the path of a directory
                that `save_to_preset` wrote. A backbone can be read from the
                directory of a task.
            load_weights: Whether to load trained weights. It must be False for
                a name: there are no trained weights of these models yet.
            **overrides: Arguments of the constructor that replace the preset's.

        Returns:
            An instance of the class.

        Raises:
            FileNotFoundError: if the directory or one of its files is missing.
            ValueError: if the name is unknown and there is no such directory,
                there are no weights to load, or the directory holds another
                model or damaged files.
        """
        load_weights = check_boolean("load_weights", load_weights)
        if isinstance(preset, str) and preset in cls.presets:
            expected = f"`load_weights` must be False: the preset {preset!r} "
            expected += "has no trained weights yet."
            require(not load_weights, expected, load_weights=load_weights)
            return cls._from_named_preset(preset, overrides)
        directory = check_path("preset", preset)
        if not directory.is_dir():
            check_choice("preset", preset, (*cls.presets, "a directory"))
        config = _read_config(_existing(directory / CONFIG))
        if load_weights:
            weights = _existing(directory / WEIGHTS)
            _check_size(config, weights)
        model = _model_from(config, cls, overrides, directory)
        if load_weights:
            with explain_errors(
                lambda problem: (
                    f"{_MUST_BE_SAVED} Received: the file {weights}, which "
                    f"cannot be loaded: {problem}"
                )
            ):
                model.load_weights(weights)
        model = model if isinstance(model, cls) else model.backbone
        if overrides.get("trainable") is False:
            freeze(model)  # The preset has flags of its layers.
        return model

    @classmethod
    def _from_named_preset(cls, preset, overrides):
        return cls(**{**cls.presets[preset], **overrides})

    def save_to_preset(self, directory):
        """Writes the configuration and the weights for `from_preset`.

        Args:
            directory: Path of a directory, which is made if it is missing.
                Files of an earlier preset in it are replaced, each whole.

        Raises:
            OSError: if a file cannot be written.
            ValueError: if the model is not built, or `directory` is not a path.
        """
        check_built(self, "save_to_preset")
        directory = check_path("directory", directory)
        directory.mkdir(parents=True, exist_ok=True)
        self.save_weights(directory / WEIGHTS)
        config = keras.saving.serialize_keras_object(self)
        # The optimizer belongs to a training, and its state is not saved.
        config = {**config, "compile_config": None}
        with write_whole(directory / CONFIG) as file:
            file.write(json.dumps(config, indent=2).encode())


def _existing(path):
    """The path of a file, which must be there."""
    if not path.is_file():
        raise FileNotFoundError(f"No such file: {path}")
    return path


def _check_size(config, weights):
    """Accepts the configuration of a model whose weights a file can hold.

    Otherwise a few characters would make a model that fills the memory.
    """
    backbone = config["config"].get("backbone", config)
    arguments = {**config["config"]}
    if isinstance(backbone, dict) and isinstance(backbone.get("config"), dict):
        arguments |= backbone["config"]
    sizes = {
        name: size if isinstance(size := arguments.get(name), int) else 0
        for name in ("hidden_dim", "num_layers", *_ROWS)
    }
    rows = sizes["num_layers"] * sizes["hidden_dim"]  # of the mixing layers
    rows += max(sizes[name] for name in _ROWS)
    num_bytes = weights.stat().st_size
    # A quantised weight takes half a byte, and HDF5 some kilobytes a layer.
    is_likely = sizes["hidden_dim"] * rows <= 2 * num_bytes
    is_likely &= 1024 * sizes["num_layers"] <= num_bytes
    received = f"a model that is larger than the file {weights}"
    require(is_likely, _MUST_BE_SAVED, received)


def _read_config(path):
    try:
        config = json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        config = None
    is_config = isinstance(config, dict) and isinstance(
        config.get("config"), dict
    )
    require(is_config, _MUST_BE_SAVED, f"a damaged file {path}")
    return config


def _model_from(config, cls, overrides, directory):
    """The model of a configuration: a `cls`, or a task that has one."""
    arguments = config["config"]
    try:
        if "backbone" in arguments and cls.__name__ != config.get("class_name"):
            arguments = arguments["backbone"]["config"]
        arguments.update(overrides)
        model = keras.saving.deserialize_keras_object(config)
    except Exception as error:  # of many kinds, from the objects in it
        received = f"{directory}, whose configuration cannot be read: "
        received += str(error)[:1000]  # some quote all of it
        return require(False, _MUST_BE_SAVED, received)
    parts = (model, getattr(model, "backbone", None))
    is_right = any(isinstance(part, cls) for part in parts)
    expected = f"`preset` must be a directory with a `{cls.__name__}`."
    received = f"{directory}, with a `{type(model).__name__}`"
    require(is_right, expected, received)
    return model
