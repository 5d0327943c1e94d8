"""The benchmark compares equal computations, and its parts run."""

import json

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from keras import ops

from benchmarks import contest
from benchmarks import gpu
from benchmarks import suites
from benchmarks.__main__ import main
from benchmarks.plain_torch import PlainMultiresLayer
from keras_multires.layers import MultiresLayer

LAYER = {
    "kind": "layer",
    "batch_size": 2,
    "length": 40,
    "channels": 4,
    "backward": True,
}


@pytest.mark.parametrize("kernel_size", [2, 4])
def test_the_plain_pytorch_layer_gives_the_same_outputs(kernel_size):
    inputs = np.random.default_rng(0).normal(size=(2, 40, 3)).astype("float32")
    plain = PlainMultiresLayer(3, 40, kernel_size)
    layer = MultiresLayer(kernel_size, activation=None)
    layer.build(inputs.shape)
    for weight, published in (
        (layer.scaling_filter, plain.scaling_filter[:, 0].flip(-1).T),
        (layer.wavelet_filter, plain.wavelet_filter[:, 0].flip(-1).T),
        (layer.memory_weights, plain.weights[:, :-1].T),
        (layer.skip_weights, plain.weights[:, -1]),
    ):
        weight.assign(published.detach().numpy())

    outputs = ops.convert_to_numpy(layer(inputs))

    expected = plain(torch.from_numpy(inputs).transpose(1, 2)).transpose(1, 2)
    np.testing.assert_allclose(outputs, expected.detach(), atol=1e-5)


def test_a_contest_gives_seconds_ratios_and_memory():
    names = ("multires", "plain")
    cases = [{**LAYER, "contender": name} for name in names]

    ours, plain = contest.run(cases, "torch", rounds=2)

    assert len(ours["seconds"]) == len(plain["seconds"]) == 2
    ratios = np.divide(plain["seconds"], ours["seconds"])
    assert plain["ratio"] == pytest.approx(np.median(ratios))
    assert plain["spread"] == pytest.approx([min(ratios), max(ratios)])
    assert ours["peak_bytes"] > 0


@pytest.mark.parametrize(
    ("contender", "backend"), [("nothing", "torch"), ("multires", "nothing")]
)
def test_the_error_of_a_failed_case_names_the_case(contender, backend):
    with pytest.raises(RuntimeError, match=f"'contender': '{contender}'"):
        contest.run([{**LAYER, "contender": contender}], backend)


def test_the_slope_of_a_power_law_is_its_exponent():
    assert suites.slope([(n, 3 * n**1.5) for n in (1, 10, 100)]) == (
        pytest.approx(1.5)
    )


def test_the_command_writes_results_and_pictures(monkeypatch, tmp_path):
    def one_step(backend, quick, **shared):
        case = {"kind": "stream", "depth": 3, "batch_size": 1, **shared}
        yield contest.run([{**case, "contender": "multires"}], backend, 1)

    monkeypatch.setitem(suites.SUITES, "streaming", one_step)
    options = ["--backend", "torch", "--only", "streaming"]

    result = CliRunner().invoke(main, [*options, "--output", str(tmp_path)])

    assert result.exit_code == 0, result.output
    results = json.loads((tmp_path / "torch.json").read_text())
    assert results["streaming"][0][0]["seconds"][0] > 0
    assert (tmp_path / "streaming.png").stat().st_size > 10_000


def test_the_gpu_benchmark_runs_with_small_cases():
    parts = dict(gpu.parts("torch", small=True))
    assert list(parts)[:4] == ["golden", "layer", "bandwidth", "step"]

    (result,) = parts["bandwidth"]()

    assert result["fraction_of_bandwidth"] > 0
