import contextlib

import keras

from keras_multires._files import replace_whole
from keras_multires._validation import check_path
from keras_multires.export import check_export


class Exports:
    """Mix-in for models: `export` needs no call before it, and says what fails.

    A model that uses this has the attribute `vocabulary_size` if its inputs may
    be token ids.
    """

    def export(
        self,
        filepath,
        format="tf_saved_model",
        verbose=None,
        input_signature=None,
        **kwargs,
    ):
        """Exports the model for inference without Keras.

        A file is there whole or not: after an error, an earlier one stays as
        it was. (A SavedModel is a folder, which is written in its place.)

        Args:
            filepath: As in `keras.Model.export`.
            format: As in `keras.Model.export`: `"tf_saved_model"`, `"onnx"`,
                `"litert"` or `"torch"`, where the backend can.
            verbose: As in `keras.Model.export`; of a file, whether to say
                where it was saved, as by default.
            input_signature: As in `keras.Model.export`. By default a batch of
                any size of the shape that the model was built with, where the
                format has batches of any size.
            **kwargs: As in `keras.Model.export`.

        Raises:
            ValueError: if the backend cannot export to the format, or not in
                the dtype that the model computes in, or the model is not
                built, or `filepath` is no path.
            ImportError: if a package that it takes is not installed.
            OSError: if the file cannot be written.
        """
        check_export(format, self.compute_dtype)
        if not self.built:
            raise ValueError(
                "`export` needs a built model: call the model on inputs, or "
                "its `build` with their shape, first."
            )
        if input_signature is None:
            input_signature = self._default_signature()
        if format == "torch" and "dynamic_shapes" not in kwargs:
            kwargs["dynamic_shapes"] = _dynamic_shapes(input_signature)
        path = check_path("filepath", filepath)
        # Neither a folder nor a file of another machine is replaced.
        replaces = format != "tf_saved_model" and "://" not in str(filepath)
        with contextlib.ExitStack() as stack:
            if format == "litert" and keras.backend.backend() == "torch":
                stack.enter_context(_jax_x64())
            super().export(
                stack.enter_context(replace_whole(path))
                if replaces
                else filepath,
                format=format,
                # Keras would name the file by what it is called before.
                verbose=False if replaces else verbose,
                input_signature=input_signature,
                **kwargs,
            )
        if replaces and verbose in (None, True):
            print(f"Saved artifact at {str(filepath)!r}.")

    def _default_signature(self):
        tokens = getattr(self, "vocabulary_size", None) is not None
        shape = self.get_build_config()["input_shape"]
        spec = keras.InputSpec(
            shape=(None, *shape[1:]),
            # Under a mixed policy the model itself casts its inputs.
            dtype="int32" if tokens else self.variable_dtype,
            name="inputs",
        )
        return [spec]


@contextlib.contextmanager
def _jax_x64():
    """JAX's 64 bits, in which litert-torch converts token ids.

    It asks for them when it is imported; Keras takes them back after the first
    export.
    """
    import jax

    before = jax.config.jax_enable_x64
    jax.config.update("jax_enable_x64", True)
    try:
        yield
    finally:
        jax.config.update("jax_enable_x64", before)


def _dynamic_shapes(input_signature):
    """Of `torch.export`: which axes of the inputs may have any size."""
    import torch

    batch = torch.export.Dim("batch")
    shapes = []
    for index, spec in enumerate(input_signature):
        shapes.append(
            {
                axis: torch.export.Dim(f"size_{index}_{axis}")
                if axis
                else batch
                for axis, size in enumerate(spec.shape)
                if size is None
            }
        )
    return tuple(shapes) if any(shapes) else None
