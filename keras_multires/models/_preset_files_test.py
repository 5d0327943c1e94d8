import json
import math
import os

import h5py
import keras
import numpy as np
import pytest
from keras import ops

from keras_multires.models import MultiresClassifier
from keras_multires.models import MultiresDensityModel
from keras_multires.models import MultiresNet
from testing.damaged_files import fault_of_reading
from testing.models import classifier


@pytest.fixture(scope="module")
def model():
    rescaling = keras.layers.Rescaling(0.5, offset=-1)
    options = {"length": 8, "input_channels": 2, "filter_initializer": "ones"}
    return classifier(
        3, preprocessing=rescaling, hidden_dim=4, num_layers=2, **options
    )


@pytest.fixture
def directory(model, tmp_path):
    model.save_to_preset(tmp_path / "preset")
    return tmp_path / "preset"


def outputs_of(model):
    inputs = np.random.default_rng(0).normal(size=(3, 8, 2))
    return ops.convert_to_numpy(model(inputs))


def test_a_saved_preset_gives_the_same_model(model, directory):
    again = MultiresClassifier.from_preset(str(directory))
    np.testing.assert_array_equal(outputs_of(again), outputs_of(model))
    assert not again.compiled
    assert sorted(path.name for path in directory.iterdir()) == [
        "config.json",
        "model.weights.h5",
    ]


def test_a_backbone_is_read_from_the_preset_of_its_task(model, directory):
    backbone = MultiresNet.from_preset(directory)
    assert isinstance(backbone, MultiresNet)
    np.testing.assert_array_equal(
        outputs_of(backbone), outputs_of(model.backbone)
    )


def test_a_preset_without_its_weights_has_new_ones(model, directory):
    (directory / "model.weights.h5").unlink()
    fresh = MultiresClassifier.from_preset(directory, load_weights=False)
    assert fresh.count_params() == model.count_params()
    assert np.any(outputs_of(fresh) != outputs_of(model))
    with pytest.raises(FileNotFoundError):
        MultiresClassifier.from_preset(directory)


def test_arguments_replace_those_of_a_saved_preset(directory):
    more = MultiresClassifier.from_preset(
        directory, load_weights=False, num_classes=5
    )
    assert outputs_of(more).shape == (3, 5)
    wider = MultiresNet.from_preset(directory, load_weights=False, hidden_dim=6)
    assert outputs_of(wider).shape == (3, 8, 6)


def test_a_published_preset_names_the_flag_that_it_needs():
    for kind, preset in (
        (MultiresClassifier, "scifar"),
        (MultiresNet, "cifar10_density"),
    ):
        with pytest.raises(ValueError, match=f"`load_weights`.*{preset}"):
            kind.from_preset(preset)


def test_an_unknown_preset_lists_the_known_ones(tmp_path):
    for preset in ("imagenet", str(tmp_path / "missing")):
        with pytest.raises(ValueError, match=r"`preset` .* 'scifar'"):
            MultiresClassifier.from_preset(preset)


def test_the_preset_of_another_class_is_refused(directory):
    with pytest.raises(ValueError, match=r"`preset` .*MultiresDensityModel"):
        MultiresDensityModel.from_preset(directory)


@pytest.mark.parametrize(
    "content",
    [
        *("", "[]", "{}", '{"config": 3}', "\0"),
        *("[" * 100_000, '{"config":' * 100_000, '{"config": ' + "1" * 9000),
    ],
    ids=["", "[]", "{}", "3", "0", "deep list", "deep dict", "digits"],
)
def test_a_damaged_configuration_is_refused(content, directory):
    (directory / "config.json").write_text(content)
    with pytest.raises(ValueError, match="`preset` must be a directory that"):
        MultiresClassifier.from_preset(directory)


def change(directory, arguments, inner):
    path = directory / "config.json"
    config = json.loads(path.read_text())
    place = config["config"]["backbone"] if inner else config
    place["config"].update(arguments)
    path.write_text(json.dumps(config))


