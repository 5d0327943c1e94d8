"""Every public function with random arguments, right and wrong.

A call must work, or raise a `ValueError` or a `TypeError` that names an
argument that was drawn. Wrong arguments must raise it before anything is
written or asked of the network. More cases than the tests draw:

    KERAS_BACKEND=jax python -m keras_multires.fuzz_test --cases 20000
"""

import argparse
import collections
import contextlib
import functools
import inspect
import json
import math
import numbers
import random
import re
import tempfile
import time
import traceback
import urllib.request
from collections.abc import Callable
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import keras
import numpy as np
import pytest
from matplotlib import pyplot as plt

import keras_multires
from keras_multires import backend
from keras_multires import checkpoints
from keras_multires import datasets
from keras_multires import distributions
from keras_multires import export
from keras_multires import initializers
from keras_multires import layers
from keras_multires import losses
from keras_multires import metrics
from keras_multires import models
from keras_multires import ops
from keras_multires import visualization
from keras_multires.datasets import _download as download

CASES = 2000
LARGEST = 2**31 - 1


def user_function(*args, **kwargs):
    """Stands for a function of the user's."""


# Values that are wrong for most arguments.
POOL = (
    *(None, True, False, np.bool_(True)),
    *(-1, 0, 1, 2, 2**31, 2**63, 10**30),
    *(np.int64(2), np.int8(-1), np.uint8(1)),
    *(0.5, 2.0, -0.5, 1e308, math.nan, math.inf, -math.inf, 3j),
    *(np.float32(0.5), np.float64(math.nan)),
    *("", "nonsense", "\0", b"bytes", Path("nonsense")),
    *((), [], {}, [None], {1}, [[1], [1, 2]], range(3), object()),
    *(np.zeros(0), np.zeros((2, 3)), np.ones(2, "complex64")),
    *(np.array(["a"]), np.array([None]), np.float64([[math.inf]])),
    *(user_function, keras.initializers.Ones(), keras.layers.Layer),
)


NOT_DRAWN = object()


class Kind(NamedTuple):
    """What one argument takes."""

    good: tuple
    # Of a value of the pool: True for a right one, False for a wrong one, None
    # for one that only the call can tell, or NOT_DRAWN.
    takes: Callable = lambda value: False
    # Wrong values of its own.
    wrong: tuple = ()


class Lazy(NamedTuple):
    """A value that is made when it is drawn."""

    make: Callable


class Entry(NamedTuple):
    """A function to call."""

    get: Callable  # () -> the function
    kinds: dict
    always: Mapping = MappingProxyType({})
    check: Callable | None = None  # of the result
    # Errors that right arguments may meet.
    errors: tuple = ()
    # Whether to draw few right calls, which take long.
    costly: bool = False


def is_integer(value, minimum, maximum):
    return (
        isinstance(value, numbers.Integral)
        and not isinstance(value, bool)
        and minimum <= value <= maximum
    )


def is_real(value):
    return isinstance(value, numbers.Real) and not isinstance(value, bool)


def optional(kind):
    return Kind(
        (None, *kind.good),
        lambda value: True if value is None else kind.takes(value),
        kind.wrong,
    )


def integer(*good, minimum=1, maximum=LARGEST, wrong=()):
    return Kind(good, lambda v: is_integer(v, minimum, maximum), wrong)


def choice(*good):
    if isinstance(good[0], str):
        return Kind(good, lambda v: isinstance(v, str) and v in good)
    return Kind(good, lambda v: is_integer(v, 0, LARGEST) and v in good)


BOOLEAN = Kind((True, False), lambda v: isinstance(v, (bool, np.bool_)))
RATE = Kind((0.0, 0.1), lambda v: is_real(v) and 0 <= v < 1, (1.0, "0.1"))
POSITIVE = Kind(
    (0.7, 1, np.float32(2)), lambda v: is_real(v) and 0 < v < 1e38, (1e-300,)
)
SEED = optional(integer(0, 7, minimum=0, maximum=2**32 - 1))
STRING = Kind(("a", "[MAX 1 2 ]"), lambda v: isinstance(v, str))
VERBOSE = Kind(
    (0,),
    lambda v: isinstance(v, (bool, np.bool_)) or is_integer(v, 0, 1),
)
PATH = Kind(
    ("missing", Path("missing")),
    lambda v: v in ("nonsense", Path("nonsense")) if is_text(v) else False,
)
AXES = optional(Kind((Lazy(lambda: plt.figure().gca()),)))


def is_text(value):
    return isinstance(value, (str, Path))


def keras_object(*good):
    """An initializer, a regularizer, a constraint or an activation."""

    def takes(value):
        # Keras takes functions of any kind, and arrays as initializers. They
        # fail by themselves, once they are used.
        if callable(value) or isinstance(value, (np.generic, np.ndarray)):
            return NOT_DRAWN
        if isinstance(value, dict):
            return None
        return value is None

    return Kind((None, *good), takes)


def tensor(*good, wrong=()):
    """Whether numbers of another shape fit, only the call can tell."""

    def takes(value):
        try:
            return None if np.asarray(value).dtype.kind in "biuf" else False
        except ValueError:
            return False

    return Kind(good, takes, wrong)


