"""Saved models, used from the command line."""

import zipfile

import click
import keras

from keras_multires.models import MultiresClassifier


def load_model(path, model_class):
    """A saved model.

    Args:
        path: `pathlib.Path` of a `.keras` file that a lesson wrote.
        model_class: Class that the model must have.

    Raises:
        click.UsageError: if the file does not hold such a model.
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
    if not isinstance(model, model_class):
        raise click.UsageError(
            f"--model: {str(path)!r} must hold a `{model_class.__name__}`. "
            f"Received: {model}. Was it trained by this example?"
        )
    return model


def predict_classes(path, inputs, num_classes, activation):
    """Probabilities of the classes by a saved classifier.

    Args:
        path: `pathlib.Path` of a `.keras` file that a lesson wrote.
        inputs: Array, the raw inputs of the model, batch first.
        num_classes: Integer, number of logits that it must have.
        activation: Function of Keras from logits to probabilities.

    Returns:
        Float array `(batch, classes)`.

    Raises:
        click.UsageError: if the file does not hold such a model, or the inputs
            do not fit it.
    """
    model = load_model(path, MultiresClassifier)
    backbone = model.backbone
    received = (backbone.length,)
    if backbone.vocabulary_size is None:
        received += (backbone.input_channels,)
    expected = inputs.shape[1:]
    if (received, model.num_classes) != (expected, num_classes):
        raise click.UsageError(
            f"--model: {str(path)!r} must take inputs of shape {expected} and "
            f"know {num_classes} classes. Received a model with inputs of "
            f"shape {received} and {model.num_classes} classes. Was it trained "
            "by this example?"
        )
    # Not in half precision, which NumPy does not know.
    logits = model.predict(inputs, verbose=0).astype("float32")
    return keras.ops.convert_to_numpy(activation(logits))
