"""Plot of a confusion matrix."""

import math
import warnings

import numpy as np

from keras_multires._packages import import_package
from keras_multires._validation import check_names
from keras_multires._validation import require
from keras_multires.visualization._axes import axes_or_new
from keras_multires.visualization._axes import size_points

__all__ = ["plot_confusion_matrix"]

LARGEST_FONT_POINTS = 10
# Smaller numbers are not readable.
SMALLEST_FONT_POINTS = 5
# Width of a digit over the size of its font, rounded up.
DIGIT_ASPECT = 0.65


def plot_confusion_matrix(targets, predictions, class_names=None, ax=None):
    """Draws how often examples of each class were predicted as each class.

    The cells hold the counts. If those would not fit, a colour bar replaces
    them.

    Args:
        targets: Array `(n,)`, the true classes: integers from 0 with
            `class_names`, otherwise integers or strings.
        predictions: Array `(n,)`, the predicted classes.
        class_names: List of strings, the names of all classes in order. By
            default, the classes are those in `targets` and `predictions`.
        ax: Axes to draw on. Defaults to those of a new figure.

    Returns:
        The figure.

    Raises:
        ImportError: if scikit-learn is not installed.
        ValueError: if the arrays are empty or differ in shape, or a class does
            not have a name.
    """
    sklearn_metrics = import_package(
        "sklearn.metrics",
        "The confusion matrix comes from scikit-learn",
        "scikit-learn",
    )
    targets, predictions = _class_arrays(targets, predictions)
    classes = _classes(targets, predictions, class_names)
    with warnings.catch_warnings():
        # scikit-learn warns of a single class even though `labels` is given.
        warnings.filterwarnings("ignore", "A single label was found")
        counts = sklearn_metrics.confusion_matrix(
            targets, predictions, labels=classes
        )
    ax = axes_or_new(ax)
    names = classes if class_names is None else class_names
    cell_points = min(size_points(ax)) / len(classes)
    font_points = _font_points(counts, cell_points)
    has_numbers = font_points >= SMALLEST_FONT_POINTS
    display = sklearn_metrics.ConfusionMatrixDisplay(
        counts, display_labels=names
    ).plot(
        include_values=has_numbers,
        values_format="d",
        colorbar=not has_numbers,
        xticks_rotation=_rotation(class_names),
        cmap="Blues",
        # By default, equal counts would have the colour of a zero.
        im_kw={"vmin": 0, "vmax": counts.max()},
        text_kw={"fontsize": font_points},
        ax=ax,
    )
    if has_numbers:
        for count, text in zip(counts.flat, display.text_.flat, strict=True):
            text.set_color("white" if count > counts.max() / 2 else "black")
    _thin_out_labels(ax, cell_points)
    return ax.figure


def _class_arrays(targets, predictions):
    """The arguments as arrays of the same shape and kind."""
    targets = _class_array("targets", targets)
    predictions = _class_array("predictions", predictions)
    have_one_shape = targets.shape == predictions.shape == (targets.size,)
    both = "`targets` and `predictions` must"
    expected = f"{both} have the same shape (n,), n at least 1."
    received = f"targets.shape={targets.shape}"
    received += f", predictions.shape={predictions.shape}"
    require(have_one_shape and targets.size, expected, received)
    kinds = {array.dtype.kind == "U" for array in (targets, predictions)}
    expected = f"{both} both be integers, or both strings."
    received = f"targets.dtype={targets.dtype}"
    received += f", predictions.dtype={predictions.dtype}"
    require(len(kinds) == 1, expected, received)
    return targets, predictions


def _class_array(name, value):
    """The value as an array of integers or of strings."""
    try:
        array = np.asarray(value)
    except Exception:  # such as a `TypeError` for a tensor on a GPU
        array = np.array(None)
    are_classes = not array.size or array.dtype.kind in "biuU"
    expected = f"`{name}` must be an array of integers or of strings."
    require(are_classes, expected, **{name: value})
    return array


def _classes(targets, predictions, class_names):
    """The classes in the order of rows and columns."""
    found = np.union1d(targets, predictions)
    if class_names is None:
        return found
    check_names("class_names", class_names)
    classes = np.arange(len(class_names))
    expected = "`class_names` must name every class, the integers from 0."
    received = f"class_names={class_names!r}, and the classes "
    received += ", ".join(map(str, found))
    require(np.isin(found, classes).all(), expected, received)
    return classes


def _font_points(counts, cell_points):
    """Size of the font in which the longest count fits into its cell."""
    num_digits = len(str(counts.max()))
    fitting = 0.9 * cell_points / (DIGIT_ASPECT * num_digits)
    return min(LARGEST_FONT_POINTS, fitting)


def _rotation(class_names):
    is_long = any(len(name) > 2 for name in class_names or ())
    return "vertical" if is_long else "horizontal"


def _thin_out_labels(ax, cell_points):
    """Shows only as many class names as there is room for."""
    stride = math.ceil(1.2 * LARGEST_FONT_POINTS / cell_points)
    for axis in (ax.xaxis, ax.yaxis):
        for index, label in enumerate(axis.get_ticklabels()):
            # Names may hold dollar signs.
            label.set_parse_math(False)
            label.set_visible(index % stride == 0)