def array(*shape, dtype="float32"):
    return np.linspace(-0.9, 0.9, math.prod(shape)).reshape(shape).astype(dtype)


def names(*good):
    return Kind(good, wrong=("ab", ["a", 1], [1, 2], ["a"] * 5))


FILTER = {
    "kernel_size": optional(integer(2, 3, minimum=2)),
    "depth": optional(integer(1, 3, 60, wrong=(64, 10**6))),
    "memory": choice("fading", "uniform"),
    "memory_size": optional(integer(2, 4)),
    "wavelet": Kind((None, "haar", "db2"), lambda v: v is None, ("cmor",)),
    "filter_initializer": keras_object("ones", keras.initializers.Ones()),
    "filter_regularizer": keras_object("l2"),
    "filter_constraint": keras_object("non_neg"),
}
WEIGHTS = {
    "memory_initializer": keras_object("zeros"),
    "memory_regularizer": keras_object("l1"),
    "memory_constraint": keras_object("unit_norm"),
    "skip_initializer": keras_object("zeros"),
    "skip_regularizer": keras_object("l2"),
    "skip_constraint": keras_object("non_neg"),
}
DENSE = {
    f"{prefix}_{name}": kind
    for prefix in ("mixing", "mixing_bias")
    for name, kind in (
        ("initializer", keras_object("zeros")),
        ("regularizer", keras_object("l2")),
        ("constraint", keras_object("non_neg")),
    )
}
READOUT = {
    "independent_skip": BOOLEAN,
    "algorithm": choice("auto", "fft", "tree"),
    "dropout": RATE,
}
ACTIVATION = {"activation": keras_object("relu", "linear"), "seed": SEED}
BLOCK = {
    **FILTER,
    **WEIGHTS,
    **DENSE,
    **READOUT,
    **ACTIVATION,
    "normalization": choice("layer", "batch"),
    "output_projection": BOOLEAN,
}
NET = {
    **BLOCK,
    "hidden_dim": integer(2, 4, maximum=2**22, wrong=(10**9,)),
    "num_layers": integer(1, 2, maximum=2**16),
    "length": optional(integer(4, 8, 2**31, 2**62, maximum=2**63 - 1)),
    "input_channels": optional(integer(2)),
    "vocabulary_size": optional(integer(5)),
}
SMALL = {"hidden_dim": 2, "num_layers": 1, "depth": 1}


def built(layer):
    layer.build((None, 6, 2))
    return layer


@functools.cache
def conv_layer():
    return built(layers.MultiresConv(depth=2))


@functools.cache
def layer():
    return built(layers.MultiresLayer(depth=2))


@functools.cache
def block():
    return built(layers.MultiresBlock(depth=2))


@functools.cache
def net():
    return built(models.MultiresNet(**SMALL))


@functools.cache
def token_net():
    return models.MultiresNet(**SMALL, length=8, vocabulary_size=5)


@functools.cache
def pixel_net():
    return models.MultiresNet(**SMALL, length=4, input_channels=1)


@functools.cache
def classifier():
    backbone = models.MultiresNet(**SMALL, length=8, input_channels=2)
    return models.MultiresClassifier(backbone, 3)


@functools.cache
def language_model():
    return models.MultiresCausalLM(token_net())


@functools.cache
def density_model():
    return models.MultiresDensityModel(pixel_net(), num_mixtures=1)


@functools.cache
def mixture():
    return distributions.DiscretizedLogisticMixture(array(2, 6), 1)


KINDS = {
    models.MultiresNet: net,
    models.MultiresClassifier: classifier,
    models.MultiresCausalLM: language_model,
    models.MultiresDensityModel: density_model,
}


def preset_of(kind):
    """Writes a preset of a class and returns its directory, when called."""

    def save():
        directory = Path(tempfile.mkdtemp(dir="."))
        KINDS[kind]().save_to_preset(directory)
        return directory

    return save


def check_layer(layer):
    """A layer can be saved and read again, built and called."""
    check_config(layer)
    layer(array(1, 5, 2))


def check_model(model):
    check_config(model)
    backbone = getattr(model, "backbone", model)
    inputs = array(1, 5, backbone.input_channels or 2)
    if backbone.vocabulary_size is not None:
        inputs = np.ones((1, 5), "int32")
    model(inputs)


def check_config(thing):
    config = json.loads(json.dumps(thing.get_config()))
    again = type(thing).from_config(config).get_config()
    assert json.loads(json.dumps(again)) == config


def step(get, inputs, state_wrong, **kinds):
    """Entry of a method `step`."""
    return Entry(
        lambda: get().step,
        {
            "inputs": tensor(
                *inputs, wrong=(array(2, 1, 2), array(1, 0, 2), array(1, 1, 4))
            ),
            "state": Kind(
                (Lazy(lambda: get().get_initial_state(1)),), wrong=state_wrong
            ),
            "transition": optional(
                Kind(
                    (Lazy(lambda: get().transition()),),
                    # A list with None for a block is right for a model.
                    lambda v: None if isinstance(v, list) else False,
                    wrong=(array(1, 1, 2),),
                )
            ),
            **kinds,
        },
        {
            "inputs": inputs[0],
            "state": Lazy(lambda: get().get_initial_state(1)),
        },
        costly=True,
    )


