"""Models that change after their first `step` or `generate`."""

import keras
import numpy as np
import pytest
from hypothesis import Phase
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
from keras import ops

from keras_multires import backend
from testing import models
from testing.references import slow_images

STEPS = 3


def add_lora(layer):
    layer.enable_lora(2)
    rng = np.random.default_rng(0)
    for weights in (layer.lora_kernel_a, layer.lora_kernel_b):
        weights.assign(rng.normal(size=weights.shape))


def scale_weights(model):
    model.set_weights([1.5 * weights for weights in model.get_weights()])


def replace_head(model):
    head = keras.layers.Dense(model.head.units, use_bias=False, name="other")
    head.build((None, None, model.backbone.hidden_dim))
    model.head = head


def replace_block(model):
    blocks = model.backbone.blocks
    blocks[0], blocks[1] = blocks[1], blocks[0]


def set_activation(model):
    model.backbone.blocks[0].multires_layer.activation = ops.tanh


def set_epsilon(model):
    model.backbone.blocks[1].norm.epsilon = 0.5


def set_policy(model):
    model.head.dtype_policy = "bfloat16"


def freeze(model):
    model.backbone.trainable = False


def compile_again(model):
    model.compile("sgd", run_eagerly=False)


CHANGES = {
    "LoRA of the head": lambda model: add_lora(model.head),
    "LoRA of a block": lambda model: add_lora(model.backbone.blocks[0].mixing),
    "int8 of a block": lambda model: model.backbone.blocks[1].mixing.quantize(
        "int8"
    ),
    "int8": lambda model: model.quantize("int8"),
    "weights": scale_weights,
    "another head": replace_head,
    "order of the blocks": replace_block,
    "activation": set_activation,
    "epsilon": set_epsilon,
    "policy": set_policy,
    "frozen": freeze,
    "compiled": compile_again,
}


@pytest.fixture(autouse=True)
def seed():
    keras.utils.set_random_seed(0)


def stream(model, inputs):
    state = model.get_initial_state(len(inputs))
    outputs = []
    for index in range(STEPS):
        output, state = model.step(inputs[:, index : index + 1], state)
        outputs.append(output)
    if outputs[0].ndim == 2:  # a classifier's logits so far
        return outputs[-1]
    return ops.concatenate(outputs, axis=1)


def as_numpy(tensor):
    return ops.convert_to_numpy(ops.cast(tensor, "float32"))


def make_classifier():
    return models.classifier(
        3, hidden_dim=4, num_layers=2, length=4, input_channels=1
    )


def make_language_model():
    return models.language_model(
        hidden_dim=4, num_layers=2, length=4, vocabulary_size=5
    )


@given(st.lists(st.sampled_from(sorted(CHANGES)), min_size=5, max_size=5))
@settings(
    max_examples=2,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.generate],  # each example takes seconds
)
@pytest.mark.parametrize("make_model", [make_classifier, make_language_model])
def test_steps_see_each_change(make_model, names):
    model = make_model()
    rng = np.random.default_rng(0)
    inputs = rng.integers(1, 5, size=(2, STEPS))
    if model.backbone.vocabulary_size is None:
        inputs = rng.normal(size=(2, STEPS, 1)).astype("float32")
    stream(model, inputs)
    # Keras quantizes no layer twice, and replaces no layer of a model that was
    # quantized as a whole.
    if "int8 of a block" in names:
        names = [name for name in names if name != "int8"]
    for name in sorted(dict.fromkeys(names), key="int8".__eq__):
        CHANGES[name](model)
        expected = as_numpy(model(inputs))
        tolerance = 2e-2 if model.head.compute_dtype == "bfloat16" else 1e-4
        np.testing.assert_allclose(
            as_numpy(stream(model, inputs)),
            expected,
            atol=tolerance,
            rtol=tolerance,
            err_msg=name,
        )


def test_training_does_not_compile_a_step_again():
    model = make_classifier()
    inputs = np.zeros((2, STEPS, 1), "float32")
    model.compile("sgd", "mse")
    model.fit(inputs, np.zeros((2, 3)), verbose=0)
    traces = []
    step = model._step
    model._step = lambda *args, **kw: traces.append(1) or step(*args, **kw)
    stream(model, inputs)
    before = len(traces)
    model.fit(inputs, np.zeros((2, 3)), verbose=0)
    model.predict(inputs, verbose=0)
    stream(model, inputs)
    per_stream = 0 if backend.COMPILES_BY_DEFAULT else STEPS
    assert len(traces) == before + per_stream


def test_generated_images_see_a_change():
    model = models.density_model(
        num_mixtures=1, hidden_dim=4, num_layers=2, length=4, input_channels=1
    )
    before = as_numpy(model.generate(1, seed=0))
    CHANGES["LoRA of the head"](model)
    received = as_numpy(model.generate(1, seed=0))
    expected = slow_images(model, 1, seed=0)
    np.testing.assert_allclose(received, expected, atol=1e-4)
    assert (received != before).any()
