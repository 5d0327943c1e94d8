"""Draws the pictures of the guide into `docs/images`.

    python docs/draw_pictures.py

`tree.png` shows what one time step remembers, `data_flow.png` how data run
through a model. Both need matplotlib only.
"""

import itertools
from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.patches import Circle
from matplotlib.patches import FancyArrowPatch
from matplotlib.patches import FancyBboxPatch
from matplotlib.patches import Rectangle

FOLDER = Path(__file__).parent / "images"
DPI = 120

INK = "#2b2d42"
GREY = "#8d93a1"
FAINT = "#dcdfe5"
BLUE = "#2a6fbb"
PALE_BLUE = "#dbe8f6"
ORANGE = "#d9730d"
PALE_ORANGE = "#fce6d2"
GREEN = "#2f8f5b"
PALE_GREEN = "#d9f0e3"


def blank_axes(width, height, scale):
    """Axes whose unit is `scale` inches, without ticks or a frame."""
    figure = Figure(figsize=(width * scale, height * scale), facecolor="white")
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_xlim(0, width)
    axes.set_ylim(0, height)
    axes.axis("off")
    return figure, axes


def draw_arrow(axes, start, end, color=INK, curve=0.0, width=1.3, style="-"):
    axes.add_patch(
        FancyArrowPatch(
            start,
            end,
            arrowstyle="-|>",
            mutation_scale=10,
            connectionstyle=f"arc3,rad={curve}",
            color=color,
            linewidth=width,
            linestyle=style,
            shrinkA=0,
            shrinkB=0,
            zorder=4,
        )
    )


# ---- the tree -------------------------------------------------------------

DEPTH = 4
STEPS = 2**DEPTH