def state(get):
    """Entry of a method `get_initial_state`."""
    return Entry(
        lambda: get().get_initial_state,
        {"batch_size": integer(1, 2)},
        costly=True,
    )


STATES = (
    {"history": None, "position": None},
    {"history": array(1, 3, 2), "position": "here"},
    {"history": array(1, 3, 2), "position": 0.5},
    {"history": array(2, 2), "position": np.int32(0)},
)
BANK = {
    "inputs": tensor(
        array(1, 5, 2),
        wrong=(array(5, 2), array(1, 5, 3), array(1, 5, 2, dtype="int32")),
    ),
    "scaling_filter": tensor(
        array(2, 2), wrong=(array(2, 3), array(1, 2), array(2, 2, dtype="int8"))
    ),
    "wavelet_filter": tensor(
        array(2, 2), wrong=(array(3, 2), array(2, 2, dtype="float16"))
    ),
}
COUNTS = Kind(
    ((1, 1), [1, 1]),
    wrong=((), (1, True), (1, 2**31), (-1, 1), (2, 1), (1,) * 64, "11"),
)
SHAPE = Kind(
    (ops.Tree(2, (1, 1)), ops.Tree(2, (1, 1))),
    wrong=((1, 1), ops.Tree(3, (1, 1))),
)
BACKBONE = Kind((Lazy(net),), wrong=(Lazy(layer), Lazy(block)))
MEMORY = tensor(array(3, 2), wrong=(array(2, 2), array(3)))
TREE = {
    "kernel_size": integer(2, 3, minimum=2),
    "depth": integer(1, 5, wrong=(64, 10**6, 10**9)),
}
LAYER = Kind(
    (Lazy(layer),),
    wrong=(Lazy(layers.MultiresLayer), Lazy(net), [1]),
)
CHANNELS = optional(
    Kind(
        ([0], (0, 1), range(2), np.array([1])),
        lambda v: isinstance(v, set),
        wrong=([2], [True], [0.5], "01", [-1], 1),
    )
)
SCORES = array(4, 2)
LABELS = np.array([[0, 1], [1, 0], [1, 1], [0, 0]])
DIRECTORY = Kind(
    (*PATH.good, "empty"), PATH.takes, wrong=("~nobody_is_called_this/x",)
)
URL = Kind(("https://example.org/",), wrong=("ftp://example.org", ["http://"]))


def first_good(kinds, *parameters):
    return {name: kinds[name].good[0] for name in parameters}


