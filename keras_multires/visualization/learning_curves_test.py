import numpy as np
import pytest
from matplotlib.figure import Figure

from keras_multires import visualization


@pytest.fixture
def ax():
    return Figure().subplots()


def legend(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def test_learning_curves_show_training_and_validation(ax):
    history = {"loss": [3.0, 2.0], "val_loss": [4.0, 3.0], "accuracy": [0, 1]}
    figure = visualization.plot_learning_curves(history, ax=ax)
    assert figure is ax.figure
    training, validation = ax.lines
    np.testing.assert_array_equal(training.get_xydata(), [[1, 3], [2, 2]])
    np.testing.assert_array_equal(validation.get_xydata(), [[1, 4], [2, 3]])
    assert legend(ax) == ["training", "validation"]


def test_learning_curves_without_validation_show_training(ax):
    history = {"accuracy": [0.5]}
    visualization.plot_learning_curves(history, "accuracy", ax=ax)
    assert legend(ax) == ["training"]
    assert ax.get_ylabel() == "accuracy"


def test_the_only_tick_of_one_epoch_is_1(ax):
    visualization.plot_learning_curves({"loss": [1.0]}, ax=ax)
    low, high = ax.get_xlim()
    assert [t for t in ax.get_xticks() if low <= t <= high] == [1]


def test_a_metric_that_was_not_recorded_is_refused():
    with pytest.raises(ValueError, match=r"'loss'.*metric='auroc'"):
        visualization.plot_learning_curves({"loss": [1.0]}, "auroc")
