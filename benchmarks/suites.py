"""What the benchmark measures: groups of cases that take turns.

Each suite is a function of the backend, of whether the run must be quick, and
of the fields that all cases share. It yields a list of results for each group,
as `contest.run` returns them.
"""

import itertools

import numpy as np

from benchmarks import contest

# Time steps, besides those of the paper's models.
LENGTHS = tuple(4**exponent for exponent in range(5, 10))
GRID_LENGTHS = tuple(4**exponent for exponent in range(2, 9))
GRID_SHAPES = ((1, 16), (16, 16), (1, 256), (8, 256))  # batch size, channels
# Larger cases take long and show nothing new.
MAX_NUMBERS = 2**22
# Batch size of each preset.
STEPS = {"scifar": 8, "listops": 4, "ptbxl_all": 16, "cifar10_density": 1}


def layer(backend, quick, contenders=(), **shared):
    """One layer against the plain one and Keras's own, forward and backward.

    Args:
        backend: Name of the backend.
        quick: Whether the run must be quick.
        contenders: Further names in `workloads.build`.
        **shared: Fields of all cases.
    """
    for backward in (True,) if quick else (True, False):
        case = {
            "kind": "layer",
            "batch_size": 8,
            "length": 1024,
            "channels": 256,
            "kernel_size": 2,
            "backward": backward,
            **shared,
        }
        names = ["multires", "plain", "attention", *contenders]
        cases = [{**case, "contender": name} for name in names]
        yield contest.run(cases, backend, rounds=3 if quick else 5)
        if backward and not quick:
            # Separate, and in few rounds: on PyTorch they take many seconds.
            names = ("multires", "lstm", "gru")
            cases = [{**case, "contender": name} for name in names]
            yield contest.run(cases, backend, rounds=2)


def step(backend, quick, batch_sizes=None, **shared):
    """Training steps of the paper's models against plain ones.

    Args:
        backend: Name of the backend.
        quick: Whether the run must be quick.
        batch_sizes: Dict, the batch size of each preset. Defaults to `STEPS`.
        **shared: Fields of all cases.
    """
    batch_sizes = batch_sizes or STEPS
    for preset in list(batch_sizes)[: 1 if quick else None]:
        case = {
            "kind": "step",
            "preset": preset,
            "batch_size": batch_sizes[preset],
            **shared,
        }
        cases = [{**case, "contender": name} for name in ("multires", "plain")]
        yield contest.run(cases, backend, rounds=3 if quick else 5)


def lengths(backend, quick, lengths=LENGTHS, **shared):
    """Time and memory of longer and longer sequences, forward and backward.

    Args:
        backend: Name of the backend.
        quick: Whether the run must be quick.
        lengths: Time steps.
        **shared: Fields of all cases.
    """
    for length in lengths[1::2] if quick else lengths:
        case = {
            "kind": "layer",
            "batch_size": 1,
            "length": length,
            "channels": 64,
            "backward": True,
            **shared,
        }
        contenders = ("multires",) if quick else ("multires", "plain")
        cases = [{**case, "contender": name} for name in contenders]
        yield contest.run(cases, backend, rounds=2 if quick else 3)


def auto(backend, quick, **shared):
    """The tree against the FFT, over lengths, channels and batch sizes."""
    if quick:
        return
    for (batch_size, channels), length in itertools.product(
        GRID_SHAPES, GRID_LENGTHS
    ):
        if batch_size * channels * length > MAX_NUMBERS:
            continue
        case = {
            "kind": "layer",
            "contender": "multires",
            "batch_size": batch_size,
            "length": length,
            "channels": channels,
            "backward": True,
            **shared,
        }
        cases = [{**case, "algorithm": name} for name in ("tree", "fft")]
        yield contest.run(cases, backend, rounds=3)


def streaming(backend, quick, **shared):
    """One step of a stream, against the length of what it remembers."""
    for batch_size in (1, 64):
        case = {
            "kind": "stream",
            "contender": "multires",
            "batch_size": batch_size,
            **shared,
        }
        depths = (6, 14) if quick else range(6, 17, 2)
        cases = [{**case, "depth": depth} for depth in depths]
        yield contest.run(cases, backend, rounds=3)


SUITES = {
    suite.__name__: suite for suite in (layer, step, lengths, auto, streaming)
}


def slope(points):
    """Slope of a straight line through `(x, y)` pairs, both on log axes."""
    x, y = np.log(np.asarray(points, dtype=float)).T
    return float(np.polyfit(x, y, 1)[0])