ENTRIES = {
    # `name`, `dtype`, `trainable` and what else Keras's base classes take is
    # checked by Keras, if at all, in words of its own: they are not drawn.
    "layers.MultiresConv": Entry(
        lambda: layers.MultiresConv, FILTER, check=check_layer
    ),
    "layers.MultiresLayer": Entry(
        lambda: layers.MultiresLayer,
        {**FILTER, **WEIGHTS, **READOUT, **ACTIVATION},
        check=check_layer,
        costly=True,
    ),
    "layers.MultiresBlock": Entry(
        lambda: layers.MultiresBlock,
        BLOCK,
        check=check_layer,
        costly=True,
    ),
    "models.MultiresNet": Entry(
        lambda: models.MultiresNet,
        NET,
        {"hidden_dim": 2, "num_layers": 1},
        check=check_model,
        costly=True,
    ),
    "models.MultiresClassifier": Entry(
        lambda: models.MultiresClassifier,
        {
            "backbone": BACKBONE,
            "num_classes": integer(3),
            "preprocessing": optional(
                Kind(
                    (Lazy(lambda: keras.layers.Rescaling(0.5)),),
                    wrong=(keras.layers.Rescaling,),
                )
            ),
        },
        {"backbone": Lazy(net), "num_classes": 3},
        check=check_model,
        costly=True,
    ),
    "models.MultiresCausalLM": Entry(
        lambda: models.MultiresCausalLM,
        {"backbone": Kind((Lazy(token_net),), wrong=(Lazy(net), Lazy(layer)))},
        check=check_model,
        costly=True,
    ),
    "models.MultiresDensityModel": Entry(
        lambda: models.MultiresDensityModel,
        {
            "backbone": Kind(
                (Lazy(pixel_net),), wrong=(Lazy(net), Lazy(layer))
            ),
            "num_mixtures": integer(1),
        },
        {"backbone": Lazy(pixel_net), "num_mixtures": 1},
        check=check_model,
        costly=True,
    ),
    **{
        f"models.{kind.__name__}.from_preset": Entry(
            functools.partial(getattr, kind, "from_preset"),
            {
                "preset": Kind((Lazy(preset_of(kind)),), wrong=("imagenet",)),
                "load_weights": BOOLEAN,
            },
            {"preset": Lazy(preset_of(kind))},
            costly=True,
            errors=(OSError,),
        )
        for kind in KINDS
    },
    **{
        f"models.{kind.__name__}.save_to_preset": Entry(
            functools.partial(getattr, KINDS[kind](), "save_to_preset"),
            {"directory": PATH},
            {"directory": "missing"},
            costly=True,
        )
        for kind in KINDS
    },
    "layers.MultiresLayer.kernel": Entry(
        lambda: layer().kernel, {"length": integer(3, 9)}, costly=True
    ),
    "layers.MultiresLayer.get_initial_state": state(layer),
    "layers.MultiresBlock.get_initial_state": state(block),
    "models.MultiresNet.get_initial_state": state(net),
    "models.MultiresClassifier.get_initial_state": state(classifier),
    "models.MultiresCausalLM.get_initial_state": state(language_model),
    "models.MultiresDensityModel.get_initial_state": state(density_model),
    "layers.MultiresLayer.step": step(
        layer, (array(1, 1, 2), array(1, 3, 2)), STATES, in_place=BOOLEAN
    ),
    "layers.MultiresBlock.step": step(
        block, (array(1, 1, 2), array(1, 3, 2)), STATES, in_place=BOOLEAN
    ),
    "models.MultiresNet.step": step(
        net,
        (array(1, 1, 2), array(1, 3, 2)),
        tuple([state] for state in STATES),
        in_place=BOOLEAN,
    ),
    "models.MultiresClassifier.step": step(
        classifier,
        (array(1, 1, 2),),
        (
            *STATES,
            dict.fromkeys(("backbone", "total", "excess", "count")),
            dict.fromkeys(("backbone", "total", "excess", "count"), "many"),
        ),
        in_place=BOOLEAN,
    ),
    "models.MultiresCausalLM.step": step(
        language_model,
        (np.array([[3]]),),
        (*STATES, *([state] for state in STATES)),
        in_place=BOOLEAN,
    ),
    "models.MultiresDensityModel.step": step(
        density_model,
        (array(1, 1, 1),),
        (*STATES, {"backbone": [1], "last": None}),
        in_place=BOOLEAN,
    ),
    "models.MultiresCausalLM.generate": Entry(
        lambda: language_model().generate,
        {
            "prompts": Kind(
                ([[1, 2]], np.array([[3]])),
                # Of the lists in the pool, one holds two prompts.
                lambda v: isinstance(v, list) and len(v) == 2,
                wrong=([[0]], [["a"]], [[7]], [[math.nan]], np.zeros((1, 2))),
            ),
            "max_length": integer(4, minimum=2),
            "stop_token_ids": optional(
                Kind(
                    (2, {3}, [2, 3]),
                    lambda v: (
                        is_integer(v, 1, 4)
                        if isinstance(v, numbers.Number)
                        else tensor().takes(v)
                    ),
                    wrong=([7], [0.5]),
                )
            ),
            # Samplers come with keras-nlp, which names its own arguments.
            "sampler": Kind(("greedy",), lambda v: None),
        },
        {"prompts": [[1, 2]], "max_length": 4, "sampler": "greedy"},
        errors=(ImportError,),
        costly=True,
    ),
    "models.MultiresDensityModel.generate": Entry(
        lambda: density_model().generate,
        {
            "num_samples": integer(1),
            "temperature": POSITIVE,
            "seed": SEED,
            "prefix": optional(
                tensor(
                    array(4, 1),
                    wrong=(array(5, 1), array(2, 2, 1), array(2, 2), 3.0),
                )
            ),
        },
        {"num_samples": 1},
        costly=True,
    ),
    "losses.BitsPerDimension": Entry(
        lambda: losses.BitsPerDimension,
        {"num_mixtures": integer(1, 5)},
        check=check_config,
    ),
    "metrics.LogitAUC": Entry(
        lambda: metrics.LogitAUC,
        {"from_logits": Kind((False,), lambda v: v is False)},
    ),
    "metrics.macro_auroc": Entry(
        lambda: metrics.macro_auroc,
        {
            "targets": tensor(LABELS, wrong=(LABELS + 1, LABELS[:2])),
            "scores": tensor(SCORES, wrong=(SCORES[0], SCORES * math.nan)),
        },
        {"targets": LABELS, "scores": SCORES},
    ),
    "distributions.num_parameters": Entry(
        lambda: distributions.num_parameters,
        {"channels": choice(1, 3), "num_mixtures": integer(1, 5)},
        {"channels": 1, "num_mixtures": 1},
    ),
    "distributions.draw_noise": Entry(
        lambda: distributions.draw_noise,
        {
            "shape": Kind(
                ((), (2, 3), [1], (0,)),
                lambda v: isinstance(v, (tuple, list)) and not len(v),
                wrong=((-1,), (2**40,), (0.5,), (True,), ("a",)),
            ),
            "seed": optional(
                Kind((7, Lazy(keras.random.SeedGenerator)), SEED.takes)
            ),
        },
        {"shape": (1,)},
    ),
    "distributions.DiscretizedLogisticMixture": Entry(
        lambda: distributions.DiscretizedLogisticMixture,
        {
            "parameters": tensor(
                array(2, 30), array(30), wrong=(array(2, 31), array(2, 0))
            ),
            "channels": choice(1, 3),
        },
        {"parameters": array(2, 30), "channels": 1},
    ),
    "distributions.DiscretizedLogisticMixture.log_prob": Entry(
        lambda: mixture().log_prob,
        {"values": tensor(array(2, 1), wrong=(array(2, 3), array(3, 1), [3]))},
        {"values": array(2, 1)},
    ),
    "distributions.DiscretizedLogisticMixture.sample": Entry(
        lambda: mixture().sample, {"seed": SEED, "temperature": POSITIVE}
    ),
    "distributions.DiscretizedLogisticMixture.sample_by_noise": Entry(
        lambda: mixture().sample_by_noise,
        {
            "noise": tensor(
                np.full((2, 3), 0.5), wrong=(array(2, 2), array(3, 3))
            ),
            "temperature": POSITIVE,
        },
        {"noise": np.full((2, 3), 0.5)},
    ),
    "initializers.fan_in_uniform": Entry(
        lambda: initializers.fan_in_uniform, {"fan_in": integer(1, 7)}
    ),
    "ops.default_depth": Entry(
        lambda: ops.default_depth,
        {
            "length": integer(1, 99, 2**62, maximum=2**63 - 1),
            "kernel_size": integer(2, 3, minimum=2),
        },
        {"length": 9, "kernel_size": 2},
    ),
    "ops.Tree": Entry(
        lambda: ops.Tree,
        {"kernel_size": integer(2, 3, minimum=2), "counts": COUNTS},
        {"kernel_size": 2, "counts": (1, 1)},
    ),
    "ops.Tree.of": Entry(
        lambda: ops.Tree.of,
        {
            **TREE,
            "memory": FILTER["memory"],
            "memory_size": FILTER["memory_size"],
        },
        first_good(TREE, *TREE),
    ),
    "ops.analysis": Entry(
        lambda: ops.analysis,
        {**BANK, "depth": TREE["depth"]},
        {**first_good(BANK, *BANK), "depth": 2},
    ),
    "ops.multires_memory": Entry(
        lambda: ops.multires_memory,
        {**BANK, "tree": SHAPE},
        {**first_good(BANK, *BANK), "tree": SHAPE.good[0]},
        costly=True,
    ),
    "ops.tree_readout": Entry(
        lambda: ops.tree_readout,
        {
            **BANK,
            "memory_weights": MEMORY,
            "tree": SHAPE,
        },
        {
            **first_good(BANK, *BANK),
            "memory_weights": array(3, 2),
            "tree": SHAPE.good[0],
        },
        costly=True,
    ),
    "ops.synthesis": Entry(
        lambda: ops.synthesis,
        {
            "scaling_filter": BANK["scaling_filter"],
            "wavelet_filter": BANK["wavelet_filter"],
            "memory_weights": MEMORY,
            "tree": SHAPE,
            "length": integer(1, 9),
        },
        {
            **first_good(BANK, "scaling_filter", "wavelet_filter"),
            "memory_weights": array(3, 2),
            "tree": SHAPE.good[0],
            "length": 4,
        },
        costly=True,
    ),
    "ops.causal_conv": Entry(
        lambda: ops.causal_conv,
        {
            "inputs": tensor(
                array(1, 5, 2), wrong=(array(1, 5, 3), array(1, 0, 2))
            ),
            "kernel": tensor(
                array(3, 2),
                array(1, 2),
                wrong=(array(0, 2), array(6, 2), array(3, 4)),
            ),
        },
        {"inputs": array(1, 5, 2), "kernel": array(3, 2)},
        costly=True,
    ),
    "export.check_export": Entry(
        lambda: export.check_export,
        {"format": choice("onnx"), "dtype": choice("float32", "float16")},
        always={"format": "onnx"},
        errors=(ImportError,),
    ),
    "export.export_model": Entry(
        lambda: export.export_model,
        {
            "model": Kind((Lazy(classifier),), wrong=(Lazy(layer),)),
            "filepath": PATH,
            "format": choice("onnx"),
        },
        {"model": Lazy(classifier), "filepath": "missing", "format": "onnx"},
        errors=(ImportError,),
    ),
    "export.export_step": Entry(
        lambda: export.export_step,
        {
            "model": Kind((Lazy(layer),), wrong=(Lazy(conv_layer),)),
            "filepath": PATH,
            "batch_size": integer(1, 2),
        },
        {"model": Lazy(layer), "filepath": "missing"},
        errors=(ImportError,),
    ),
    "checkpoints.load_pytorch_checkpoint": Entry(
        lambda: checkpoints.load_pytorch_checkpoint,
        {"model": Kind((Lazy(classifier),), wrong=(Lazy(net),)), "path": PATH},
        {"model": Lazy(classifier), "path": "missing"},
        errors=(OSError, ImportError),
    ),
    "checkpoints.save_pytorch_checkpoint": Entry(
        lambda: checkpoints.save_pytorch_checkpoint,
        {"model": Kind((Lazy(classifier),), wrong=(Lazy(net),)), "path": PATH},
        {"model": Lazy(classifier), "path": "missing/model.pth"},
        errors=(OSError, ImportError),
    ),
    "datasets.listops.load_data": Entry(
        lambda: datasets.listops.load_data,
        {
            "directory": optional(DIRECTORY),
            "seed": integer(0, minimum=0, maximum=math.inf),
            "num_train": integer(2),
            "num_validation": integer(1),
            "num_test": integer(1),
            "cache_dir": optional(PATH),
            "num_workers": optional(integer(2, maximum=1024)),
            "verbose": VERBOSE,
        },
        {"num_train": 2, "num_validation": 1, "num_test": 1, "verbose": 0},
        errors=(FileNotFoundError,),
        costly=True,
    ),
    "datasets.listops.evaluate": Entry(
        lambda: datasets.listops.evaluate,
        {"expression": Kind(("[MAX 1 2 ]",), wrong=("]", "[MAX ]", "("))},
    ),
    "datasets.listops.tokenize": Entry(
        lambda: datasets.listops.tokenize, {"expression": STRING}
    ),
    "datasets.scifar.load_data": Entry(
        lambda: datasets.scifar.load_data,
        {
            "directory": optional(DIRECTORY),
            "seed": integer(0, minimum=0, maximum=math.inf),
            "verbose": VERBOSE,
            "validation_fraction": Kind(
                (0.1,), lambda v: is_real(v) and 0 < v < 1
            ),
        },
        errors=(OSError,),
    ),
    "datasets.scifar.read_image": Entry(
        lambda: datasets.scifar.read_image,
        {"path": PATH},
        errors=(FileNotFoundError,),
    ),
    "datasets.ptbxl.load_data": Entry(
        lambda: datasets.ptbxl.load_data,
        {
            "directory": DIRECTORY,
            "task": choice("superdiagnostic", "all"),
            "sampling_rate": choice(100, 500),
            "standardize": BOOLEAN,
            "download": BOOLEAN,
            "cache_dir": optional(PATH),
            "verbose": VERBOSE,
        },
        {"directory": "missing"},
        errors=(OSError,),
    ),
    "datasets.ptbxl.label_names": Entry(
        lambda: datasets.ptbxl.label_names,
        {"task": choice("superdiagnostic", "all"), "directory": DIRECTORY},
        {"task": "all", "directory": "missing"},
        errors=(FileNotFoundError,),
    ),
    "datasets.ptbxl.read_record": Entry(
        lambda: datasets.ptbxl.read_record,
        {
            "path": Kind(PATH.good, PATH.takes, wrong=("/", ".")),
            "sampling_rate": optional(POSITIVE),
        },
        {"path": "missing"},
        errors=(FileNotFoundError,),
    ),
    "datasets.ptbxl.download": Entry(
        lambda: datasets.ptbxl.download,
        {
            "directory": DIRECTORY,
            "url": URL,
            "archive_url": URL,
            "verbose": VERBOSE,
        },
        {"directory": "missing"},
        errors=(ConnectionError,),
    ),
    "datasets._download.fetch": Entry(
        lambda: download.fetch,
        {
            "url": URL,
            "path": PATH,
            "sha256": optional(Kind(("0" * 64,), wrong=("0" * 63, "g" * 64))),
            "max_bytes": integer(1, 10**12),
            "verbose": VERBOSE,
        },
        {"url": "https://example.org/", "path": "missing"},
        errors=(ConnectionError,),
    ),
    "visualization.effective_receptive_field": Entry(
        lambda: visualization.effective_receptive_field,
        {"layer": LAYER, "length": integer(1, 9)},
        {"layer": Lazy(layer), "length": 5},
    ),
    "visualization.plot_effective_receptive_fields": Entry(
        lambda: visualization.plot_effective_receptive_fields,
        {
            "layers": Kind(
                (Lazy(lambda: [layer()]), Lazy(lambda: (layer(), layer()))),
                wrong=(Lazy(layer), [1]),
            ),
            "length": integer(1, 9),
            "ax": AXES,
        },
        {"layers": Lazy(lambda: [layer()]), "length": 5},
        costly=True,
    ),
    "visualization.plot_kernels": Entry(
        lambda: visualization.plot_kernels,
        {
            "layer": LAYER,
            "length": integer(1, 9),
            "channels": CHANNELS,
            "ax": AXES,
        },
        {"layer": Lazy(layer), "length": 5},
        costly=True,
    ),
    "visualization.plot_frequency_responses": Entry(
        lambda: visualization.plot_frequency_responses,
        {"layer": LAYER, "channels": CHANNELS, "ax": AXES},
        {"layer": Lazy(conv_layer)},
        costly=True,
    ),
    "visualization.plot_scalogram": Entry(
        lambda: visualization.plot_scalogram,
        {
            "layer": LAYER,
            "inputs": tensor(array(5, 2), wrong=(array(5, 3), array(0, 2))),
            "channel": integer(0, 1, minimum=0, maximum=1, wrong=(2,)),
            "trace": optional(tensor(array(5), wrong=(array(6), ["a"] * 5))),
            "sampling_rate": optional(POSITIVE),
            "trace_label": optional(STRING),
            "axes": optional(
                Kind(
                    (Lazy(lambda: plt.subplots(2)[1]),),
                    wrong=((None, None), Lazy(lambda: plt.subplots(3)[1])),
                )
            ),
        },
        {"layer": Lazy(layer), "inputs": array(5, 2)},
        costly=True,
    ),
    "visualization.plot_tree": Entry(
        lambda: visualization.plot_tree,
        {
            "tree": Kind((Lazy(layer), ops.Tree.of(2, 3)), wrong=LAYER.wrong),
            "length": optional(integer(1, 9)),
            "ax": AXES,
        },
        {"tree": Lazy(layer)},
        costly=True,
    ),
    "visualization.plot_images": Entry(
        lambda: visualization.plot_images,
        {
            "images": Kind(
                (np.zeros((2, 2, 3, 3, 1), "uint8"),),
                wrong=(np.zeros((2, 2, 3, 3, 1)), np.ma.zeros((2, 2), "uint8")),
            ),
            "row_labels": optional(names(["a", "b"], np.array(["c", "d"]))),
            "column_labels": optional(names(("a", "b"))),
            "ax": AXES,
        },
        {"images": np.zeros((2, 2, 3, 3, 1), "uint8")},
        costly=True,
    ),
    "visualization.plot_confusion_matrix": Entry(
        lambda: visualization.plot_confusion_matrix,
        {
            "targets": Kind(
                ([0, 1, 1], np.array([1, 1, 0])),
                lambda v: isinstance(v, range),
                wrong=([0.5, 1, 1], ["a", "b", "c"], [0, 1], [[0, 1, 1]]),
            ),
            "predictions": Kind(
                ([0, 1, 1],),
                lambda v: isinstance(v, range),
                wrong=([0, math.nan, 1], [[0]], ["a"]),
            ),
            "class_names": optional(
                Kind((["a", "b"],), wrong=(["a"], "ab", [1, 2]))
            ),
            "ax": AXES,
        },
        {"targets": [0, 1, 1], "predictions": [0, 0, 1]},
        costly=True,
    ),
    "visualization.plot_learning_curves": Entry(
        lambda: visualization.plot_learning_curves,
        {
            "history": Kind(
                ({"loss": [1.0, 0.5]},),
                wrong=({"loss": 1}, {"loss": ["a"]}, {"loss": None}),
            ),
            "metric": choice("loss"),
            "ax": AXES,
        },
        {"history": {"loss": [1.0], "val_loss": [2.0]}},
        costly=True,
    ),
    "visualization.plot_roc_curves": Entry(
        lambda: visualization.plot_roc_curves,
        {
            "targets": tensor(LABELS, wrong=(LABELS + 1, LABELS[:2])),
            "scores": tensor(SCORES, wrong=(SCORES[0], SCORES * math.nan)),
            "label_names": names(["a", "b"]),
            "max_curves": integer(1, 10),
            "ax": AXES,
        },
        {"targets": LABELS, "scores": SCORES, "label_names": ["a", "b"]},
        costly=True,
    ),
}
# Public by name only: models call them, with tensors.
LEFT_OUT = {
    "check_input_shape",
    "check_inputs",
    "check_targets",
    "runs_fft",
    # As Keras's functions, with arguments that those check.
    "build_optimizer",
    "check_data",
    "load_weights",
    "save_model",
    "save_weights",
}
KERAS_ARGUMENTS = {
    *("name", "dtype", "reduction", "trainable", "activity_regularizer"),
    *("verbose", "input_signature"),
}


