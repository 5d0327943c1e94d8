"""Predictions of a saved model from the command line."""

import zipfile

import click
import keras


def predict(path, inputs, activation):
    """Probabilities of the classes by a saved model.

    Args:
        path: `pathlib.Path` of a `.keras` file that an example wrote.
        inputs: Array, the raw inputs of the model, batch first.
        activation: Function of Keras from logits to probabilities.

    Returns:
        Float array `(batch, classes)`.

    Raises:
        click.UsageError: if the file is not such a model, or the inputs do not
            fit it.
    """
    if not zipfile.is_zipfile(path):
        raise click.UsageError(f"--model: not a .keras file: {str(path)!r}")
    try:
        model = keras.models.load_model(path, compile=False)
    # A damaged archive raises errors of half a dozen modules.
    except Exception as error:
        raise click.UsageError(
            f"--model: cannot be read: {str(path)!r}: {error}"
        ) from error
    if model.input_shape[1:] != inputs.shape[1:]:
        raise click.UsageError(
            f"--model: {str(path)!r} takes inputs of the shape "
            f"{model.input_shape[1:]}, not {inputs.shape[1:]}. Was it trained "
            "by this example?"
        )
    logits = model.predict(inputs, verbose=0).astype("float32")
    return keras.ops.convert_to_numpy(activation(logits))
