"""What every backend must do, run on the one that Keras has."""

import re
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import ops

import keras_multires
from keras_multires import backend
from testing.backends import run_function
from testing.second_derivatives import gradient_of

LIBRARY = Path(keras_multires.__file__).parent


def tensor(array, dtype="float32"):
    return ops.convert_to_tensor(np.asarray(array), dtype=dtype)


def numbers(tensor):
    return ops.convert_to_numpy(ops.stop_gradient(tensor))


def test_the_docstring_lists_every_function_of_the_contract():
    listed = re.findall(r"^- `(\w+)", backend.__doc__, re.MULTILINE)
    assert sorted(listed) == sorted(["NAME", *backend.CONTRACT])
    assert all(hasattr(backend, name) for name in listed)


@pytest.mark.parametrize("name", ["jax", "tensorflow", "torch"])
def test_all_modules_offer_the_contract(name):
    source = (LIBRARY / "backend" / f"{name}.py").read_text()
    for offered in backend.CONTRACT:
        pattern = rf"^(def {offered}\(|{offered} = )"
        assert re.search(pattern, source, re.MULTILINE), offered


# What a file would contain that asks which backend runs, imports a backend, or
# depends on the names of exporters or of Keras's own modules.
BACKEND_QUESTIONS = (
    r"keras\.backend\.backend\(\)|backend\.NAME\s*[=!]=|KERAS_BACKEND[\"']\]"
    r"|^\s*(import|from) (jax|tensorflow|torch|jax2onnx|tf2onnx)\b"
    r"|[\"'](jax2onnx|tf2onnx|onnxscript|litert_torch)|keras\.src"
)
# It chooses the backend, before Keras is imported.
CHOOSES_THE_BACKEND = {"_backend_choice.py"}


def test_no_other_file_of_the_library_asks_which_backend_runs():
    asking = []
    for path in LIBRARY.rglob("*.py"):
        place = path.relative_to(LIBRARY).as_posix()
        if (
            place.startswith("backend/")
            or place.endswith("_test.py")
            or place in CHOOSES_THE_BACKEND
        ):
            continue
        if re.search(BACKEND_QUESTIONS, path.read_text(), re.MULTILINE):
            asking.append(place)
    assert not asking


@pytest.mark.parametrize("dtype", ["float32", "int32", "bfloat16", "bool"])
def test_dtypes_have_the_names_of_keras(dtype):
    assert backend.dtype_name(ops.zeros((2,), dtype=dtype).dtype) == dtype


def test_only_tensors_outside_of_a_trace_have_values(mode):
    assert backend.has_values(np.ones(2))
    assert backend.has_values(tensor([1.0]))
    assert not backend.has_values(keras.KerasTensor((2,)))
    seen = []

    def look(inputs):
        seen.append(backend.has_values(inputs))
        return inputs + 1

    run_function(look, mode)(tensor([1.0]))
    assert seen[0] == (mode == "eager")


def test_nothing_is_exported_here():
    assert not backend.is_exporting()


@pytest.mark.parametrize(("length", "taps"), [(1, 1), (9, 9), (30, 4)])
def test_the_fft_convolves_causally_and_its_gradients_correlate(length, taps):
    rng = np.random.default_rng(0)
    inputs, cotangent = rng.normal(size=(2, 3, length, 2))
    kernel = rng.normal(size=(taps, 2))
    expected = np.zeros_like(inputs)
    by_inputs, by_kernel = np.zeros_like(inputs), np.zeros_like(kernel)
    for lag in range(taps):
        kept = length - lag
        expected[:, lag:] += kernel[lag] * inputs[:, :kept]
        by_inputs[:, :kept] += kernel[lag] * cotangent[:, lag:]
        by_kernel[lag] = (cotangent[:, lag:] * inputs[:, :kept]).sum((0, 1))

    def by_output(inputs, kernel):
        outputs = backend.fft_convolve(inputs, kernel)
        return ops.sum(outputs * tensor(cotangent))

    inputs, kernel = tensor(inputs), tensor(kernel)
    outputs = backend.fft_convolve(inputs, kernel)
    gradients = (
        gradient_of(lambda inputs: by_output(inputs, kernel))(inputs),
        gradient_of(lambda kernel: by_output(inputs, kernel))(kernel),
    )

    np.testing.assert_allclose(numbers(outputs), expected, atol=1e-5)
    for gradient, correct in zip(
        gradients, (by_inputs, by_kernel), strict=True
    ):
        gradient = numbers(ops.stop_gradient(gradient))
        np.testing.assert_allclose(gradient, correct, atol=1e-4)