def public_functions():
    """Yields path and function of all that takes arguments."""
    modules = [(module.__name__, module) for module in (keras_multires,)]
    modules.append((visualization.__name__, visualization))
    modules.append((download.__name__, download))
    while modules:
        path, module = modules.pop()
        for name, value in vars(module).items():
            listed = getattr(module, "__all__", None)
            if listed is None:
                listed = [
                    name
                    for name, value in vars(module).items()
                    if getattr(value, "__module__", None) == module.__name__
                ]
            if name.startswith("_") or name not in listed:
                continue
            place = f"{path}.{name}".removeprefix("keras_multires.")
            if place == "ops.streaming":
                continue  # the layers are its door
            if inspect.ismodule(value):
                modules.append((value.__name__, value))
            elif inspect.isclass(value):
                yield place, value
                yield from public_methods(place, value)
            elif callable(value):
                yield place, value


def public_methods(place, kind):
    bases = [
        base for base in kind.__mro__ if base.__module__.startswith("keras.")
    ]
    own = {}
    for base in reversed(kind.__mro__):
        if base.__module__.startswith("keras_multires."):
            own.update(vars(base))
    for name, value in own.items():
        value = getattr(kind, name)
        if (
            (inspect.isfunction(value) or inspect.ismethod(value))
            and not name.startswith("_")
            and not any(hasattr(base, name) for base in bases)
        ):
            yield f"{place}.{name}", value


