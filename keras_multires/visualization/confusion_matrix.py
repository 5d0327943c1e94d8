import math
import warnings

import numpy as np

from keras_multires.visualization.arguments import axes_or_new
from keras_multires.visualization.arguments import check_axes
from keras_multires.visualization.arguments import check_names

# In points. Smaller numbers, and names closer to each other, are not readable.
LARGEST_FONT, SMALLEST_FONT = 10, 5


def plot_confusion_matrix(targets, predictions, class_names=None, ax=None):
    """Draws how often each class was taken for each.

    The counts are written into the cells; where they would not fit, a colour
    bar replaces them.

    Args:
        targets: Array `(n,)`, the true classes: integers from 0 with
            `class_names`, or else integers or strings.
        predictions: Array `(n,)`, the classes predicted.
        class_names: List of strings, the names of all classes in order. By
            default the classes are those in `targets` and `predictions`.
        ax: Axes to draw on. By default those of a new figure.

    Returns:
        The figure.

    Raises:
        ImportError: if scikit-learn is not installed.
        ValueError: if the arrays are empty or differ in shape, or a class has
            no name.
    """
    try:
        from sklearn.metrics import ConfusionMatrixDisplay
        from sklearn.metrics import confusion_matrix
    except ImportError as error:
        raise ImportError(
            "The confusion matrix comes from scikit-learn, which is not "
            "installed. Install it: pip install scikit-learn"
        ) from error
    check_axes("ax", ax)
    targets = _check_classes("targets", targets)
    predictions = _check_classes("predictions", predictions)
    if (
        targets.ndim != 1
        or predictions.shape != targets.shape
        or not targets.size
    ):
        raise ValueError(
            "`targets` and `predictions` must have the same shape (n,), n at "
            f"least 1. Received: targets.shape={targets.shape}, "
            f"predictions.shape={predictions.shape}"
        )
    if (targets.dtype.kind == "U") != (predictions.dtype.kind == "U"):
        raise ValueError(
            "`targets` and `predictions` must both be integers, or both "
            f"strings. Received: targets.dtype={targets.dtype}, "
            f"predictions.dtype={predictions.dtype}"
        )
    classes = np.union1d(targets, predictions)
    rotation = "horizontal"
    if class_names is not None:
        check_names("class_names", class_names)
        known = np.arange(len(class_names))
        if not np.isin(classes, known).all():
            raise ValueError(
                "`class_names` must name every class, the integers from 0. "
                f"Received: class_names={class_names!r}, and the classes "
                f"{', '.join(map(str, classes))}"
            )
        classes = known
        if any(len(name) > 2 for name in class_names):
            rotation = "vertical"
    with warnings.catch_warnings():
        # Of a single class, though it is given as `labels`.
        warnings.filterwarnings("ignore", "A single label was found")
        counts = confusion_matrix(targets, predictions, labels=classes)
    ax = axes_or_new(ax)
    side = min(ax.bbox.width, ax.bbox.height) * 72 / ax.figure.dpi
    cell = side / len(classes)
    # A digit is as wide as some 0.65 of the height of its font.
    font = min(LARGEST_FONT, 0.9 * cell / (0.65 * len(str(counts.max()))))
    numbered = font >= SMALLEST_FONT
    names = classes if class_names is None else class_names
    display = ConfusionMatrixDisplay(counts, display_labels=names).plot(
        include_values=numbered,
        values_format="d",
        colorbar=not numbered,
        xticks_rotation=rotation,
        cmap="Blues",
        # Else a matrix of equal counts would have the colour of none.
        im_kw={"vmin": 0, "vmax": counts.max()},
        text_kw={"fontsize": font},
        ax=ax,
    )
    if numbered:
        for count, text in zip(counts.flat, display.text_.flat, strict=True):
            text.set_color("white" if count > counts.max() / 2 else "black")
    # As many names as there is room for, whatever signs are in them.
    apart = math.ceil(1.2 * LARGEST_FONT / cell)
    for axis in (ax.xaxis, ax.yaxis):
        for index, label in enumerate(axis.get_ticklabels()):
            label.set_parse_math(False)
            label.set_visible(index % apart == 0)
    return ax.figure


def _check_classes(name, value):
    """The value as an array; a `ValueError` unless of integers or strings."""
    problem = f"`{name}` must be an array of integers or of strings. Received: "
    try:
        array = np.asarray(value)
    # Of a tensor of a device, say, a `TypeError`.
    except Exception as error:
        raise ValueError(f"{problem}{name}={value!r}") from error
    if array.size and array.dtype.kind not in "biuU":
        raise ValueError(f"{problem}{name}={value!r}")
    return array
