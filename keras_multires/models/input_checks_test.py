import numpy as np
import pytest
from keras import ops

from testing.models import classifier


@pytest.fixture(scope="module")
def model():
    model = classifier(
        3, length=8, vocabulary_size=7, hidden_dim=4, num_layers=1
    )
    model.compile("sgd", "mse")
    return model


@pytest.mark.parametrize("token_id", [-1, 7, 200])
def test_ids_outside_the_vocabulary_are_refused_before_any_work(
    model, token_id
):
    token_ids = np.ones((2, 8), "int32")
    token_ids[1, 3] = token_id
    weights = model.get_weights()
    message = rf"`vocabulary_size` is 7. Received: ids from .*{token_id}"
    for call in (
        lambda: model(token_ids),
        lambda: model.step(token_ids, model.get_initial_state(2)),
        lambda: model.predict(token_ids, verbose=0),
        lambda: model.evaluate(token_ids, np.ones((2, 3)), verbose=0),
        lambda: model.fit(token_ids, np.ones((2, 3)), verbose=0),
        lambda: model.fit(
            np.ones((2, 8)),
            np.ones((2, 3)),
            validation_data=(token_ids, np.ones((2, 3))),
            verbose=0,
        ),
        lambda: model.predict(ops.convert_to_tensor(token_ids), verbose=0),
        lambda: model.train_on_batch(token_ids, np.ones((2, 3))),
        lambda: model.test_on_batch(token_ids, np.ones((2, 3))),
        lambda: model.predict_on_batch(token_ids),
    ):
        with pytest.raises(ValueError, match=message):
            call()
    for before, after in zip(weights, model.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)


def test_every_id_of_the_vocabulary_is_accepted(model):
    token_ids = np.arange(7, dtype="uint8")[None]
    assert np.all(np.isfinite(model.predict(token_ids, verbose=0)))
    assert np.all(np.isfinite(model.predict(token_ids[:, :0], verbose=0)))


def test_arguments_by_place_reach_the_methods_of_keras(model):
    token_ids, targets = np.ones((6, 8), "int32"), np.ones((6, 3))
    history = model.fit(token_ids, targets, 3, 2, 0)
    assert (history.params["epochs"], history.params["steps"]) == (2, 2)
    assert model.predict(token_ids, 2, 0).shape == (6, 3)