def parameters_of(function):
    return {
        name
        for name, parameter in inspect.signature(function).parameters.items()
        if parameter.kind
        not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    } - {"self"}


def number_of_cases(name, total):
    """The share of a function, in proportion to its arguments."""
    weights = {key: 1 + len(entry.kinds) for key, entry in ENTRIES.items()}
    return math.ceil(total * weights[name] / sum(weights.values()))


class Case(NamedTuple):
    arguments: dict
    drawn: set
    wrong: set


def draw_case(entry, rng):
    """Arguments of which one or two are drawn, and the others are good."""
    known = list(entry.kinds)
    drawn = set(rng.sample(known, min(rng.choice((1, 1, 2)), len(known))))
    arguments = dict(entry.always)
    wrong = set()
    for name in sorted(drawn):
        kind = entry.kinds[name]
        may_be_good = not entry.costly or wrong or rng.random() < 0.1
        while True:
            source = rng.choice(("good", "pool", "pool", "pool", "wrong"))
            value, verdict = None, None
            if source == "pool":
                value = rng.choice(POOL)
                verdict = kind.takes(value)
            elif source == "wrong" and kind.wrong:
                value, verdict = rng.choice(kind.wrong), False
            elif source == "good":
                value, verdict = rng.choice(kind.good), True
            else:
                continue
            if verdict is NOT_DRAWN:
                continue
            if verdict is not True or may_be_good:
                break
        arguments[name] = value
        if verdict is False:
            wrong.add(name)
    arguments = {
        name: value.make() if isinstance(value, Lazy) else value
        for name, value in arguments.items()
    }
    return Case(arguments, drawn, wrong)


