import keras
import numpy as np
import pytest

from keras_multires.models import MultiresClassifier
from testing.models import classifier as build_classifier


def classifier(seed, **options):
    """A model with batch statistics, seeds and an optimizer, of any values."""
    keras.utils.set_random_seed(seed)
    model = build_classifier(
        2,
        length=12,
        input_channels=3,
        hidden_dim=4,
        normalization="batch",
        **{"num_layers": 2, **options},
    )
    model.compile("adam", "mse")
    model.optimizer.build(model.trainable_variables)
    rng = np.random.default_rng(seed)
    for variable in (*model.variables, *model.optimizer.variables):
        # Random states are integers.
        value = 1000 * rng.uniform(size=variable.shape)
        variable.assign(value.astype(variable.dtype))
    return model


def values(model):
    variables = [*model.variables, *model.optimizer.variables]
    # A copy: PyTorch's arrays share the memory of their tensors.
    return [np.array(keras.ops.convert_to_numpy(v)) for v in variables]


def assert_equal_values(received, expected):
    for array, same in zip(received, expected, strict=True):
        np.testing.assert_array_equal(array, same)


@pytest.fixture(scope="module")
def model():
    return classifier(0)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.weights.h5"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"depth": 2},
            r"blocks/multires_block/multires_layer/vars/2: \(3, 4\) in the "
            r"file, \(5, 4\) in the model; .*_block_1/multires_layer",
        ),
        ({"num_layers": 3}, r"_2/mixing/vars/0: \(4, 8\) in .*none in .*more"),
        ({"num_layers": 1}, r"_1/mixing/vars/0: none in .*\(4, 8\) in the "),
    ],
)
def test_weights_of_another_architecture_are_refused(
    model, path, options, message
):
    classifier(1, **options).save_weights(path)
    before = values(model)
    with pytest.raises(ValueError, match=message):
        model.load_weights(path)
    assert_equal_values(values(model), before)


@pytest.mark.filterwarnings("ignore:Skipping variable loading")
def test_weights_load_whether_or_not_the_model_has_an_optimizer(model, path):
    weights = model.get_weights()
    model.save_weights(path)
    uncompiled = MultiresClassifier.from_config(model.get_config())
    uncompiled.load_weights(path)
    assert_equal_values(uncompiled.get_weights(), weights)
    uncompiled.save_weights(path)
    model.load_weights(path)


def test_an_interrupted_load_leaves_the_model_as_it_was(
    model, path, monkeypatch
):
    classifier(1).save_weights(path)
    before = values(model)

    def stop(*arguments):
        raise KeyboardInterrupt

    # The head comes after the backbone.
    monkeypatch.setattr(model.head, "load_own_variables", stop)
    with pytest.raises(KeyboardInterrupt):
        model.load_weights(path)
    assert_equal_values(values(model), before)


def test_skip_mismatch_loads_the_weights_that_fit(model, path):
    other = classifier(1, depth=2)
    other.save_weights(path)
    model = classifier(0)
    with pytest.warns(UserWarning, match="could not be loaded"):
        model.load_weights(path, skip_mismatch=True)
    received, expected = (
        keras.ops.convert_to_numpy(m.head.kernel) for m in (model, other)
    )
    np.testing.assert_array_equal(received, expected)
