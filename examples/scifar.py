"""Tells the images of CIFAR-10 apart, read pixel by pixel: sequential CIFAR-10.

Each image of 32 x 32 pixels is a sequence of 1,024 colours, row by row. The
data set is downloaded, or read from `--data-dir`: the original batches, or a
folder of images, `train/<class>/*.png` and `test/<class>/*.png`:

    python -m pip install ".[jax,examples]"
    python examples/scifar.py

`--preset paper` is the paper's experiment. A trained model takes images:

    python examples/scifar.py --model runs/scifar/model.keras --predict cat.png
"""

import click
import experiment  # before Keras, whose backend it chooses
import keras
from experiment import images

from keras_multires import visualization
from keras_multires.datasets import scifar
from keras_multires.models import MultiresClassifier
from keras_multires.models import MultiresNet

PAPER = {
    "model": {"hidden_dim": 256, "num_layers": 10, "dropout": 0.25},
    "learning_rate": 0.0045,
    "weight_decay": 0.01,
    "warmup_epochs": 0,
    "epochs": 250,
    "batch_size": 50,
}
SMALL = {
    "model": {"hidden_dim": 32, "num_layers": 4, "dropout": 0.0},
    "learning_rate": 0.01,
    "weight_decay": 0.01,
    "warmup_epochs": 0.1,
    "epochs": 3,
    "batch_size": 25,
}
# For the tests.
TINY = {"hidden_dim": 8, "num_layers": 2, "dropout": 0.25}
SMOKE = {**PAPER, "model": TINY, "epochs": 2, "batch_size": 10}
PRESETS = {"paper": PAPER, "small": SMALL, "smoke": SMOKE}


@click.command()
@experiment.training_options("runs/scifar", PRESETS)
@experiment.data_dir_option(
    "Folder of the original batches, or of images.  [default: download them]"
)
@experiment.prediction_options("IMAGE", "File of an image of 32 x 32 pixels")
def main(options):
    """Train a classifier of CIFAR-10's images, or predict with one."""
    if options.predict:
        return images.predict(options.model, options.predict)
    preset = options.preset
    run = experiment.Run("scifar", options)

    with experiment.usage_errors("--data-dir"):
        # Bytes `(n, 1024, 3)` and classes `(n,)`.
        parts = training, validation, test = scifar.load_data(options.data_dir)

    with run.scope():  # all devices
        # The model takes bytes, and normalises them itself.
        normalization = keras.layers.Normalization(
            mean=[255 * mean for mean in scifar.MEAN],
            variance=[(255 * deviation) ** 2 for deviation in scifar.DEVIATION],
        )
        backbone = MultiresNet(**preset.model, length=1024, input_channels=3)
        model = MultiresClassifier(backbone, 10, preprocessing=normalization)
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(
            optimizer=keras.optimizers.AdamW(
                experiment.warmup_then_cosine(preset, len(training[0])),
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
    features = [normalization, keras.layers.Flatten()]
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
    visualization.plot_confusion_matrix(
        targets, predicted, scifar.CLASS_NAMES, ax=axes
    )
    axes.set_title(f"Test set, accuracy {accuracy:.1%}")
    source = images.describe_cifar10(options.data_dir)
    run.finish(model, source, results, {"overview.png": figure})


if __name__ == "__main__":
    main()
