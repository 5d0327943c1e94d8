import itertools
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


def test_every_named_class_has_a_row_and_a_column(ax):
    names = ["zero", "one", "two", "three"]
    visualization.plot_confusion_matrix(TARGETS, PREDICTIONS, names, ax=ax)
    expected = np.zeros((4, 4))
    for target, prediction in zip(TARGETS, PREDICTIONS, strict=True):
        expected[target, prediction] += 1
    np.testing.assert_array_equal(ax.images[0].get_array(), expected)
    assert labels(ax.xaxis) == labels(ax.yaxis) == names


@pytest.mark.parametrize(
    ("classes", "count", "fit"),
    [(20, 1, True), (20, 10**5, False), (99, 1, False)],
)
def test_a_colour_bar_replaces_counts_that_do_not_fit(classes, count, fit, ax):
    targets = np.repeat(np.arange(classes), count)
    visualization.plot_confusion_matrix(targets, targets, ax=ax)
    assert len(ax.texts) == (classes**2 if fit else 0)
    assert len(ax.figure.axes) == (1 if fit else 2)


@pytest.mark.parametrize("classes", [4, 12])
@pytest.mark.parametrize("count", [1, 1234])
def test_counts_fit_into_their_cells(classes, count, ax):
    targets = np.repeat(np.arange(classes), count)
    visualization.plot_confusion_matrix(targets, targets, ax=ax)
    ax.figure.draw_without_rendering()
    cell = ax.get_window_extent().width / classes
    assert max(text.get_window_extent().width for text in ax.texts) < cell


@pytest.mark.parametrize("targets", [[0], [0, 0, 1, 1]])
def test_equal_counts_are_visible_on_their_cells(targets, ax, recwarn):
    visualization.plot_confusion_matrix(
        targets, [0, 1, 0, 1][: len(targets)], ["a", "$\\frac$"], ax=ax
    )
    ax.figure.draw_without_rendering()
    image = ax.images[0]
    for text, count in zip(ax.texts, image.get_array().flat, strict=True):
        is_dark = sum(image.cmap(image.norm(count))[:3]) < 1.5
        assert text.get_color() == ("white" if is_dark else "black")
    assert not recwarn.list


def test_only_as_many_names_are_shown_as_there_is_room_for(ax):
    visualization.plot_confusion_matrix(range(99), range(99), ax=ax)
    ax.figure.draw_without_rendering()
    shown = [text for text in ax.get_yticklabels() if text.get_visible()]
    boxes = [text.get_window_extent() for text in shown]
    assert 10 < len(shown) < 99
    assert not any(a.overlaps(b) for a, b in itertools.pairwise(boxes))


def test_large_counts_are_written_in_full(ax):
    targets = np.repeat([0, 1], [123456, 1])
    visualization.plot_confusion_matrix(targets, targets, ax=ax)
    texts = [text.get_text() for text in ax.texts]
    assert texts == ["123456", "0", "0", "1"]


@pytest.mark.parametrize(
    ("targets", "predictions"), [([0, 1], [0]), ([], []), ([[0]], [[0]])]
)
def test_arrays_that_do_not_fit_are_refused(targets, predictions):
    with pytest.raises(ValueError, match=r"same shape.*targets\.shape="):
        visualization.plot_confusion_matrix(targets, predictions)


@pytest.mark.parametrize("targets", [[2], [-1], ["a"]])
def test_a_class_without_a_name_is_refused(targets):
    message = r"every class.*class_names=\['a', 'b'\]"
    with pytest.raises(ValueError, match=message):
        visualization.plot_confusion_matrix(targets, targets, ["a", "b"])


def test_a_missing_scikit_learn_is_named_in_the_error(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.metrics", None)
    with pytest.raises(ImportError, match="pip install scikit-learn"):
        visualization.plot_confusion_matrix([0], [0])
