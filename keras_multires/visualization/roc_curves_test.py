import sys

import numpy as np
import pytest
from matplotlib.figure import Figure

from keras_multires import visualization

NAMES = ["rare", "none", "often", "all", "half"]


@pytest.fixture
def ax():
    return Figure().subplots()


@pytest.fixture
def predictions():
    generator = np.random.default_rng(0)
    targets = np.zeros((40, 5), int)
    for label, count in enumerate((4, 0, 30, 40, 20)):
        targets[generator.permutation(40)[:count], label] = 1
    # Rounded, so that there are ties.
    scores = np.round(targets + generator.normal(size=targets.shape), 1)
    return targets, scores


def slow_area(targets, scores):
    """How often a positive has the higher score; a tie counts half."""
    wins = [
        (positive > negative) + (positive == negative) / 2
        for positive in scores[targets == 1]
        for negative in scores[targets == 0]
    ]
    return sum(wins) / len(wins)


def slow_curve(targets, scores):
    """False and true positive rate at each threshold, the strictest first."""
    return {(0.0, 0.0)} | {
        (
            np.mean(scores[targets == 0] >= threshold),
            np.mean(scores[targets == 1] >= threshold),
        )
        for threshold in scores
    }


def shown(ax):
    """Lines by their names in the legend."""
    lines = ax.get_legend_handles_labels()[0]
    return {line.get_label(): line for line in lines}


def test_names_are_shown_without_interpretation(predictions, ax):
    names = ["_AVB", "$\\frac$", *NAMES[2:]]
    visualization.plot_roc_curves(*predictions, names, ax=ax)
    ax.figure.draw_without_rendering()
    texts = [text.get_text() for text in ax.get_legend().get_texts()]
    assert any(text.startswith("_AVB: ") for text in texts)
    assert "$\\frac$" in texts[-1]


def test_the_curves_hold_the_rates_at_every_threshold(predictions, ax):
    targets, scores = predictions
    figure = visualization.plot_roc_curves(targets, scores, NAMES, ax=ax)
    assert figure is ax.figure
    lines = list(shown(ax).values())
    for line, label in zip(lines[:3], (2, 4, 0), strict=True):
        expected = slow_curve(targets[:, label], scores[:, label])
        # scikit-learn leaves out points on a straight line between others.
        drawn = {tuple(point) for point in line.get_xydata()}
        assert drawn <= expected
        x, y = line.get_data()
        area = np.sum(np.diff(x) * (y[1:] + y[:-1]) / 2)
        assert area == pytest.approx(
            slow_area(targets[:, label], scores[:, label])
        )


def test_the_legend_sorts_the_areas_by_frequency(predictions, ax):
    targets, scores = predictions
    visualization.plot_roc_curves(targets, scores, NAMES, ax=ax)
    areas = [slow_area(targets[:, i], scores[:, i]) for i in (2, 4, 0)]
    texts = [text.get_text() for text in ax.get_legend().get_texts()]
    assert texts[:3] == [
        f"often: {areas[0]:.3f}",
        f"half: {areas[1]:.3f}",
        f"rare: {areas[2]:.3f}",
    ]
    assert ax.get_title() == f"Mean AUROC {np.mean(areas):.3f} of 3 labels"
    note = " ".join(texts[3].split())
    assert note == "left out, since all or none have it: none, all"
    assert len(texts) == 4


def test_labels_beyond_the_most_frequent_are_grey(predictions, ax):
    targets, scores = predictions
    visualization.plot_roc_curves(targets, scores, NAMES, max_curves=1, ax=ax)
    lines = shown(ax)
    coloured, first_grey, _ = lines.values()
    second_grey = ax.lines[2]
    assert coloured.get_label().startswith("often")
    assert first_grey.get_label() == "2 less frequent"
    for line in (first_grey, second_grey):
        assert line.get_color() == "0.75"
        assert line.get_zorder() < coloured.get_zorder()
    # The mean includes the grey curves.
    assert ax.get_title().endswith("of 3 labels")


def test_many_curves_all_look_different(ax):
    targets = np.tile([[0], [1]], (1, 25))
    names = [f"label {i}" for i in range(25)]
    visualization.plot_roc_curves(targets, targets, names, 25, ax=ax)
    lines = shown(ax).values()
    looks = {(line.get_color(), line.get_linestyle()) for line in lines}
    assert len(looks) == len(lines) == 25


def test_many_labels_that_are_left_out_are_counted(ax):
    targets = np.zeros((4, 8), int)
    targets[:2, 0] = 1
    names = [f"label {i}" for i in range(8)]
    visualization.plot_roc_curves(targets, targets, names, ax=ax)
    texts = [text.get_text() for text in ax.get_legend().get_texts()]
    assert texts[0] == "label 0: 1.000"
    assert " ".join(texts[1].split()).endswith("have it: 7 labels")
    assert ax.get_title() == "Mean AUROC 1.000 of 1 label"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"scores": np.ones((2, 3))}, r"one shape.*scores\.shape=\(2, 3\)"),
        ({"label_names": ["a"]}, r"`label_names`.*2 strings"),
        ({"targets": np.full((2, 2), 0.5)}, r"0 or 1.*targets"),
        ({"scores": np.full((2, 2), np.nan)}, "must be finite"),
        ({"targets": np.ones((2, 2))}, "must hold a class"),
        ({"max_curves": 0}, r"at least 1.*max_curves=0"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(options, message):
    arguments = {
        "targets": np.eye(2),
        "scores": np.eye(2),
        "label_names": ["a", "b"],
        **options,
    }
    with pytest.raises(ValueError, match=message):
        visualization.plot_roc_curves(**arguments)


def test_a_missing_scikit_learn_is_named_in_the_error(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.metrics", None)
    with pytest.raises(ImportError, match="pip install scikit-learn"):
        visualization.plot_roc_curves([[0], [1]], [[0], [1]], ["a"])
