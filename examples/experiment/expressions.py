"""What the lesson on ListOps does with expressions beside its model."""

import click
import keras
import numpy as np

from experiment.command_line import usage_errors
from experiment.prediction import predict_classes
from keras_multires.datasets import listops


def token_counts(inputs):
    """Layers that count how often each token occurs, and standardise that.

    Args:
        inputs: Token ids `(n, length)` whose counts get mean 0 and variance 1.

    Returns:
        List of Keras layers.
    """
    count = keras.layers.CategoryEncoding(
        len(listops.VOCABULARY), output_mode="count", dtype="float32"
    )
    standardize = keras.layers.Normalization(dtype="float32")
    tokens = keras.Input(inputs.shape[1:], dtype="int32")
    counts = keras.Sequential([tokens, count])
    standardize.adapt(counts.predict(inputs, verbose=0))
    return [count, standardize]


def predict(path, expressions):
    """Shows what a model takes for the values of expressions.

    Args:
        path: `pathlib.Path` of a trained model.
        expressions: Strings.
    """
    with usage_errors("--predict"):
        inputs = np.stack([_to_tokens(text) for text in expressions])
    probabilities = predict_classes(path, inputs, 10, keras.ops.softmax)
    for expression, row in zip(expressions, probabilities, strict=True):
        digit = row.argmax()
        click.echo(
            f"{expression}: {digit} ({row[digit]:.0%}); its value is "
            f"{listops.evaluate(expression)}"
        )


def _to_tokens(expression):
    """A padded row of token ids, uint8 `(2048,)`."""
    listops.evaluate(expression)  # an error says what is wrong
    ids = listops.tokenize(expression)
    if len(ids) > listops.LENGTH:
        raise ValueError(
            f"an expression has {len(ids) - 1} tokens, and the model takes "
            f"{listops.LENGTH - 1}"
        )
    return np.pad(ids, (0, listops.LENGTH - len(ids)))
