"""Plot of ROC curves."""

import textwrap

import numpy as np

from keras_multires._validation import check_integer
from keras_multires._validation import check_names
from keras_multires.metrics import macro_auroc
from keras_multires.visualization._axes import axes_or_new

__all__ = ["plot_roc_curves"]

# If more labels than this are left out, the legend only counts them.
MAX_NAMES_LEFT_OUT = 6
NOTE_WIDTH_CHARACTERS = 30

# Colours repeat after ten curves. Then the style of the line changes.
NUM_COLOURS = 10
LINE_STYLES = ("-", "--", "-.", ":")


def plot_roc_curves(targets, scores, label_names, max_curves=10, ax=None):
    """Draws a ROC curve for each label of a multi-label task.

    A curve is the true positive rate against the false positive rate as the
    threshold falls. The legend holds the area under each curve (AUROC), the
    most frequent label first. Labels that all examples have, or that none has,
    do not have a curve. They are left out of the plot and of the mean in its
    title, and the legend says so.

    Args:
        targets: Array `(n, labels)` of 0 and 1, the labels that each example
            has.
        scores: Float array `(n, labels)`, such as logits. A higher score means
            that the label is more likely.
        label_names: List of strings, the names of the labels.
        max_curves: Integer, number of labels that are drawn in colour and
            named: the most frequent ones. The others are thin and grey.
        ax: Axes to draw on. Defaults to those of a new figure.

    Returns:
        The figure.

    Raises:
        ImportError: if scikit-learn is not installed.
        ValueError: if shapes do not fit, `targets` holds anything but 0 and 1,
            `scores` holds NaN or infinity, `max_curves` is not a positive
            integer, or there is no label that some examples have and others
            do not have.
    """
    max_curves = check_integer("max_curves", max_curves)
    # This checks the arrays too, and that scikit-learn is installed.
    macro, areas = macro_auroc(targets, scores)
    targets, scores = np.asarray(targets), np.asarray(scores)
    check_names("label_names", label_names, targets.shape[1])
    by_frequency = np.argsort(-targets.mean(axis=0), kind="stable")
    drawn = by_frequency[~np.isnan(areas[by_frequency])]
    left_out = np.flatnonzero(np.isnan(areas))
    ax = axes_or_new(ax)
    coloured, grey = drawn[:max_curves], drawn[max_curves:]
    handles = []
    for rank, index in enumerate(coloured):
        label = f"{label_names[index]}: {areas[index]:.3f}"
        curve = _curve(targets[:, index], scores[:, index])
        handles += ax.plot(*curve, **_style(rank), label=label)
    for rank, index in enumerate(grey):
        curve = _curve(targets[:, index], scores[:, index])
        # Behind the coloured curves.
        lines = ax.plot(*curve, color="0.75", linewidth=0.6, zorder=1)
        if rank == 0:  # one line in the legend for all of them
            lines[0].set_label(f"{len(grey)} less frequent")
            handles += lines
    if len(left_out):
        note = _note([label_names[index] for index in left_out])
        handles += ax.plot([], [], " ", label=note)
    # The expected curve of guesses.
    ax.plot([0, 1], [0, 1], color="black", linestyle=":", linewidth=0.8)
    noun = "label" if len(drawn) == 1 else "labels"
    ax.set_title(f"Mean AUROC {macro:.3f} of {len(drawn)} {noun}")
    ax.set_xlabel("false positive rate")
    ax.set_ylabel("true positive rate")
    # Room for the curves that run along the edges.
    ax.margins(0.02)
    _legend_beside(ax, handles)
    return ax.figure


def _curve(targets, scores):
    """False and true positive rates."""
    from sklearn.metrics import roc_curve  # an optional dependency

    return roc_curve(targets, scores)[:2]


def _style(rank):
    style = LINE_STYLES[rank // NUM_COLOURS % len(LINE_STYLES)]
    return {"color": f"C{rank % NUM_COLOURS}", "linestyle": style}


def _note(names):
    """Text about the labels without a curve."""
    named = ", ".join(map(str, names))
    if len(names) > MAX_NAMES_LEFT_OUT:
        named = f"{len(names)} labels"
    text = f"left out, since all or none have it: {named}"
    return textwrap.fill(text, width=NOTE_WIDTH_CHARACTERS)


def _legend_beside(ax, handles):
    """Puts the legend beside the axes: curves may pass anywhere inside them."""
    # With its own choice of handles, a legend omits labels that begin with "_".
    legend = ax.legend(
        handles=handles,
        loc="upper left",
        bbox_to_anchor=(1.02, 1),
        title="AUROC",
    )
    for text in legend.get_texts():
        # Names may hold dollar signs.
        text.set_parse_math(False)
