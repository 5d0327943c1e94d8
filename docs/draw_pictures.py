"""Draws the pictures of the guide into `docs/images`.

    python docs/draw_pictures.py

`tree.png` shows what one time step remembers, `data_flow.png` how data run
through a model.
"""

import itertools
from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.patches import Circle
from matplotlib.patches import FancyArrowPatch
from matplotlib.patches import FancyBboxPatch

from keras_multires.ops import Tree
from keras_multires.visualization import plot_tree

FOLDER = Path(__file__).parent / "images"
DPI = 120

INK = "#2b2d42"
GREY = "#8d93a1"
BLUE = "#2a6fbb"
PALE_BLUE = "#dbe8f6"
ORANGE = "#d9730d"
PALE_ORANGE = "#fce6d2"
GREEN = "#2f8f5b"
PALE_GREEN = "#d9f0e3"
# As `plot_tree` draws details and inputs.
DETAIL = "C1"
SKIP = "0.15"


def blank_axes(width, height, scale):
    """Axes whose unit is `scale` inches, without ticks or a frame."""
    figure = Figure(figsize=(width * scale, height * scale), facecolor="white")
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_xlim(0, width)
    axes.set_ylim(0, height)
    axes.axis("off")
    return figure, axes


def draw_arrow(
    axes, start, end, color=INK, curve=0.0, gap_before=0, gap_after=0
):
    """An arrow. The gaps are in points."""
    axes.add_patch(
        FancyArrowPatch(
            start,
            end,
            arrowstyle="-|>",
            mutation_scale=10,
            connectionstyle=f"arc3,rad={curve}",
            color=color,
            linewidth=1.3,
            shrinkA=gap_before,
            shrinkB=gap_after,
            zorder=4,
        )
    )


# ---- the tree -------------------------------------------------------------

DEPTH = 4


def draw_tree():
    """The tree of the present output, for K = 2, and the sum that is read."""
    figure = Figure(figsize=(9.2, 4.2), facecolor="white")
    left, bottom, width, height = 0.08, 0.28, 0.66, 0.68
    axes = figure.add_axes((left, bottom, width, height))
    plot_tree(Tree.of(kernel_size=2, depth=DEPTH), ax=axes)
    axes.set_title("", loc="right")

    # The readout, beside the names of the coefficients.
    right = left + width
    readout = figure.add_axes((right, bottom, 1 - right, height))
    readout.axis("off")
    readout.set_xlim(0, 10)
    readout.set_ylim(axes.get_ylim())
    total = 6.3, DEPTH / 2
    for level in range(1, DEPTH + 1):
        start = 2.7 if level == DEPTH else 2.0, level
        draw_arrow(readout, start, total, DETAIL, gap_after=15)
    draw_arrow(
        readout, (0.3, 0), total, SKIP, curve=0.25, gap_before=2, gap_after=15
    )
    readout.plot(
        *total,
        marker="o",
        markersize=26,
        markerfacecolor="white",
        markeredgecolor=INK,
        zorder=5,
    )
    draw_arrow(readout, total, (8.3, total[1]), gap_before=15)
    for x, y, text, size in (
        (*total, r"$\Sigma$", 14),
        (9.1, total[1], "$y[n]$", 12),
        (7.0, DEPTH - 0.5, "weights $w$", 10),
        (7.5, 0.5, "skip weight $s$", 10),
    ):
        readout.text(
            x,
            y,
            text,
            fontsize=size,
            color=INK,
            ha="center",
            va="center",
            zorder=6,
        )
    return figure


# ---- the flow of data -----------------------------------------------------


def draw_box(axes, x, y, width, height, title, note=None, colors=None):
    """A rounded box around `(x, y)` with a title and a smaller note."""
    edge, face = colors or (INK, "white")
    axes.add_patch(
        FancyBboxPatch(
            (x - width / 2, y - height / 2),
            width,
            height,
            boxstyle="round,pad=0,rounding_size=0.25",
            facecolor=face,
            edgecolor=edge,
            linewidth=1.4,
            zorder=3,
        )
    )
    axes.text(
        x,
        y + (0.3 if note else 0),
        title,
        fontsize=10.5,
        color=INK,
        ha="center",
        va="center",
        zorder=5,
    )
    if note:
        axes.text(
            x,
            y - 0.36,
            note,
            fontsize=8.5,
            color=GREY,
            ha="center",
            va="center",
            zorder=5,
        )


def draw_shape(axes, x, y, text):
    axes.text(
        x,
        y,
        text,
        fontsize=8.5,
        color=GREY,
        ha="center",
        va="center",
        family="monospace",
    )


def draw_heading(axes, y, text):
    axes.text(0.3, y, text, fontsize=12, weight="bold", color=INK, va="center")


def draw_chain(axes, y, first, encoder, block, pooling, head, last):
    """A row of boxes from the inputs to the logits; returns where they are."""
    encoder_colors, block_colors = (INK, "white"), (BLUE, PALE_BLUE)
    places = {
        "first": (1.75, 2.9),
        "encoder": (6.0, 2.6),
        "block 1": (9.9, 2.6),
        "block N": (14.5, 2.6),
        "pooling": (18.2, 2.6),
        "head": (21.4, 2.0),
        "last": (24.2, 2.0),
    }
    boxes = (
        ("encoder", encoder, encoder_colors),
        ("block 1", (f"{block} 1", None), block_colors),
        ("block N", (f"{block} $N$", None), block_colors),
        ("pooling", pooling, (GREEN, PALE_GREEN)),
        ("head", head, encoder_colors),
    )
    for name, (title, note), colors in boxes:
        x, width = places[name]
        draw_box(axes, x, y, width, 1.6, title, note, colors)
    for name, text in (("first", first), ("last", last)):
        axes.text(
            places[name][0],
            y,
            text,
            fontsize=10.5,
            color=INK,
            ha="center",
            va="center",
        )
    names = list(places)
    for before, after in itertools.pairwise(names):
        (x0, width0), (x1, width1) = places[before], places[after]
        start, end = (x0 + width0 / 2, y), (x1 - width1 / 2, y)
        if after == "block N":
            middle = (start[0] + end[0]) / 2
            axes.text(
                middle,
                y + 0.05,
                "...",
                fontsize=14,
                color=INK,
                ha="center",
                va="center",
            )
            draw_arrow(axes, start, (middle - 0.35, y))
            draw_arrow(axes, (middle + 0.35, y), end)
        else:
            draw_arrow(axes, start, end)
    return {name: x for name, (x, _) in places.items()}


