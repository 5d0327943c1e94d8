"""A Functional model that contains the library's models works as they do."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_multires import models
from testing.backends import BACKENDS
from testing.programs import run_program


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_composed_model_is_saved_checked_and_traced_once(backend, tmp_path):
    run_program(
        "train_composed_model", tmp_path / "model.keras", backend=backend
    )


@pytest.mark.parametrize("reader", BACKENDS)
def test_a_composed_model_compiled_on_pytorch_trains_on_every_backend(
    reader, tmp_path
):
    path = tmp_path / "model.keras"
    run_program("train_composed_model", path, backend="torch")
    run_program("continue_composed_model", path, backend=reader)


def test_a_layer_inside_a_composed_model_gets_its_own_inputs_checked():
    tokens = keras.Input((8,), dtype="int32")
    shifted = keras.layers.Lambda(lambda ids: ids + 1)(tokens)
    backbone = models.MultiresNet(4, 1, length=8, vocabulary_size=5)
    model = keras.Model(tokens, backbone(shifted))
    models.check_data(model, np.full((2, 8), 3))
    with pytest.raises(ValueError, match="from 0 to 4"):
        models.check_data(model, np.full((2, 8), 4))


def test_a_failed_save_leaves_the_earlier_file(tmp_path, monkeypatch):
    inputs = keras.Input((8, 2))
    backbone = models.MultiresNet(4, 1, length=8, input_channels=2)
    model = keras.Model(inputs, backbone(inputs))
    path = tmp_path / "model.keras"
    models.save_model(model, path)
    before = path.read_bytes()

    def fail(*arguments, **options):
        raise OSError("The disk is full.")

    monkeypatch.setattr(backbone.blocks[0].mixing, "save_own_variables", fail)
    with pytest.raises(OSError, match="disk is full"):
        models.save_model(model, path)

    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_weights_of_another_composed_model_change_nothing(tmp_path):
    def composed(num_layers):
        inputs = keras.Input((8, 2))
        backbone = models.MultiresNet(4, num_layers, length=8, input_channels=2)
        return keras.Model(inputs, backbone(inputs))

    model, deeper = composed(1), composed(2)
    models.save_weights(deeper, tmp_path / "deeper.weights.h5")
    before = [ops.convert_to_numpy(weight) for weight in model.weights]
    with pytest.raises(ValueError, match="do not fit the model"):
        models.load_weights(model, tmp_path / "deeper.weights.h5")
    for weight, value in zip(model.weights, before, strict=True):
        np.testing.assert_array_equal(ops.convert_to_numpy(weight), value)
