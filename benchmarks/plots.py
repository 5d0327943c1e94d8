"""Pictures of the results of all backends that lie in one folder."""

import itertools
import json
import statistics

from benchmarks.suites import slope

NAMES = {"jax": "JAX", "tensorflow": "TensorFlow", "torch": "PyTorch"}
COLORS = {"jax": "C0", "tensorflow": "C1", "torch": "C2"}


def read_results(path):
    """The dict that a file of results holds.

    Raises:
        ValueError: if the file is damaged.
    """
    try:
        results = json.loads(path.read_text())
    except (ValueError, RecursionError):
        results = None
    if not isinstance(results, dict):
        raise ValueError(f"Not results of the benchmarks: {path}. Delete it.")
    return results


def draw(folder):
    """Draws what the JSON files of a folder hold, into the same folder."""
    results = {
        backend: read_results(path)
        for backend in NAMES
        if (path := folder / f"{backend}.json").exists()
    }
    for name, draw_one in (
        ("ratios", draw_ratios),
        ("lengths", draw_lengths),
        ("streaming", draw_streaming),
    ):
        figure = draw_one(results)
        if figure is not None:
            figure.savefig(folder / f"{name}.png", dpi=110)


def _figure(columns):
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.5 * columns, 4), layout="constrained")
    return figure, figure.subplots(1, columns, squeeze=False)[0]


def _plain_numbers(axis):
    """Ticks of a log axis as 2, 5, 10 rather than powers of ten."""
    from matplotlib.ticker import LogLocator
    from matplotlib.ticker import NullFormatter
    from matplotlib.ticker import StrMethodFormatter

    axis.set_major_locator(LogLocator(10, subs=(1, 2, 5)))
    axis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axis.set_minor_formatter(NullFormatter())


def draw_ratios(results):
    """How many times as long, and as much memory, as ours the others take."""
    groups = {}
    for backend, result in results.items():
        for group in result.get("layer", []):
            if group[0]["backward"]:
                for other in group[1:]:
                    groups.setdefault(other["contender"], {})[backend] = other
        for group in result.get("step", []):
            label = f"{group[0]['preset']}\nstep"
            groups.setdefault(label, {})[backend] = group[1]
    if not groups:
        return None
    labels = {
        "plain": "plain\nPyTorch",
        "plain-compiled": "plain,\ncompiled",
        "lstm": "LSTM",
        "gru": "GRU",
        "attention": "attention",
    }
    figure, axes = _figure(2)
    for axis, key, title in (
        (axes[0], "ratio", "time"),
        (axes[1], "memory_ratio", "peak memory"),
    ):
        width = 0.8 / len(results)
        for index, backend in enumerate(results):
            places = [
                place
                for place, group in enumerate(groups.values())
                if backend in group
            ]
            found = [g[backend] for g in groups.values() if backend in g]
            heights = [other[key] for other in found]
            spread = None
            if key == "ratio":
                spread = [
                    [other["ratio"] - other["spread"][0] for other in found],
                    [other["spread"][1] - other["ratio"] for other in found],
                ]
            axis.bar(
                [place + (index + 0.5) * width - 0.4 for place in places],
                heights,
                width,
                yerr=spread,
                capsize=2,
                color=COLORS[backend],
                label=NAMES[backend],
            )
        axis.axhline(1, color="black", linewidth=0.8)
        axis.set_yscale("log")
        _plain_numbers(axis.yaxis)
        axis.set_xticks(
            range(len(groups)),
            [labels.get(name, name) for name in groups],
            fontsize=7,
        )
        axis.set_ylabel(f"{title}, multiples of ours")
    axes[0].set_title(
        "a layer, 8 x 1,024 x 256, and training steps", fontsize=9
    )
    axes[0].legend(fontsize=8)
    return figure


def draw_lengths(results):
    """Time and memory against length, on log axes, with fitted slopes."""
    curves = []
    for backend, result in results.items():
        groups = result.get("lengths", [])
        for index, style in ((0, "o-"), (1, "x--")):
            found = [group[index] for group in groups if len(group) > index]
            if len(found) > 1:
                name = NAMES[backend] if index == 0 else "plain PyTorch"
                color = COLORS[backend] if index == 0 else "gray"
                curves.append((name, style, color, found))
    if not curves:
        return None
    figure, axes = _figure(2)
    for axis, label, value in (
        (axes[0], "time / s", lambda r: statistics.median(r["seconds"])),
        (axes[1], "peak memory / MiB", lambda r: r["peak_bytes"] / 2**20),
    ):
        drawn = set()
        for name, style, color, found in curves:
            if name in drawn:  # the plain layer ran beside each backend
                continue
            drawn.add(name)
            points = [(r["length"], value(r)) for r in found]
            axis.plot(
                *zip(*points, strict=True),
                style,
                color=color,
                label=f"{name}{slope_label(points)}",
            )
        axis.set(
            xscale="log", yscale="log", xlabel="length / steps", ylabel=label
        )
        lengths = [r["length"] for r in curves[0][-1]]
        axis.set_xticks(lengths, [f"{length:,}" for length in lengths])
        axis.minorticks_off()
        _plain_numbers(axis.yaxis)
        axis.legend(
            fontsize=8, title="slopes from 16,384 steps on", title_fontsize=8
        )
    axes[0].set_title("1 x length x 64, forward and backward", fontsize=9)
    return figure


def slope_label(points):
    """Slope from 16,384 steps on: what is constant weighs no more there."""
    points = [point for point in points if point[0] >= 2**14]
    return f", slope {slope(points):.2f}" if len(points) > 1 else ""


def draw_streaming(results):
    """Time of a step against the length of the context."""
    if not any("streaming" in result for result in results.values()):
        return None
    figure, axes = _figure(1)
    figure.set_size_inches(6.5, 4)  # beside the legend
    for backend, result in results.items():
        cases = list(itertools.chain(*result.get("streaming", [])))
        for batch_size, style in ((1, "o-"), (64, "x--")):
            found = [c for c in cases if c["batch_size"] == batch_size]
            axes[0].plot(
                [2 ** case["depth"] for case in found],
                [1e6 * statistics.median(case["seconds"]) for case in found],
                style,
                color=COLORS[backend],
                label=f"{NAMES[backend]}, batch of {batch_size}",
            )
    axes[0].set(
        xscale="log",
        yscale="log",
        xlabel="context / steps",
        ylabel="time of a step / µs",
        title="MultiresNet.step, 2 blocks of 64 channels",
    )
    _plain_numbers(axes[0].yaxis)
    figure.legend(fontsize=8, loc="outside right upper")
    return figure
