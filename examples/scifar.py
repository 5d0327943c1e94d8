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
from command_line import Preset
from command_line import prediction_options
from command_line import training_options
from command_line import usage_errors

PRESETS = {
    "paper": Preset(
        model={},
        learning_rate=0.0045,
        weight_decay=0.01,
        epochs=250,
        batch_size=50,
    ),
    "small": Preset(
        model={"hidden_dim": 32, "num_layers": 4, "dropout": 0.0},
        learning_rate=0.01,
        weight_decay=0.01,
        epochs=3,
        warmup_epochs=0.1,
        batch_size=25,
    ),
    "smoke": Preset(
        model={"hidden_dim": 8, "num_layers": 2},
        learning_rate=0.0045,
        weight_decay=0.01,
        epochs=2,
        batch_size=10,
    ),
}


@click.command()
@training_options(
    "runs/scifar",
    PRESETS,
    data="Folder of the original batches, or of images."
    "  [default: they are downloaded]",
)
@prediction_options("IMAGE", "File of an image of 32 x 32 pixels")
def main(options, model, predict):
    """Train a classifier of CIFAR-10's images, or predict with one."""
    if predict:
        show_predictions(model, predict)
    else:
        train(options)


def train(options):
    from experiment import SingleLabel
    from experiment import train_and_test
    from training import Run

    from keras_multires.datasets import scifar

    run = Run("scifar", options)
    with usage_errors("--data-dir" if options.data_dir else "data set"):
        parts, source = load_data(options.data_dir)
    with run.scope():
        model = build_model(options.preset.model)
    model, log, results, figure = train_and_test(
        run,
        SingleLabel(scifar.CLASS_NAMES),
        model,
        build_baseline(),
        parts,
    )
    run.finish(model, log, source, results, {"overview.png": figure})


def load_data(data_dir, **arguments):
    """CIFAR-10, and a string that says what it is.

    Args:
        data_dir: `pathlib.Path` of the folder, or None for a download.
        **arguments: As in `keras_multires.datasets.scifar.load_data`.
    """
    from keras_multires.datasets import scifar

    parts = scifar.load_data(data_dir, **arguments)
    if data_dir is None:
        return parts, "CIFAR-10"
    is_jpeg = any(
        path.suffix.lower() in (".jpg", ".jpeg")
        for path in data_dir.glob("train/*/*")
    )
    return parts, "CIFAR-10, JPEG" if is_jpeg else "CIFAR-10"


def build_model(settings):
    """A model from bytes `(batch, 1024, 3)` to logits `(batch, 10)`.

    Args:
        settings: Dict of arguments of `MultiresClassifier` that replace those
            of the paper.
    """
    import keras

    from keras_multires.models import MultiresClassifier

    pixels, normalized = _inputs()
    classifier = MultiresClassifier.from_preset_config(
        "scifar", **settings, name="classifier"
    )
    return keras.Model(pixels, classifier(normalized))


def build_baseline():
    """A model that is linear in the pixels."""
    import keras

    pixels, normalized = _inputs()
    flat = keras.layers.Flatten()(normalized)
    logits = keras.layers.Dense(10, dtype="float32")(flat)
    return keras.Model(pixels, logits, name="linear_in_the_pixels")


def _inputs():
    import keras

    from keras_multires.datasets import scifar

    pixels = keras.Input((1024, 3), name="pixels")
    normalize = keras.layers.Normalization(
        mean=[255 * mean for mean in scifar.MEAN],
        variance=[(255 * deviation) ** 2 for deviation in scifar.DEVIATION],
    )
    return pixels, normalize(pixels)


def show_predictions(path, files):
    import keras
    import numpy as np
    from prediction import predict

    from keras_multires.datasets import scifar

    with usage_errors("--predict"):
        inputs = np.stack([scifar.read_image(file) for file in files])
    probabilities = predict(
        path, inputs, len(scifar.CLASS_NAMES), keras.ops.softmax
    )
    for file, row in zip(files, probabilities, strict=True):
        best = row.argmax()
        click.echo(f"{file}: {scifar.CLASS_NAMES[best]} ({row[best]:.0%})")


if __name__ == "__main__":
    main()
