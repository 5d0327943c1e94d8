import json
import statistics
from pathlib import Path

import pytest

from keras_multires.backend import fft_is_faster
from testing.backends import BACKEND

RESULTS = Path(__file__).parents[2] / "benchmarks" / "results"
GRID = json.loads((RESULTS / f"{BACKEND}.json").read_text())["auto"]

# Shapes that were timed in other runs: the FFT's time by the tree's.
OTHERS = {
    "jax": {(1, 64, 1024): 0.17, (1, 128, 256): 0.14},
    "tensorflow": {
        (1, 32, 1024): 0.31,
        (1, 64, 1024): 1.66,
        (1, 128, 256): 1.16,
        (1, 256, 512): 0.88,
        (2, 64, 256): 0.80,
    },
    "torch": {
        (1, 256, 256): 1.25,
        (8, 16, 256): 1.32,
        (8, 64, 256): 0.83,
        (16, 256, 16): 0.94,
    },
}[BACKEND]


@pytest.mark.parametrize("tree_and_fft", GRID)
def test_the_rule_chooses_what_was_measured_to_be_faster(tree_and_fft):
    tree, fft = tree_and_fft
    shape = (tree["batch_size"], tree["length"], tree["channels"])
    seconds = [statistics.median(r["seconds"]) for r in (tree, fft)]
    chosen = seconds[fft_is_faster(*shape)]
    assert chosen <= 1.1 * min(seconds)


@pytest.mark.parametrize(("shape", "ratio"), OTHERS.items())
def test_the_rule_holds_for_shapes_outside_the_grid(shape, ratio):
    assert fft_is_faster(*shape) == (ratio < 1)


def test_a_batch_of_unknown_size_counts_as_large():
    assert fft_is_faster(None, 64, 1)
    assert not fft_is_faster(None, 15, 1000)
