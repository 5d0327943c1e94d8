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
import experiment  # before Keras, whose backend it chooses
import keras

from keras_multires import visualization
from keras_multires.datasets import digits
from keras_multires.models import MultiresClassifier
from keras_multires.models import MultiresNet

SMALL = {
    "model": {"hidden_dim": 64, "num_layers": 3},
    "learning_rate": 0.02,
    "weight_decay": 0.01,
    "epochs": 20,
    "batch_size": 64,
}
# For the tests.
SMOKE = {**SMALL, "model": {"hidden_dim": 8, "num_layers": 2}, "epochs": 2}
PRESETS = {"small": SMALL, "smoke": SMOKE}


@click.command()
@experiment.training_options("runs/digits", PRESETS)
def main(options):
    """Train a classifier of handwritten digits, read pixel by pixel."""
    preset = options.preset
    run = experiment.Run("digits", options)

    # Pixels `(n, 64, 1)`, 0 to 16, and digits `(n,)`.
    parts = training, validation, test = digits.load_data()

    with run.scope():  # all devices
        # The model takes the pixels as they are and scales them to [-1, 1].
        rescaling = keras.layers.Rescaling(1 / 8, offset=-1)
        backbone = MultiresNet(
            **preset.model,
            length=64,
            input_channels=1,
            independent_skip=True,
            normalization="batch",
            dropout=0.1,
        )
        model = MultiresClassifier(backbone, 10, preprocessing=rescaling)
        steps_per_epoch = -(-len(training[0]) // preset.batch_size)
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(
            optimizer=keras.optimizers.AdamW(
                keras.optimizers.schedules.CosineDecay(
                    preset.learning_rate, preset.epochs * steps_per_epoch
                ),
                weight_decay=preset.weight_decay,
                epsilon=1e-8,
            ),
            loss=loss,
            metrics=["accuracy"],
            jit_compile=options.jit_compile,
        )
        model.fit(
            run.batches(training),
            epochs=preset.epochs,
            shuffle=False,  # the batches are shuffled
            validation_data=validation,
            validation_batch_size=preset.batch_size,
            # They write the log, the best model and a backup to resume from.
            callbacks=run.start(model, parts, "val_accuracy", "max"),
            verbose=run.verbose,
        )
    log = run.end_training()

    # A model that is linear in the pixels, to compare with.
    features = [rescaling, keras.layers.Flatten()]
    linear = experiment.fit_linear(features, 10, training, validation, loss)

    # The model of the best epoch.
    model = keras.models.load_model(run.model_path)
    inputs, targets = test
    predicted = model.predict(inputs, verbose=0).argmax(axis=-1)
    accuracy = (predicted == targets).mean()
    linear_predicted = linear.predict(inputs, verbose=0).argmax(axis=-1)
    results = {
        "test_accuracy": accuracy,
        "baseline": "linear_in_the_pixels",
        "baseline_test_accuracy": (linear_predicted == targets).mean(),
    }

    figure, axes = experiment.draw_training(model, log, "accuracy")
    names = [str(digit) for digit in range(10)]
    visualization.plot_confusion_matrix(targets, predicted, names, ax=axes)
    axes.set_title(f"Test set, accuracy {accuracy:.1%}")
    figures = {"overview.png": figure}
    run.finish(model, "the digits of scikit-learn", results, figures)


if __name__ == "__main__":
    main()
