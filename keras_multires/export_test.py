import importlib.util

import keras
import numpy as np
import pytest
from keras import ops

from keras_multires import backend
from keras_multires.backend import is_exporting
from keras_multires.export import FORMATS
from keras_multires.export import export_step
from keras_multires.layers import MultiresLayer
from testing.models import classifier

BACKEND = keras.backend.backend()


def small_classifier(**options):
    sizes = {"length": 30, "hidden_dim": 4, "num_layers": 1}
    return classifier(3, **{"input_channels": 2, **sizes, **options})


@pytest.fixture(scope="module")
def model():
    return small_classifier()


def as_exporter(function, *arguments):
    """What a function returns below an exporter of the backend."""
    if BACKEND == "torch":
        import torch

        class Module(torch.nn.Module):
            def forward(self, *arguments):
                return function(*arguments)

        program = torch.export.export(Module(), arguments, strict=False)
        return program.module()(*arguments)
    names = {"__name__": "keras.src.export.onnx", "function": function}
    exec("def call(*arguments): return function(*arguments)", names)
    return names["call"](*arguments)


def test_is_exporting_recognizes_the_exporters_of_the_backend():
    seen = []

    def look(inputs):
        seen.append(is_exporting())
        return inputs + 1

    inputs = ops.ones((1,))
    look(inputs)
    as_exporter(look, inputs)
    assert seen[:2] == [False, True]


@pytest.mark.parametrize("algorithm", ["fft", "auto"])
def test_exported_layers_run_the_tree(algorithm):
    inputs = ops.convert_to_tensor(
        np.random.default_rng(0).normal(size=(1, 600, 256)), dtype="float32"
    )
    layer = MultiresLayer(depth=3, activation=None, algorithm=algorithm)
    before = ops.convert_to_numpy(layer(inputs))
    tree = MultiresLayer(depth=3, activation=None, algorithm="tree")
    tree.build(inputs.shape)
    tree.set_weights(layer.get_weights())
    expected = ops.convert_to_numpy(tree(inputs))
    # By rounding alone, but it tells them apart.
    assert np.any(before != expected)
    exported = ops.convert_to_numpy(
        ops.stop_gradient(as_exporter(layer, inputs))
    )
    np.testing.assert_array_equal(exported, expected)
    np.testing.assert_array_equal(ops.convert_to_numpy(layer(inputs)), before)


@pytest.mark.parametrize("format", FORMATS)
def test_formats_that_the_backend_cannot_write_are_refused(
    format, model, tmp_path
):
    if format in backend.EXPORT_FORMATS:
        return
    with pytest.raises(ValueError, match=f"the backend {BACKEND} exports to"):
        model.export(tmp_path / "model", format=format)
    assert not list(tmp_path.iterdir())


def test_errors_name_missing_packages(model, tmp_path, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    (package, *_), _ = backend.EXPORT_FORMATS["onnx"]
    with pytest.raises(ImportError, match=f"pip install {package}"):
        model.export(tmp_path / "model.onnx", format="onnx")
    with pytest.raises(ImportError, match=f"pip install {package}"):
        export_step(model, tmp_path / "model.onnx")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("format", "dtype"),
    [
        (format, dtype)
        for format, (_, dtypes) in backend.EXPORT_FORMATS.items()
        for dtype in dtypes
    ],
)
def test_dtypes_that_a_file_cannot_compute_in_are_refused(
    format, dtype, tmp_path
):
    model = small_classifier(dtype=f"mixed_{dtype}")
    message = f"cannot compute in {dtype}"
    with pytest.raises(ValueError, match=message) as error:
        model.export(tmp_path / "model", format=format)
    if format == "onnx":
        with pytest.raises(ValueError, match=message):
            export_step(model, tmp_path / "step.onnx")
    assert not list(tmp_path.iterdir())
    # What the message says to do.
    assert "keras.config.set_dtype_policy" in str(error.value)
    copy = small_classifier()
    copy.set_weights(model.get_weights())
    inputs = np.random.default_rng(0).normal(size=(2, 30, 2))
    expected = model.predict_on_batch(inputs).astype("float32")
    received = copy.predict_on_batch(inputs)
    assert received.dtype == "float32"
    np.testing.assert_allclose(received, expected, atol=0.05)


def test_unknown_formats_are_refused(model, tmp_path):
    with pytest.raises(ValueError, match="`format`"):
        model.export(tmp_path / "model", format="pdf")


def test_models_that_are_not_built_are_refused(tmp_path):
    model = small_classifier(input_channels=None)
    if BACKEND == "torch":
        with pytest.raises(ValueError, match="`export` needs a built"):
            model.export(tmp_path / "model.pt2", format="torch")


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("model", {"model": keras.layers.Dense(1)}),
        ("model", {"model": None}),
        ("filepath", {"filepath": ""}),
        ("batch_size", {"batch_size": 0}),
    ],
)
def test_errors_of_export_step_name_the_bad_argument(
    name, arguments, model, tmp_path
):
    right = {"model": model, "filepath": tmp_path / "step.onnx"}
    with pytest.raises(ValueError, match=f"`{name}`"):
        export_step(**{**right, **arguments})
