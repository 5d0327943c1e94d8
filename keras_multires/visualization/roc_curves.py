import textwrap

import numpy as np

from keras_multires._validation import check_integer
from keras_multires.metrics import macro_auroc
from keras_multires.visualization.arguments import axes_or_new
from keras_multires.visualization.arguments import check_axes
from keras_multires.visualization.arguments import check_names

# With more labels than this left out, the picture says only how many.
MOST_NAMED = 6

# Colours repeat after ten curves; then the style of the line changes.
LINE_STYLES = ("-", "--", "-.", ":")


def plot_roc_curves(targets, scores, label_names, max_curves=10, ax=None):
    """Draws a ROC curve for each label of a multi-label task.

    The true against the false positive rate as the threshold falls, with the
    area under the curve (AUROC) in the legend, the most frequent label first.
    Labels that all or none of the examples have allow no curve: they are left
    out, also of the mean in the title, and the picture says so.

    Args:
        targets: Array `(n, labels)` of 0 and 1, the labels that each example
            has.
        scores: Float array `(n, labels)`, the larger the likelier, such as
            logits.
        label_names: List of strings, the names of the labels.
        max_curves: Integer, number of labels, the most frequent, that are drawn
            in colour and named. The others are thin and grey.
        ax: Axes to draw on. By default those of a new figure.

    Returns:
        The figure.

    Raises:
        ImportError: if scikit-learn is not installed.
        ValueError: if shapes do not fit, `targets` holds anything but 0 and 1,
            `scores` holds NaN or infinity, `max_curves` is not a positive
            integer, or there is no label that some examples have and others
            have not.
    """
    max_curves = check_integer("max_curves", max_curves)
    check_axes("ax", ax)
    # It checks the arrays, too, and that scikit-learn is there.
    macro, areas = macro_auroc(targets, scores)
    from sklearn.metrics import roc_curve

    targets, scores = np.asarray(targets), np.asarray(scores)
    check_names("label_names", label_names, targets.shape[1])
    by_frequency = np.argsort(-targets.mean(axis=0), kind="stable")
    drawn = [i for i in by_frequency if not np.isnan(areas[i])]
    left_out = np.flatnonzero(np.isnan(areas))
    ax = axes_or_new(ax)
    # By itself, a legend has no curves whose label begins with "_".
    handles = []
    for rank, index in enumerate(drawn):
        false_rate, true_rate, _ = roc_curve(
            targets[:, index], scores[:, index]
        )
        if rank < max_curves:
            style = {
                "color": f"C{rank % 10}",
                "linestyle": LINE_STYLES[rank // 10 % len(LINE_STYLES)],
                "label": f"{label_names[index]}: {areas[index]:.3f}",
            }
        else:
            # Behind the coloured curves, and one line in the legend for all.
            style = {"color": "0.75", "linewidth": 0.6, "zorder": 1}
            if rank == max_curves:
                style["label"] = f"{len(drawn) - max_curves} less frequent"
        curves = ax.plot(false_rate, true_rate, **style)
        if "label" in style:
            handles += curves
    if len(left_out):
        named = ", ".join(str(label_names[i]) for i in left_out[:MOST_NAMED])
        if len(left_out) > MOST_NAMED:
            named = f"{len(left_out)} labels"
        note = textwrap.fill(
            f"left out, since all or none have it: {named}", width=30
        )
        handles += ax.plot([], [], " ", label=note)
    # What guessing gives.
    ax.plot([0, 1], [0, 1], color="black", linestyle=":", linewidth=0.8)
    ax.set_title(
        f"Mean AUROC {macro:.3f} of {len(drawn)} "
        f"{'label' if len(drawn) == 1 else 'labels'}"
    )
    ax.set_xlabel("false positive rate")
    ax.set_ylabel("true positive rate")
    # Room for the curves that run along the edges.
    ax.margins(0.02)
    # Beside the axes: a curve may pass anywhere inside them.
    legend = ax.legend(
        handles=handles,
        loc="upper left",
        bbox_to_anchor=(1.02, 1),
        title="AUROC",
    )
    for text in legend.get_texts():
        text.set_parse_math(False)
    return ax.figure
