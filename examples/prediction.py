"""What a saved model gives from the command line."""

import zipfile

import click
import keras


def load_model(path):
    """A saved model.

    Args:
        path: `pathlib.Path` of a `.keras` file that an example wrote.

    Raises:
        click.UsageError: if the file is not a model.
    """
    if not zipfile.is_zipfile(path):
        raise click.UsageError(f"--model: not a .keras file: {str(path)!r}")
    try:
        return keras.models.load_model(path, compile=False)
    # A damaged archive raises errors of half a dozen modules.
    except Exception as error:
        raise click.UsageError(
            f"--model: cannot be read: {str(path)!r}: {error}"
        ) from error


def predict(path, inputs, num_classes, activation):
    """Probabilities of the classes by a saved model.

    Args:
        path: `pathlib.Path` of a `.keras` file that an example wrote.
        inputs: Array, the raw inputs of the model, batch first.
        num_classes: Integer, number of logits that it must have.
        activation: Function of Keras from logits to probabilities.

    Returns:
        Float array `(batch, classes)`.

    Raises:
        click.UsageError: if the file is not such a model, or the inputs do not
            fit it.
    """
    model = load_model(path)
    shapes = [
        getattr(model, name, None) for name in ("input_shape", "output_shape")
    ]
    expected = [(None, *inputs.shape[1:]), (None, num_classes)]
    if shapes != expected:
        raise click.UsageError(
            f"--model: {str(path)!r} must have the shape of inputs and outputs "
            f"{expected}, and has {shapes}. Was it trained by this example?"
        )
    logits = model.predict(inputs, verbose=0).astype("float32")
    return keras.ops.convert_to_numpy(activation(logits))
