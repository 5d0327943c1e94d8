"""Export: models, and their streaming steps, as files that run without Keras.

The errors of Keras's converters do not say what a backend cannot do. So this is
checked before an export starts.
"""

import contextlib
import importlib.util

import keras
from keras import ops

from keras_multires import backend
from keras_multires._files import replace_whole
from keras_multires._packages import missing_package
from keras_multires._validation import check_built
from keras_multires._validation import check_choice
from keras_multires._validation import check_integer
from keras_multires._validation import check_path
from keras_multires._validation import require

__all__ = ["check_export", "export_model", "export_step"]

FORMATS = ("tf_saved_model", "onnx", "litert", "torch")
FLOATS = ("bfloat16", "float16", "float32", "float64")

_OTHER_BACKEND = (
    "save the model, set KERAS_BACKEND, and load it in a new process."
)
_IN_FLOAT32 = (
    "Export a copy of the model that computes in float32: "
    "keras.config.set_dtype_policy('float32'), make the model again, and "
    "copy.set_weights(model.get_weights())."
)


def check_export(format, dtype="float32"):
    """Raises an error for an export that cannot work.

    Args:
        format: The `format` of `keras.Model.export`.
        dtype: String, the float dtype that the model computes in.

    Raises:
        ValueError: if an argument is not of this kind, or the backend cannot
            export to the format, or not in this dtype.
        ImportError: if a package that the format needs is not installed.
    """
    check_choice("format", format, FORMATS)
    check_choice("dtype", dtype, FLOATS)
    here = f"the backend {backend.NAME}"
    others = " or ".join(backend.backends_that_export(format))
    expected = f"`format` must be one that {here} exports to. {format!r} takes "
    expected += f"the backend {others}: {_OTHER_BACKEND}"
    require(format in backend.EXPORT_FORMATS, expected, format=format)
    modules, impossible_dtypes = backend.EXPORT_FORMATS[format]
    expected = f"With {here}, a file of format={format!r} cannot compute in "
    expected += f"{dtype}. {_IN_FLOAT32}"
    received = f"a model that computes in {dtype}"
    require(dtype not in impossible_dtypes, expected, received)
    for module in modules:
        package = module.replace("_", "-")
        if importlib.util.find_spec(module) is None:
            reason = f"With {here}, format={format!r} takes {package}"
            raise missing_package(reason, package)


def export_model(
    model,
    filepath,
    format="tf_saved_model",
    verbose=None,
    input_signature=None,
    **kwargs,
):
    """Exports a model for inference without Keras.

    A file is there whole or not at all: after an error, an earlier one stays as
    it was. (A SavedModel is a folder, which is written in its place.)

    Args:
        model: A `keras.Model`: one of this library, or one that contains some.
        filepath: As in `keras.Model.export`.
        format: As in `keras.Model.export`: `"tf_saved_model"`, `"onnx"`,
            `"litert"` or `"torch"`, if the backend can.
        verbose: As in `keras.Model.export`. For a file, whether to print where
            it was saved, as by default.
        input_signature: As in `keras.Model.export`. By default a batch of any
            size of the shape that the model was built with, if the format has
            batches of any size.
        **kwargs: As in `keras.Model.export`.

    Raises:
        ValueError: if the backend cannot export to the format, or not in the
            dtype that the model computes in, or the model is not built, or
            `filepath` is not a path.
        ImportError: if a package that the format needs is not installed.
        OSError: if the file cannot be written.
    """
    check_export(format, model.compute_dtype)
    check_built(model, "export")
    path = check_path("filepath", filepath)
    if input_signature is None and hasattr(model, "built_shape"):
        shape = (None, *model.built_shape[1:])
        input_signature = [_input_spec(model, shape)]
    if input_signature is not None:
        options = backend.export_options(format, input_signature)
        kwargs = {**options, **kwargs}
    # Neither a folder nor a file of another machine is replaced.
    replaces = format != "tf_saved_model" and "://" not in str(filepath)
    with contextlib.ExitStack() as stack:
        stack.enter_context(backend.export_context(format))
        if replaces:
            filepath = stack.enter_context(replace_whole(path))
        keras.Model.export(
            model,
            filepath,
            format=format,
            # Keras would print the name that the file has before.
            verbose=False if replaces else verbose,
            input_signature=input_signature,
            **kwargs,
        )
    if replaces and verbose in (None, True):
        print(f"Saved artifact at {str(path)!r}.")


def _input_spec(model, shape):
    task = getattr(model, "backbone", model)
    has_tokens = getattr(task, "vocabulary_size", None) is not None
    return keras.InputSpec(
        shape=shape,
        # Under a mixed policy, the model itself casts its inputs.
        dtype="int32" if has_tokens else model.variable_dtype,
        name="inputs",
    )


def export_step(model, filepath, batch_size=1):
    """Writes the step of a model as an ONNX graph: state in, state out.

    The graph takes the next time step of each sequence, and the state. It gives
    what `model.step` returns. It holds the weights, and what a step needs of
    them, as constants.

    The file is there whole or not at all: after an error, an earlier one stays
    as it was.

    Before the first time step the state is all zeros, of the shapes and dtypes
    that the inputs of the graph have.

    Args:
        model: A built `MultiresLayer`, `MultiresBlock`, `MultiresNet`,
            `MultiresClassifier`, `MultiresDensityModel` or `MultiresCausalLM`.
        filepath: `str` or `pathlib.Path`, the file to write.
        batch_size: Integer, sequences that run side by side.

    Returns:
        List of the names of the graph's inputs. The first, `"inputs"`, is
        `(batch_size, 1, channels)` in the compute dtype of the model, or
        `(batch_size, 1)` in int32 if inputs are token ids. The others are the
        tensors of the state, such as `"state.0.history"`. The outputs come in
        the same order: `"outputs"`, then `"next_state.0.history"` and so on.

    Raises:
        ValueError: if an argument is not of this kind, or the model is not
            built.
        ImportError: if a package that the format needs is not installed.
        OSError: if the file cannot be written.
    """
    is_right = isinstance(model, keras.layers.Layer) and hasattr(model, "step")
    expected = "`model` must be a model or layer of this library with a `step`."
    require(is_right, expected, model=model)
    filepath = check_path("filepath", filepath)
    batch_size = check_integer("batch_size", batch_size)
    check_export("onnx", model.compute_dtype)
    check_built(model, "export_step")
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
        state = model.get_initial_state(batch_size)
        self.model = model
        self.pack = lambda parts: keras.tree.pack_sequence_as(state, parts)
        # As an array it becomes a constant of the graph.
        self.transition = keras.tree.map_structure(
            ops.convert_to_numpy, model.transition()
        )
        if hasattr(model, "built_shape"):
            channels = model.built_shape[2:]
        else:
            channels = model.get_build_config()["input_shape"][2:]
        self.specs = [_input_spec(model, (batch_size, 1, *channels))]
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
