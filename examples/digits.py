"""Classifies handwritten digits, read pixel by pixel.

Trains a small `MultiresClassifier` on scikit-learn's 1,797 digits of 8 x 8
pixels as sequences of 64 steps, in about a minute on a laptop's processor:

    python -m pip install ".[jax,examples]"
    python examples/digits.py

It leaves the model (`model.keras`, which takes raw pixels from 0 to 16), the
loss and accuracy of each epoch (`log.csv`), the results (`metrics.json`) and a
picture of them (`overview.png`).
"""

import click
from command_line import Preset
from command_line import training_options

PRESETS = {
    "small": Preset(
        model={"hidden_dim": 64, "num_layers": 3},
        learning_rate=0.02,
        weight_decay=0.01,
        epochs=20,
        batch_size=64,
    ),
    "smoke": Preset(
        model={"hidden_dim": 8, "num_layers": 2},
        learning_rate=0.02,
        weight_decay=0.01,
        epochs=2,
        batch_size=64,
    ),
}


@click.command()
@training_options("runs/digits", PRESETS)
def main(options):
    """Train a classifier of handwritten digits, read pixel by pixel."""
    from experiment import SingleLabel
    from experiment import train_and_test
    from training import Run

    from keras_multires.datasets import digits

    run = Run("digits", options)
    with run.scope():
        model = build_model(options.preset.model)
    model, log, results, figure = train_and_test(
        run,
        SingleLabel([str(digit) for digit in range(10)]),
        model,
        build_baseline(),
        digits.load_data(),
    )
    run.finish(
        model,
        log,
        "the digits of scikit-learn",
        results,
        {"overview.png": figure},
    )


def build_model(settings):
    """A model from pixels `(batch, 64, 1)`, 0 to 16, to logits `(batch, 10)`.

    Args:
        settings: Dict of arguments of `MultiresClassifier`.
    """
    import keras

    from keras_multires.models import MultiresClassifier

    pixels, scaled = _inputs()
    classifier = MultiresClassifier(
        num_classes=10,
        length=64,
        input_channels=1,
        independent_skip=True,
        normalization="batch",
        dropout=0.1,
        **settings,
        name="classifier",
    )
    return keras.Model(pixels, classifier(scaled))


def build_baseline():
    """A model that is linear in the pixels."""
    import keras

    pixels, scaled = _inputs()
    flat = keras.layers.Flatten()(scaled)
    logits = keras.layers.Dense(10, dtype="float32")(flat)
    return keras.Model(pixels, logits, name="linear_in_the_pixels")


def _inputs():
    import keras

    pixels = keras.Input((64, 1), name="pixels")
    return pixels, keras.layers.Rescaling(1 / 8, offset=-1)(pixels)


if __name__ == "__main__":
    main()