def draw_tree():
    """The tree of the present output, for K = 2 and four levels."""
    left, bottom, row_height = 2.6, 1.8, 1.75
    figure, axes = blank_axes(25.6, 11.0, 0.36)

    def place(step, level):
        """Centre of the approximation of a level, `step` steps back."""
        return left + STEPS - 1 - step, bottom + row_height * level

    detail_column = left + STEPS + 0.55
    readout = (detail_column + 3.0, place(0, 2)[1])

    axes.text(
        0.3,
        10.4,
        "What a time step remembers",
        fontsize=13,
        weight="bold",
        color=INK,
        va="center",
    )
    axes.text(
        10.6,
        10.37,
        f"$K = 2$ taps, $J = {DEPTH}$ levels: "
        f"{DEPTH + 1} coefficients see {STEPS} steps",
        fontsize=11,
        color=GREY,
        va="center",
    )
    for level in range(DEPTH + 1):
        name = rf"$a_{level}$" if level else "$x = a_0$"
        axes.text(
            left - 0.75,
            place(0, level)[1],
            name,
            fontsize=12,
            color=INK,
            ha="right",
            va="center",
        )

    # Signals as far back as each level of the tree looks.
    for level in range(DEPTH + 1):
        for step in range(STEPS):
            used = step == 0 or (level < DEPTH and step % 2**level == 0)
            axes.add_patch(
                Circle(
                    place(step, level),
                    0.27,
                    facecolor=PALE_BLUE if used else "white",
                    edgecolor=BLUE if used else FAINT,
                    linewidth=1.3,
                    zorder=3 if used else 0,
                )
            )
    for level in range(1, DEPTH + 1):
        spacing = 2 ** (level - 1)
        for step in range(0, STEPS, 2**level):
            for lag in (0, spacing):
                (x0, y0), (x1, y1) = (
                    place(step + lag, level - 1),
                    place(step, level),
                )
                axes.plot(
                    (x0, x1), (y0, y1), color=BLUE, linewidth=1.4, zorder=1
                )
        for lag in (0, spacing):
            x0, y0 = place(lag, level - 1)
            axes.plot(
                (x0, detail_column),
                (y0, place(0, level)[1]),
                color=ORANGE,
                linewidth=1.2,
                linestyle=(0, (4, 2)),
                zorder=2,
            )

    # The coefficients of the memory, and the readout.
    remembered = [(place(0, DEPTH), f"a_{DEPTH}", BLUE, PALE_BLUE)]
    for level in range(DEPTH, 0, -1):
        centre = (detail_column, place(0, level)[1])
        remembered.append((centre, f"b_{level}", ORANGE, PALE_ORANGE))
    for (x, y), name, edge, face in remembered:
        if name.startswith("b"):
            axes.add_patch(
                Rectangle(
                    (x - 0.42, y - 0.36),
                    0.84,
                    0.72,
                    facecolor=face,
                    edgecolor=edge,
                    linewidth=2.2,
                    zorder=3,
                )
            )
        else:
            axes.add_patch(
                Circle(
                    (x, y),
                    0.46,
                    facecolor=face,
                    edgecolor=edge,
                    linewidth=2.2,
                    zorder=3,
                )
            )
        axes.text(
            x,
            y,
            f"${name}$",
            fontsize=10.5,
            color=INK,
            ha="center",
            va="center",
            zorder=5,
        )
    for (x, y), name, edge, _ in remembered:
        if name.startswith("a"):
            draw_arrow(
                axes,
                (x + 0.2, y + 0.44),
                (readout[0] + 0.25, readout[1] + 0.6),
                edge,
                curve=-0.62,
            )
            continue
        dx, dy = readout[0] - x, readout[1] - y
        length = (dx**2 + dy**2) ** 0.5
        draw_arrow(
            axes,
            (x + 0.5, y),
            (readout[0] - 0.66 * dx / length, readout[1] - 0.66 * dy / length),
            edge,
        )
    present = place(0, 0)
    draw_arrow(
        axes,
        (present[0] + 0.35, present[1]),
        (readout[0], readout[1] - 0.65),
        GREEN,
        curve=0.32,
    )
    axes.text(
        readout[0] + 0.1,
        present[1] + 0.75,
        "skip weight",
        fontsize=10,
        color=GREEN,
        va="center",
    )
    axes.add_patch(
        Circle(
            readout,
            0.62,
            facecolor="white",
            edgecolor=INK,
            linewidth=1.6,
            zorder=5,
        )
    )
    axes.text(
        *readout, r"$\Sigma$", fontsize=14, ha="center", va="center", zorder=6
    )
    draw_arrow(
        axes, (readout[0] + 0.65, readout[1]), (readout[0] + 2.0, readout[1])
    )
    axes.text(
        readout[0] + 2.1,
        readout[1],
        "$y[n]$",
        fontsize=12,
        color=INK,
        va="center",
    )

    # The axis of time, and how far back each coefficient reaches.
    for step in range(STEPS):
        name = "$n$" if step == 0 else f"$n - {step}$" if step % 5 == 0 else ""
        axes.text(
            place(step, 0)[0],
            bottom - 0.62,
            name,
            fontsize=10,
            color=INK,
            ha="center",
            va="center",
        )
    axes.text(
        left - 1.05,
        bottom - 0.62,
        "time",
        fontsize=10,
        color=INK,
        ha="right",
        va="center",
    )

    legend_y = 0.42
    x = left - 0.3
    axes.plot((x, x + 1.1), (legend_y,) * 2, color=BLUE, linewidth=1.4)
    axes.text(
        x + 1.35,
        legend_y,
        "scaling filter",
        fontsize=10,
        color=INK,
        va="center",
    )
    x += 5.6
    axes.plot(
        (x, x + 1.1),
        (legend_y,) * 2,
        color=ORANGE,
        linewidth=1.2,
        linestyle=(0, (4, 2)),
    )
    axes.text(
        x + 1.35,
        legend_y,
        "wavelet filter",
        fontsize=10,
        color=INK,
        va="center",
    )
    x += 5.8
    axes.add_patch(
        Rectangle(
            (x, legend_y - 0.27),
            0.7,
            0.54,
            facecolor=PALE_ORANGE,
            edgecolor=ORANGE,
            linewidth=2,
        )
    )
    axes.add_patch(
        Circle(
            (x + 1.2, legend_y),
            0.3,
            facecolor=PALE_BLUE,
            edgecolor=BLUE,
            linewidth=2,
        )
    )
    axes.text(
        x + 1.75,
        legend_y,
        "remembered at $n$, one weight each",
        fontsize=10,
        color=INK,
        va="center",
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