@pytest.mark.parametrize(
    ("arguments", "inner"),
    [
        ({"hidden_dim": 20_000}, True),
        ({"hidden_dim": 10**30}, True),
        ({"num_layers": 3000}, True),
        ({"kernel_size": 10**6}, True),
        ({"input_channels": None, "vocabulary_size": 10**6}, True),
        ({"num_classes": 10**6}, False),
    ],
)
def test_a_model_larger_than_its_weights_is_refused(
    arguments, inner, directory
):
    """A few characters would make a model that fills the memory."""
    change(directory, arguments, inner)
    fault, is_refused = fault_of_reading(
        lambda: MultiresClassifier.from_preset(directory), directory
    )
    assert fault is None
    assert is_refused


@pytest.mark.parametrize("value", [math.nan, math.inf, -1, "4", None, [4]])
def test_a_wrong_value_in_a_configuration_is_refused(value, directory):
    change(directory, {"hidden_dim": value}, True)
    with pytest.raises(ValueError, match=r"cannot be read: .*hidden_dim"):
        MultiresClassifier.from_preset(directory)


@pytest.mark.parametrize("backbone", [None, [], {}, {"config": 3}, "net"])
def test_a_task_without_a_backbone_is_refused(backbone, directory):
    change(directory, {"backbone": backbone}, False)
    for kind in (MultiresClassifier, MultiresNet):
        with pytest.raises(ValueError, match="cannot be read") as error:
            kind.from_preset(directory)
        assert str(directory) in str(error.value)


def first_weight(file):
    """Name and shape of a weight of a file."""
    name = "backbone/blocks/multires_block/mixing/vars/0"
    return name, file[name].shape


def link_elsewhere(path):
    other = path.with_name("other.h5")
    with h5py.File(path, "a") as file, h5py.File(other, "w") as target:
        name, shape = first_weight(file)
        target["x"] = np.zeros(shape)
        del file[name]
        file[name] = h5py.ExternalLink(other, "x")


def store_elsewhere(path):
    other = path.with_name("other")
    other.write_bytes(bytes(10_000))
    with h5py.File(path, "a") as file:
        name, shape = first_weight(file)
        del file[name]
        external = [(other, 0, h5py.h5f.UNLIMITED)]
        file.create_dataset(name, shape, "f4", external=external)


def declare_a_large_weight(path):
    with h5py.File(path, "a") as file:
        size = (1 << 20, 1 << 20)
        file.create_dataset("extra", size, "f4", chunks=(1 << 10, 1 << 10))


def store_strings(path):
    with h5py.File(path, "a") as file:
        name, shape = first_weight(file)
        del file[name]
        file.create_dataset(name, shape, h5py.string_dtype())


def cut(path):
    path.write_bytes(path.read_bytes()[:-100])


@pytest.mark.parametrize(
    "damage",
    [
        link_elsewhere,
        store_elsewhere,
        declare_a_large_weight,
        store_strings,
        cut,
    ],
)
def test_damaged_weights_are_refused(damage, directory):
    path = directory / "model.weights.h5"
    damage(path)
    fault, is_refused = fault_of_reading(
        lambda: MultiresClassifier.from_preset(directory), path
    )
    assert fault is None
    assert is_refused


@pytest.mark.parametrize("name", ["config.json", "model.weights.h5"])
def test_what_is_no_file_is_missing(name, directory):
    path = directory / name
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(FileNotFoundError, match=name):
        MultiresClassifier.from_preset(directory)


def test_a_configuration_that_runs_code_is_refused(directory):
    path = directory / "config.json"
    config = json.loads(path.read_text())
    config["config"]["preprocessing"] = {
        "module": "builtins",
        "class_name": "exec",
        "config": {},
        "registered_name": None,
    }
    path.write_text(json.dumps(config))
    with pytest.raises(ValueError, match="`preset` must be a directory that"):
        MultiresClassifier.from_preset(directory)
