"""Exports of each backend, run without Keras.

They give the table in `docs/export.md`. To write it after a change:

    UPDATE_DOCS=1 python -m pytest integration_tests/export_test.py
"""

import functools
import json
import os

import pytest

from keras_multires.export import export_step
from keras_multires.models import MultiresClassifier
from keras_multires.models import MultiresNet
from testing.faults import full_disk
from testing.paths import ROOT
from testing.programs import run_program

DOCS = ROOT / "docs" / "export.md"
TITLES = {"tensorflow": "TensorFlow", "jax": "JAX", "torch": "PyTorch"}
FORMATS = {"onnx": ".onnx", "tf_saved_model": "", "litert": ".tflite"}
FORMATS["torch"] = ".pt2"
MODELS = ("classifier", "causal_lm", "functional")
STREAMS = ("layer", "net", "classifier", "density_model", "causal_lm")
# Formats that Keras does not export from a backend.
IMPOSSIBLE = {
    ("jax", "litert"),
    ("jax", "torch"),
    ("tensorflow", "torch"),
    ("torch", "tf_saved_model"),
}
TOLERANCE = 1e-5
# Four units in the last place, of outputs of about 1.
POLICIES = {"mixed_float16": 4 * 2**-10, "mixed_bfloat16": 4 * 2**-7}


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """For each backend, errors of exports and differences of outputs."""
    folders = {name: tmp_path_factory.mktemp(name) for name in TITLES}
    for backend, folder in folders.items():
        run_program("export_models", folder, backend=backend)
    run_program("run_exports", *folders.values(), backend="jax")
    return {
        backend: [
            json.loads((folder / f"{name}.json").read_text())
            for name in ("errors", "differences")
        ]
        for backend, folder in folders.items()
    }


@pytest.mark.parametrize("backend", TITLES)
@pytest.mark.parametrize("format", FORMATS)
def test_exports_match_the_models_or_fail_with_a_clear_message(
    results, backend, format
):
    errors, differences = results[backend]
    for model in MODELS:
        file = model + FORMATS[format]
        if (backend, format) in IMPOSSIBLE:
            assert file not in differences
            if model != "functional":  # which Keras itself exports
                assert errors[file].startswith("ValueError: `format` must be")
                assert f"the backend {backend}" in errors[file]
            continue
        assert errors[file] is None
        assert differences[file]["1"] <= TOLERANCE
        if (backend, format) == ("torch", "litert"):
            assert "RuntimeError" in differences[file]["3"]
        else:
            assert differences[file]["3"] <= TOLERANCE


# LiteRT takes long; PyTorch's files of it hold the length, too.
FAST_FORMATS = ("onnx", "tf_saved_model", "torch")
POSSIBLE = [
    (backend, format)
    for backend in TITLES
    for format in FAST_FORMATS
    if (backend, format) not in IMPOSSIBLE
]


@pytest.mark.parametrize(("backend", "format"), POSSIBLE)
def test_exports_without_a_fixed_length_take_sequences_of_any_length(
    results, backend, format
):
    errors, differences = results[backend]
    file = f"any_length{FORMATS[format]}"
    assert errors[file] is None
    assert list(differences[file]) == ["3", "1", "first steps"]
    for difference in differences[file].values():
        assert difference <= TOLERANCE


@pytest.mark.parametrize(("backend", "format"), POSSIBLE)
@pytest.mark.parametrize("policy", POLICIES)
def test_exports_compute_in_the_precision_of_the_model(
    results, backend, format, policy
):
    errors, differences = results[backend]
    file = policy + FORMATS[format]
    if (format, policy) == ("onnx", "mixed_bfloat16"):
        assert "cannot compute in bfloat16" in errors[file]
        assert file not in differences
        return
    assert errors[file] is None
    for difference in differences[file].values():
        assert difference <= POLICIES[policy]


@pytest.mark.parametrize("backend", TITLES)
@pytest.mark.parametrize("model", STREAMS)
def test_exported_steps_give_the_outputs_of_the_whole_record(
    results, backend, model
):
    errors, differences = results[backend]
    assert errors[f"{model}_step.onnx"] is None
    assert differences[f"{model}_step.onnx"] <= TOLERANCE


@pytest.mark.parametrize(
    "export",
    [functools.partial(MultiresClassifier.export, format="onnx"), export_step],
)
def test_an_export_that_fails_keeps_the_earlier_file(tmp_path, export):
    backbone = MultiresNet(32, 1, length=16, input_channels=2)
    model = MultiresClassifier(backbone, num_classes=3)
    path = tmp_path / "model.onnx"
    path.write_bytes(b"earlier")
    with full_disk(4096), pytest.raises(OSError, match="too large"):
        export(model, path)
    assert path.read_bytes() == b"earlier"
    assert list(tmp_path.iterdir()) == [path]


def table(results):
    def cell(backend, names):
        _, differences = results[backend]
        found = [differences.get(name) for name in names]
        if None in found:
            return "no"
        if isinstance(found[0], float):
            works = max(found) <= TOLERANCE
            return "yes" if works else "no"
        by_size = [
            all(
                isinstance(sizes[size], float) and sizes[size] <= TOLERANCE
                for sizes in found
            )
            for size in ("1", "3")
        ]
        if all(by_size):
            return "yes"
        return "yes, one batch size a file" if by_size[0] else "no"

    rows = {
        f'`format="{format}"`': [model + suffix for model in MODELS]
        for format, suffix in FORMATS.items()
    }
    rows["`export_step`"] = [f"{model}_step.onnx" for model in STREAMS]
    lines = [
        f"| | {' | '.join(TITLES.values())} |",
        "|---" * (1 + len(TITLES)) + "|",
    ]
    for title, names in rows.items():
        cells = [cell(backend, names) for backend in TITLES]
        lines.append(f"| {title} | {' | '.join(cells)} |")
    return "\n".join(lines)


def test_the_table_in_the_docs_is_what_the_exports_gave(results):
    begin, end = "<!-- table -->\n", "\n<!-- end of table -->"
    text = DOCS.read_text()
    assert text.count(begin) == text.count(end) == 1
    before, _, rest = text.partition(begin)
    found, _, after = rest.partition(end)
    expected = table(results)
    if os.environ.get("UPDATE_DOCS"):
        DOCS.write_text(before + begin + expected + end + after)
    else:
        assert found == expected
