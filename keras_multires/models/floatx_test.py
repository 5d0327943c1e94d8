"""Layers and models run whatever `keras.config.floatx()` is."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_multires.layers import MultiresLayer
from keras_multires.losses import BitsPerDimension
from testing.backends import CHEAPEST_MODE
from testing.backends import run_function
from testing.backends import use_floatx
from testing.models import density_model
from testing.models import language_model

OPTIONS = {"hidden_dim": 4, "num_layers": 1, "length": 4}


def as_float32(tensor):
    return ops.convert_to_numpy(ops.cast(tensor, "float32"))


@pytest.mark.parametrize(
    ("floatx", "tolerance"),
    [("bfloat16", 2**-6), ("float16", 2**-9), ("float64", 1e-6)],
)
def test_a_layer_runs_step_by_step(floatx, tolerance):
    inputs = np.random.default_rng(0).uniform(-1, 1, (2, 7, 3))
    with use_floatx(floatx):
        layer = MultiresLayer(depth=2)
        layer.build(inputs.shape)
        state, outputs = layer.get_initial_state(2), []
        step = run_function(layer.step, CHEAPEST_MODE)
        for chunk in np.split(inputs, (1, 6), axis=1):
            part, state = step(ops.convert_to_tensor(chunk, floatx), state)
            outputs.append(as_float32(part))
        whole = run_function(layer, CHEAPEST_MODE)
        expected = as_float32(whole(ops.convert_to_tensor(inputs, floatx)))
    np.testing.assert_allclose(
        np.concatenate(outputs, axis=1), expected, atol=tolerance
    )


def test_a_language_model_runs_step_by_step_and_trains():
    token_ids = np.random.default_rng(0).integers(1, 9, (2, 3))
    with use_floatx("bfloat16"):
        model = language_model(**OPTIONS, vocabulary_size=9)
        state = model.get_initial_state(2)
        for n in range(3):
            # As it is after it was stored.
            state = keras.tree.map_structure(ops.convert_to_numpy, state)
            outputs, state = model.step(token_ids[:, n : n + 1], state)
        expected = model.predict_on_batch(token_ids)[:, -1:]
        np.testing.assert_allclose(
            as_float32(outputs), expected.astype("float32"), atol=2**-5
        )
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile("sgd", loss)
        assert np.isfinite(float(model.train_on_batch(token_ids, token_ids)))


def test_a_density_model_generates_and_trains():
    with use_floatx("bfloat16"):
        model = density_model(2, **OPTIONS, input_channels=3)
        images = model.generate(2)
        assert images.shape == (2, 4, 3)
        model.compile("sgd", BitsPerDimension(2))
        assert np.isfinite(float(model.train_on_batch(images, images)))