def names_one_of(message, arguments):
    return any(
        re.search(rf"[`']{name}\b|\b{name}(\.\w+|\[[^]]*\]|=)", message)
        for name in arguments
    )


def fault_of(entry, case, sandbox):
    """What is wrong with the outcome of a case, or None."""
    before, requests = sandbox.files(), sandbox.requests
    fault = None
    try:
        result = entry.get()(**case.arguments)
        if case.wrong:
            fault = "was accepted"
        elif entry.check is not None:
            entry.check(result)
    except (ValueError, TypeError) as error:
        if not names_one_of(str(error), case.drawn):
            fault = traceback.format_exc()
    except entry.errors:
        if case.wrong:
            fault = traceback.format_exc()
    except Exception:
        fault = traceback.format_exc()
    finally:
        plt.close("all")
    if case.wrong and sandbox.files() != before:
        fault = f"{fault or ''}; wrote or deleted a file"
    if case.wrong and sandbox.requests != requests:
        fault = f"{fault or ''}; asked the network"
    return fault


class Sandbox:
    """A folder in which to work, and no network."""

    def __init__(self, folder):
        self.folder = folder
        self.requests = 0

    def refuse(self, *args, **kwargs):
        self.requests += 1
        raise OSError("There is no network.")

    def files(self):
        return sorted(self.folder.rglob("*"))


