"""Runs what `export_models.py` wrote, without Keras, for `export_test.py`.

    python integration_tests/programs/run_exports.py FOLDER ...

writes how far the outputs are from those of the models, by batch size.
"""

import json
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import tensorflow as tf
import torch
from ai_edge_litert.interpreter import Interpreter

TYPES = {"tensor(float)": "float32", "tensor(int32)": "int32"}


def load_onnx(path):
    session = onnxruntime.InferenceSession(path)
    names = [part.name for part in session.get_inputs()]

    def run(*inputs):
        return session.run(None, dict(zip(names, inputs, strict=True)))[0]

    return run


def load_litert(path):
    interpreter = Interpreter(str(path))

    def run(*inputs):
        # In the order of the names that Keras gave, with a number each.
        details = sorted(
            interpreter.get_input_details(), key=lambda part: part["name"]
        )
        for part, array in zip(details, inputs, strict=True):
            interpreter.resize_tensor_input(
                part["index"], array.shape, strict=True
            )
        interpreter.allocate_tensors()
        for part, array in zip(details, inputs, strict=True):
            interpreter.set_tensor(part["index"], array)
        interpreter.invoke()
        (result,) = interpreter.get_output_details()
        return interpreter.get_tensor(result["index"])

    return run


def load_saved_model(path):
    model = tf.saved_model.load(path)

    def run(*inputs):
        arguments = inputs if len(inputs) == 1 else [list(inputs)]
        return model.serve(*arguments).numpy()

    # The model must outlive its function.
    run.model = model
    return run


def load_torch(path):
    module = torch.export.load(path).module()

    def run(*inputs):
        arguments = [torch.from_numpy(array) for array in inputs]
        if len(arguments) > 1:
            arguments = [arguments]
        # NumPy knows no bfloat16.
        return module(*arguments).detach().float().numpy()

    return run


LOADERS = {
    "": load_saved_model,
    ".onnx": load_onnx,
    ".tflite": load_litert,
    ".pt2": load_torch,
}


def run_whole(path, inputs, outputs):
    """Differences by batch size, or what was raised."""
    results = {}
    run = LOADERS[path.suffix](path)
    parts = {size: np.s_[:size] for size in (len(outputs), 1)}
    if path.stem == "any_length":
        # The layers are causal: these steps do not know of later ones, though
        # they are fewer than a filter goes back.
        parts["first steps"] = np.s_[:, :3]
    for name, part in parts.items():
        try:
            received = run(*(array[part] for array in inputs))
        except Exception as error:
            results[name] = f"{type(error).__name__}: {error}"
        else:
            results[name] = difference(received, outputs[part])
    return results


def run_steps(path, inputs, outputs):
    """Difference of a graph of a step, fed one time step after the other."""
    session = onnxruntime.InferenceSession(path)
    names = [part.name for part in session.get_inputs()]
    state = [
        np.zeros(part.shape, TYPES[part.type])
        for part in session.get_inputs()[1:]
    ]
    received = []
    for index in range(inputs.shape[1]):
        step = inputs[:, index : index + 1]
        arguments = dict(zip(names, [step, *state], strict=True))
        output, *state = session.run(None, arguments)
        received.append(output)
    if outputs.ndim == 2:  # logits of the sequence so far
        return difference(received[-1], outputs)
    return difference(np.concatenate(received, axis=1), outputs)


def difference(received, expected):
    assert received.shape == expected.shape, (received.shape, expected.shape)
    return float(np.abs(received.astype("float32") - expected).max())


def main(folder):
    results = {}
    for path in sorted(folder.glob("*")):
        if path.suffix not in LOADERS:
            continue
        with np.load(path.with_suffix(".npz")) as file:
            arrays = dict(file)
        outputs = arrays.pop("outputs")
        inputs = list(arrays.values())
        if path.stem.endswith("_step"):
            results[path.name] = run_steps(path, *inputs, outputs)
        else:
            results[path.name] = run_whole(path, inputs, outputs)
    (folder / "differences.json").write_text(json.dumps(results, indent=2))


if __name__ == "__main__":
    assert "keras_multires" not in sys.modules
    for argument in sys.argv[1:]:
        main(Path(argument))