@pytest.mark.parametrize("in_place", [False, True])
def test_slots_are_written_and_read(in_place):
    history = np.random.default_rng(0).normal(size=(2, 6, 3)).astype("float32")
    values = np.random.default_rng(1).normal(size=(2, 2, 3)).astype("float32")
    slots = np.array([4, 1], "int32")
    expected = history.copy()
    expected[:, slots] = values

    written = backend.write_slots(
        tensor(history), tensor(slots, "int32"), tensor(values), in_place
    )

    np.testing.assert_array_equal(numbers(written), expected)
    read = backend.read_slots(written, tensor(slots, "int32"))
    np.testing.assert_array_equal(numbers(read), values)


def test_a_transition_maps_the_values_of_each_channel():
    rng = np.random.default_rng(0)
    transition, values = rng.normal(size=(4, 5, 3)), rng.normal(size=(2, 5, 3))
    results = backend.apply_transition(tensor(transition), tensor(values))
    expected = np.einsum("rvc,bvc->brc", transition, values)
    np.testing.assert_allclose(numbers(results), expected, atol=1e-5)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_layer_norm_is_computed_in_the_dtype_of_its_weights(dtype):
    rng = np.random.default_rng(0)
    inputs = tensor(rng.normal(3, 2, size=(2, 5, 7)), dtype)
    scale, offset = rng.normal(size=(2, 7))
    outputs = backend.layer_norm(inputs, tensor(scale), tensor(offset), 0.1)
    exact = numbers(ops.cast(inputs, "float32")).astype("float64")
    exact -= exact.mean(-1, keepdims=True)
    exact *= scale / np.sqrt(exact.var(-1, keepdims=True) + 0.1)
    assert backend.dtype_name(outputs.dtype) == dtype
    np.testing.assert_allclose(
        numbers(ops.cast(outputs, "float32")),
        exact + offset,
        atol={"float32": 1e-5, "bfloat16": 0.03}[dtype],
    )


def test_a_layer_is_called_in_inference_mode():
    layer = keras.layers.BatchNormalization()
    layer.build((None, 4, 3))
    inputs = tensor(np.random.default_rng(0).normal(5, 2, size=(2, 4, 3)))
    outputs = backend.call_layer(layer, inputs, training=False)
    np.testing.assert_allclose(
        numbers(outputs), numbers(inputs) / np.sqrt(1.001), rtol=1e-5
    )
    assert not np.any(numbers(layer.moving_mean))


def test_a_loop_carries_several_tensors_and_fills_the_outputs():
    inputs = np.arange(1, 6, dtype="float32")

    def step(carried, value):
        total, count = carried
        total = total + value
        return (total, count + 1), total / (count + 1)

    outputs = backend.loop(
        step,
        (ops.zeros(()), ops.zeros(())),
        tensor(inputs),
        ops.zeros((5,)),
    )

    expected = np.cumsum(inputs) / np.arange(1, 6)
    np.testing.assert_allclose(numbers(outputs), expected, rtol=1e-6)


def test_a_compiled_function_reads_the_weights_at_each_call():
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    count = keras.Variable(np.zeros(()), dtype="float32")

    def function(inputs, state):
        count.assign(count + 1)
        return model(inputs), {"past": state["past"] + 1}

    run = backend.compiled(model, function, state=[count], donated=1)
    inputs, state = tensor(np.ones((1, 2))), {"past": ops.zeros((3,))}
    for factor in (1.0, -2.0):
        model.set_weights([np.full((2, 1), factor), np.zeros(1)])
        outputs, state = run(inputs, state)
        np.testing.assert_allclose(numbers(outputs), [[2 * factor]])
    np.testing.assert_array_equal(numbers(count.value), 2)
    np.testing.assert_array_equal(
        numbers(ops.convert_to_tensor(state["past"])), np.full(3, 2)
    )


def test_functions_without_gradients_give_the_same():
    double = backend.without_gradients(lambda inputs: 2 * inputs)
    np.testing.assert_array_equal(numbers(double(tensor([1.0, 3.0]))), [2, 6])


def test_optimizers_of_one_backend_are_replaced_by_those_of_keras():
    config = {
        "optimizer": {
            "module": "keras.src.backend.torch.optimizers.torch_adam",
            "class_name": "Adam",
            "config": {"learning_rate": 0.1},
        },
        "loss": {"module": "keras.losses", "class_name": "Huber"},
    }
    portable = backend.for_any_backend(config)
    assert portable["optimizer"]["module"] == "keras.optimizers"
    assert portable["loss"] == config["loss"]


def test_each_format_is_exported_by_some_backend():
    for format in ("tf_saved_model", "onnx", "litert", "torch"):
        names = backend.backends_that_export(format)
        assert (backend.NAME in names) == (format in backend.EXPORT_FORMATS)
        assert names
