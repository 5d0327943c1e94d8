"""Export: models, and their streaming steps, as files that run without Keras.

`Model.export` is Keras's method. What it cannot do is said here before it
starts, since the errors of the converters do not tell.
"""

import importlib.util

import keras
from keras import ops

from keras_multires._files import replace_whole
from keras_multires._validation import check_choice
from keras_multires._validation import check_integer
from keras_multires._validation import check_path

# For each format that Keras and its converters write of these models, with
# each backend: the modules that they need.
CONVERTERS = {
    "tf_saved_model": {"tensorflow": (), "jax": ("tensorflow",)},
    "onnx": {
        "tensorflow": ("onnx", "tf2onnx"),
        "jax": ("jax2onnx",),
        "torch": ("onnx", "onnxscript"),
    },
    "litert": {"tensorflow": (), "torch": ("litert_torch",)},
    "torch": {"torch": ()},
}
# What the runtimes cannot compute in, or the converters cannot write.
IMPOSSIBLE_DTYPES = {
    ("onnx", "tensorflow"): ("bfloat16",),
    ("onnx", "jax"): ("bfloat16",),
    ("onnx", "torch"): ("bfloat16",),
    ("litert", "tensorflow"): ("bfloat16", "float16"),
    ("litert", "torch"): ("bfloat16",),
}


def check_export(format, dtype="float32"):
    """Raises an error for an export that cannot work.

    Args:
        format: The `format` of `keras.Model.export`.
        dtype: String, the float dtype that the model computes in.

    Raises:
        ValueError: if an argument is not of this kind, or the backend cannot
            export to the format, or not in this dtype.
        ImportError: if a package that it takes is not installed.
    """
    check_choice("format", format, tuple(CONVERTERS))
    check_choice("dtype", dtype, ("bfloat16", "float16", "float32", "float64"))
    backend = keras.backend.backend()
    backends = CONVERTERS[format]
    if backend not in backends:
        raise ValueError(
            f"`format` must be one that the backend {backend} exports to. "
            f"{format!r} takes the backend {' or '.join(backends)}: save the "
            "model, set KERAS_BACKEND, and load it in a new process. "
            f"Received: format={format!r}"
        )
    if dtype in IMPOSSIBLE_DTYPES.get((format, backend), ()):
        raise ValueError(
            f"With the backend {backend}, a file of format={format!r} cannot "
            f"compute in {dtype}. Export a copy of the model that computes in "
            "float32: copy = type(model).from_config({**model.get_config(), "
            "'dtype': 'float32'}), then copy.build(model.get_build_config()"
            "['input_shape']) and copy.set_weights(model.get_weights()). "
            f"Received: a model that computes in {dtype}"
        )
    for module in backends[backend]:
        if importlib.util.find_spec(module) is None:
            package = module.replace("_", "-")
            raise ImportError(
                f"With the backend {backend}, format={format!r} takes "
                f"{package}, which is not installed. Install it: pip install "
                f"{package}"
            )


def export_step(model, filepath, batch_size=1):
    """Writes the step of a model as an ONNX graph: state in, state out.

    The graph takes the next time step of each sequence, and the state; it gives
    what `model.step` returns. It holds the weights, and what a step needs of
    them, as constants.

    The file is there whole or not: after an error, an earlier one stays as it
    was.

    Before the first time step the state is all zeros, of the shapes and dtypes
    that the inputs of the graph tell.

    Args:
        model: A built `MultiresLayer`, `MultiresBlock`, `MultiresNet`,
            `MultiresClassifier`, `MultiresDensityModel` or `MultiresCausalLM`.
        filepath: `str` or `pathlib.Path`, the file to write.
        batch_size: Integer, sequences that are run side by side.

    Returns:
        List of the names of the graph's inputs. The first, `"inputs"`, is
        `(batch_size, 1, channels)` in the compute dtype of the model, or
        `(batch_size, 1)` in int32 where inputs are token ids. The others are
        the tensors of the state, such as `"state.0.history"`. The outputs come
        in the same order: `"outputs"`, then `"next_state.0.history"` and so on.

    Raises:
        ValueError: if an argument is not of this kind, or the model is not
            built.
        ImportError: if a package that it takes is not installed.
        OSError: if the file cannot be written.
    """
    if not isinstance(model, keras.layers.Layer) or not hasattr(model, "step"):
        raise ValueError(
            "`model` must be a model or layer of this library that runs step "
            f"by step. Received: model={model!r}"
        )
    filepath = check_path("filepath", filepath)
    batch_size = check_integer("batch_size", batch_size)
    check_export("onnx", model.compute_dtype)
    if not model.built:
        raise ValueError(
            "`export_step` needs a built `model`: call it on inputs, or its "
            f"`build` with their shape, first. Received: model={model!r}"
        )
    step = _Step(model, batch_size)
    names = [spec.name for spec in step.specs]
    with replace_whole(filepath) as temporary:
        step.export(
            temporary,
            format="onnx",
            verbose=False,
            input_signature=[step.specs],
        )
        _rename(
            temporary, names, ["outputs", *(f"next_{n}" for n in names[1:])]
        )
    return names


class _Step(keras.Model):
    """The step of a model as a model of its own, on a flat list of tensors."""

    def __init__(self, model, batch_size):
        # The state has dtypes of its own.
        super().__init__(name="step", dtype=model.dtype_policy, autocast=False)
        state = model.initial_state(batch_size)
        self.model = model
        self.pack = lambda parts: keras.tree.pack_sequence_as(state, parts)
        # As an array it becomes a constant of the graph.
        self.transition = keras.tree.map_structure(
            ops.convert_to_numpy, model.transition()
        )
        tokens = getattr(model, "vocabulary_size", None) is not None
        channels = model.get_build_config()["input_shape"][2:]
        self.specs = [
            keras.InputSpec(
                shape=(batch_size, 1, *channels),
                # Under a mixed policy the step itself casts its inputs.
                dtype="int32" if tokens else model.variable_dtype,
                name="inputs",
            )
        ]
        for path, part in keras.tree.flatten_with_path(state):
            self.specs.append(
                keras.InputSpec(
                    shape=part.shape,
                    dtype=keras.backend.standardize_dtype(part.dtype),
                    name=".".join(map(str, ("state", *path))),
                )
            )
        self.built = True

    def call(self, inputs):
        inputs, *state = inputs
        transition = keras.tree.map_structure(
            ops.convert_to_tensor, self.transition
        )
        outputs, state = self.model.step(inputs, self.pack(state), transition)
        return [outputs, *keras.tree.flatten(state)]


def _rename(filepath, inputs, outputs):
    """Names the inputs and outputs of an ONNX graph, in their order.

    Each of the converters has names of its own.
    """
    import onnx

    model = onnx.load(filepath)
    graph = model.graph
    # A part of the state may be what came in, under the same name.
    came_in = {value.name for value in graph.input}
    for value, name in zip(graph.output, outputs, strict=True):
        if value.name in came_in:
            graph.node.append(
                onnx.helper.make_node("Identity", [value.name], [name])
            )
            value.name = name
    names = {}
    for values, wanted in ((graph.input, inputs), (graph.output, outputs)):
        for value, name in zip(values, wanted, strict=True):
            names[value.name] = name
            value.name = name
    for node in graph.node:
        node.input[:] = [names.get(name, name) for name in node.input]
        node.output[:] = [names.get(name, name) for name in node.output]
    onnx.save(model, filepath)
