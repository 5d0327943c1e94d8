"""Classifies handwritten digits, read pixel by pixel.

Trains a small `MultiresClassifier` on scikit-learn's 1,797 digits of 8 x 8
pixels as sequences of 64 steps, in about a minute on a laptop's processor:

    python -m pip install ".[jax,examples]"
    python examples/digits.py

It leaves the model (`digits.keras`, which takes raw pixels from 0 to 16), the
loss and accuracy of each epoch (`log.csv`) and a picture (`digits.png`).
"""

import click
from command_line import training_options


@click.command()
@training_options(output_dir="runs/digits", epochs=20, batch_size=64)
def main(backend, output_dir, epochs, batch_size, seed):
    """Train a classifier of handwritten digits, read pixel by pixel."""
    import keras
    from matplotlib.figure import Figure

    from keras_multires.datasets import digits

    keras.utils.set_random_seed(seed)
    training, validation, (test_inputs, test_targets) = digits.load_data()
    steps = epochs * -(-len(training[0]) // batch_size)
    model = build_model(steps)
    click.echo(
        f"Training {model.count_params():,} parameters on "
        f"{len(training[0]):,} digits with {backend}"
    )
    history = model.fit(
        *training,
        batch_size=batch_size,
        epochs=epochs,
        validation_data=validation,
        callbacks=[keras.callbacks.CSVLogger(output_dir / "log.csv")],
    )
    model.save(output_dir / "digits.keras")
    predictions = model.predict(test_inputs, verbose=0).argmax(axis=-1)
    # Without pyplot, so that no window can open.
    figure = Figure(figsize=(12, 9), layout="constrained")
    draw(figure, model, history.history, test_targets, predictions)
    figure.savefig(output_dir / "digits.png")
    accuracy = (predictions == test_targets).mean()
    click.echo(f"Test accuracy: {accuracy:.1%} of {len(test_targets)} digits")
    for name in ("digits.keras", "log.csv", "digits.png"):
        click.echo(output_dir / name)


def build_model(steps):
    """A compiled model from raw pixels to logits.

    Args:
        steps: Integer, training steps until the learning rate is zero.

    Returns:
        A compiled `keras.Model` from `(batch, 64, 1)`, 0 to 16, to
        `(batch, 10)`.
    """
    import keras

    from keras_multires.models import MultiresClassifier

    pixels = keras.Input((64, 1), name="pixels")
    scaled = keras.layers.Rescaling(1 / 8, offset=-1)(pixels)
    classifier = MultiresClassifier(
        num_classes=10,
        length=64,
        input_channels=1,
        hidden_dim=64,
        num_layers=3,
        independent_skip=True,
        normalization="batch",
        dropout=0.1,
        name="classifier",
    )
    model = keras.Model(pixels, classifier(scaled))
    model.compile(
        optimizer=keras.optimizers.AdamW(
            keras.optimizers.schedules.CosineDecay(0.02, steps),
            weight_decay=0.01,
            epsilon=1e-8,
        ),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    return model


def draw(figure, model, history, targets, predictions):
    """Draws the training, the mistakes and what was learned.

    Args:
        figure: An empty matplotlib figure.
        model: The trained model of `build_model`.
        history: Dict from names of metrics to one value an epoch.
        targets: Integer array, the digits of the test set.
        predictions: Integer array, what the model took them for.
    """
    from sklearn.metrics import ConfusionMatrixDisplay

    from keras_multires import visualization

    (curves, confusion), (first, last) = figure.subplots(2, 2)
    visualization.plot_learning_curves(history, "loss", ax=curves)
    curves.set_yscale("log")
    curves.set_title("Learning curves")
    ConfusionMatrixDisplay.from_predictions(
        targets, predictions, ax=confusion, cmap="Blues", colorbar=False
    )
    accuracy = (predictions == targets).mean()
    confusion.set_title(f"Test set, accuracy {accuracy:.1%}")
    blocks = model.get_layer("classifier").backbone.blocks
    for axes, name, block in (
        (first, "first", blocks[0]),
        (last, "last", blocks[-1]),
    ):
        length = block.receptive_field + 4
        visualization.plot_kernels(block.multires_layer, length, ax=axes)
        axes.set_title(f"Kernels of the {name} layer")


if __name__ == "__main__":
    main()