@contextlib.contextmanager
def working_in(folder):
    sandbox = Sandbox(folder)
    (folder / "empty").mkdir()
    with pytest.MonkeyPatch.context() as patch, contextlib.chdir(folder):
        patch.setenv("KERAS_HOME", str(folder / "home"))
        patch.setattr(urllib.request.OpenerDirector, "open", sandbox.refuse)
        patch.setattr(keras.datasets.cifar10, "load_data", sandbox.refuse)
        patch.setattr(download, "_WAIT_SECONDS", 0)
        # Right arguments meet an ImportError: an export would take long.
        missing = {"onnx": (("no_such_package",), ())}
        patch.setattr(backend, "EXPORT_FORMATS", missing)
        yield sandbox


def run(name, num_cases, seed, sandbox):
    """Runs cases of one function.

    Returns:
        A counter of the outcomes, and a list of the faults.
    """
    entry = ENTRIES[name]
    rng = random.Random(f"{name} {seed}")
    outcomes, faults = collections.Counter(), []
    for _ in range(num_cases):
        case = draw_case(entry, rng)
        outcomes["wrong" if case.wrong else "right"] += 1
        fault = fault_of(entry, case, sandbox)
        if fault is not None:
            drawn = {key: case.arguments[key] for key in sorted(case.drawn)}
            faults.append(f"{name}({drawn!r}):\n{fault}")
    return outcomes, faults


def test_every_public_function_has_its_arguments_drawn():
    found = {}
    for name, function in public_functions():
        parameters = parameters_of(function)
        if parameters and name.rpartition(".")[2] not in LEFT_OUT:
            found[name] = parameters - KERAS_ARGUMENTS
    assert set(found) == set(ENTRIES)
    for name, parameters in found.items():
        assert parameters <= set(ENTRIES[name].kinds), name


def test_there_are_enough_cases():
    assert sum(number_of_cases(name, CASES) for name in ENTRIES) >= CASES


@pytest.mark.parametrize("name", ENTRIES)
def test_a_call_works_or_names_the_argument(name, tmp_path):
    with working_in(tmp_path) as sandbox:
        _, faults = run(name, number_of_cases(name, CASES), 0, sandbox)
    assert not faults, "\n\n".join(faults)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, default=10 * CASES)
    parser.add_argument("--seed", default="by hand")
    parser.add_argument("--only", default="", help="part of a function's name")
    options = parser.parse_args()
    outcomes, faults = collections.Counter(), []
    for name in ENTRIES:
        if options.only not in name:
            continue
        start = time.perf_counter()
        num_cases = number_of_cases(name, options.cases)
        with (
            tempfile.TemporaryDirectory() as folder,
            working_in(Path(folder)) as sandbox,
        ):
            counts, found = run(name, num_cases, options.seed, sandbox)
        outcomes += counts
        faults += found
        print(
            f"{name}: {counts.total()} cases, {len(found)} faults, "
            f"{time.perf_counter() - start:.1f} s",
            flush=True,
        )
    print(*faults, sep="\n\n")
    print(
        f"{keras.backend.backend()}: {outcomes.total()} cases, "
        f"{outcomes['wrong']} with a wrong argument, {len(faults)} faults"
    )
    return len(faults) > 0


if __name__ == "__main__":
    raise SystemExit(main())
