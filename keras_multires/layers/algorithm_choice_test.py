import json
import statistics
from pathlib import Path

import pytest

from conftest import BACKEND
from keras_multires.layers.algorithm_choice import fft_is_faster

RESULTS = Path(__file__).parents[2] / "benchmarks" / "results"
GRID = json.loads((RESULTS / f"{BACKEND}.json").read_text())["auto"]


@pytest.mark.parametrize("tree_and_fft", GRID)
def test_the_rule_takes_what_was_measured_to_be_faster(tree_and_fft):
    tree, fft = tree_and_fft
    shape = (tree["batch_size"], tree["length"], tree["channels"])
    seconds = [statistics.median(r["seconds"]) for r in (tree, fft)]
    chosen = seconds[fft_is_faster(*shape)]
    assert chosen <= 1.1 * min(seconds)


def test_a_batch_of_unknown_size_is_a_large_one():
    assert fft_is_faster(None, 64, 1)
    assert not fft_is_faster(None, 15, 1000)
