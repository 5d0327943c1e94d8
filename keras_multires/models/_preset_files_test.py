import json

import keras
import numpy as np
import pytest
from keras import ops

from keras_multires.models import MultiresClassifier
from keras_multires.models import MultiresDensityModel
from keras_multires.models import MultiresNet
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


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"config": 3}', "\0"])
def test_a_damaged_configuration_is_refused(content, directory):
    (directory / "config.json").write_text(content)
    with pytest.raises(ValueError, match="`preset` must be a directory that"):
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