def draw_data_flow():
    """A classifier, one of its blocks, and the same for one time step."""
    figure, axes = blank_axes(25.6, 15.6, 0.36)

    # A whole sequence.
    y = 13.2
    draw_heading(axes, 15.0, "A whole sequence")
    places = draw_chain(
        axes,
        y,
        "inputs",
        ("Dense", "encoder"),
        "block",
        ("mean", "over time"),
        ("Dense", "head"),
        "logits",
    )
    shape_y = y - 1.25
    draw_shape(
        axes, places["first"] + 0.85, shape_y, "(batch, length, features)"
    )
    draw_shape(
        axes,
        (places["block 1"] + places["block N"]) / 2,
        y + 1.2,
        "(batch, length, channels)",
    )
    draw_shape(axes, 19.9, shape_y, "(batch, channels)")
    draw_shape(axes, places["last"] - 0.3, y - 1.25, "(batch, classes)")

    # One block, opened.
    top, bottom = 10.9, 5.9
    axes.add_patch(
        FancyBboxPatch(
            (0.35, bottom),
            24.9,
            top - bottom,
            boxstyle="round,pad=0,rounding_size=0.35",
            facecolor="#f5f9fd",
            edgecolor=BLUE,
            linewidth=1.1,
            zorder=0,
        )
    )
    for x, corner in ((8.6, 0.7), (11.2, 24.9)):
        axes.plot(
            (x, corner),
            (y - 0.8, top),
            color=BLUE,
            linewidth=0.9,
            linestyle=(0, (2, 2)),
            zorder=0,
        )
    axes.text(
        0.8,
        top - 0.5,
        "One block",
        fontsize=12,
        weight="bold",
        color=INK,
        va="center",
    )
    y = 8.9
    boxes = (
        (5.1, 5.4, "MultiresLayer", "convolution, GELU, dropout"),
        (10.6, 3.2, "Dense", "mixes channels"),
        (14.2, 1.9, "GLU", "gates"),
        (17.4, 2.6, "dropout", "of channels"),
        (22.8, 2.9, "norm", "layer or batch"),
    )
    for x, width, title, note in boxes:
        colors = (ORANGE, PALE_ORANGE) if x == 5.1 else (INK, "white")
        draw_box(axes, x, y, width, 1.7, title, note, colors)
    plus = (19.9, y)
    axes.add_patch(
        Circle(plus, 0.36, facecolor="white", edgecolor=INK, linewidth=1.4)
    )
    axes.text(*plus, "+", fontsize=13, ha="center", va="center")
    stops = (0.8, 2.4, 7.8, 9.0, 12.2, 13.25, 15.15, 16.1)
    stops += (18.7, 19.54, 20.26, 21.35, 24.25, 24.95)
    for start, end in zip(stops[::2], stops[1::2], strict=True):
        draw_arrow(axes, (start, y), (end, y))
    skip_y = y - 2.15
    axes.plot((1.5, 1.5, 19.9), (y, skip_y, skip_y), color=INK, linewidth=1.3)
    draw_arrow(axes, (19.9, skip_y), (19.9, y - 0.36))
    axes.text(
        11.0,
        skip_y - 0.4,
        "residual connection",
        fontsize=9,
        color=GREY,
        ha="center",
    )
    for x, text in (
        (5.1, "(batch, length, channels)"),
        (10.6, "(..., 2 x channels)"),
        (15.6, "(..., channels)"),
    ):
        draw_shape(axes, x, y - 1.3, text)

    # One step.
    y = 3.1
    draw_heading(axes, 4.9, "One time step: the same weights, and a state")
    places = draw_chain(
        axes,
        y,
        "next step",
        ("Dense", "encoder"),
        "block",
        ("mean", "so far"),
        ("Dense", "head"),
        "logits",
    )
    draw_shape(axes, places["first"] + 0.4, y - 1.25, "(batch, 1, features)")
    draw_shape(axes, places["last"] - 0.3, y - 1.25, "(batch, classes)")
    for name, text in (
        ("block 1", "past values"),
        ("block N", "past values"),
        ("pooling", "sum, count"),
    ):
        x = places[name]
        draw_box(axes, x, 0.75, 2.6, 0.8, text, colors=(GREY, "#f1f2f4"))
        draw_arrow(axes, (x - 0.5, 1.15), (x - 0.5, y - 0.8), GREY)
        draw_arrow(axes, (x + 0.5, y - 0.8), (x + 0.5, 1.15), GREY)
    axes.text(
        places["encoder"] + 0.9,
        0.75,
        "state",
        fontsize=10.5,
        color=INK,
        ha="center",
        va="center",
    )
    return figure


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    draw_tree().savefig(FOLDER / "tree.png", dpi=DPI)
    draw_data_flow().savefig(FOLDER / "data_flow.png", dpi=DPI)
