import sys

import numpy as np
import pytest
from matplotlib.figure import Figure

from keras_multires import visualization

TARGETS = [0, 0, 0, 2, 2, 3]
PREDICTIONS = [0, 0, 2, 2, 3, 0]


@pytest.fixture
def ax():
    return Figure().subplots()


def labels(axis):
    return [text.get_text() for text in axis.get_ticklabels()]


def test_the_cells_are_the_counts(ax):
    figure = visualization.plot_confusion_matrix(TARGETS, PREDICTIONS, ax=ax)
    assert figure is ax.figure
    expected = [[2, 1, 0], [0, 1, 1], [1, 0, 0]]
    np.testing.assert_array_equal(ax.images[0].get_array(), expected)
    texts = [text.get_text() for text in ax.texts]
    assert texts == [str(count) for row in expected for count in row]
    assert labels(ax.xaxis) == labels(ax.yaxis) == ["0", "2", "3"]


def test_every_class_with_a_name_is_drawn(ax):
    names = ["zero", "one", "two", "three"]
    visualization.plot_confusion_matrix(TARGETS, PREDICTIONS, names, ax=ax)
    expected = np.zeros((4, 4))
    for target, prediction in zip(TARGETS, PREDICTIONS, strict=True):
        expected[target, prediction] += 1
    np.testing.assert_array_equal(ax.images[0].get_array(), expected)
    assert labels(ax.xaxis) == labels(ax.yaxis) == names


@pytest.mark.parametrize("classes", [20, 21])
def test_counts_that_would_not_fit_give_way_to_a_colour_bar(classes, ax):
    visualization.plot_confusion_matrix(range(classes), range(classes), ax=ax)
    fit = classes == 20
    assert len(ax.texts) == (400 if fit else 0)
    assert len(ax.figure.axes) == (1 if fit else 2)


def test_large_counts_are_whole_numbers(ax):
    targets = np.repeat([0, 1], [123456, 1])
    visualization.plot_confusion_matrix(targets, targets, ax=ax)
    texts = [text.get_text() for text in ax.texts]
    assert texts == ["123456", "0", "0", "1"]


@pytest.mark.parametrize(
    ("targets", "predictions"), [([0, 1], [0]), ([], []), ([[0]], [[0]])]
)
def test_arrays_that_do_not_fit_are_an_error(targets, predictions):
    with pytest.raises(ValueError, match=r"same shape.*targets\.shape="):
        visualization.plot_confusion_matrix(targets, predictions)


@pytest.mark.parametrize("targets", [[2], [-1], ["a"]])
def test_a_class_without_a_name_is_an_error(targets):
    message = r"every class.*class_names=\['a', 'b'\]"
    with pytest.raises(ValueError, match=message):
        visualization.plot_confusion_matrix(targets, targets, ["a", "b"])


def test_what_is_missing_is_said(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.metrics", None)
    with pytest.raises(ImportError, match="pip install scikit-learn"):
        visualization.plot_confusion_matrix([0], [0])
