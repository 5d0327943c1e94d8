"""Generates images pixel by pixel, as their density is learned.

Trains a `MultiresDensityModel`, which tells from the pixels before it how
probable each value of a pixel is. By default on scikit-learn's 1,797 digits of
8 x 8 pixels, in one to three minutes on a laptop's processor:

    python -m pip install ".[jax,examples]"
    python examples/density.py

It is measured in bits per dimension: how many bits the value of a pixel's
channel takes if those that are probable get short codes. Low is good. `--data
cifar10 --preset paper` is the paper's experiment. A trained model generates
images, or completes one of which it is given the upper half:

    python examples/density.py --model runs/density/model.keras --generate 16
    python examples/density.py --model runs/density/model.keras --generate 16 \\
        --complete photo.jpg --temperature 0.9 --seed 1
"""

import math
import time

import click
from command_line import Preset
from command_line import generation_options
from command_line import training_options
from command_line import usage_errors

PRESETS = {
    "digits": {
        "small": Preset(
            model={"hidden_dim": 32, "num_layers": 3, "dropout": 0.0},
            learning_rate=0.01,
            weight_decay=0,
            epochs=50,
            batch_size=16,
        ),
        "smoke": Preset(
            model={"hidden_dim": 8, "num_layers": 2, "num_mixtures": 2},
            learning_rate=0.01,
            weight_decay=0,
            epochs=2,
            batch_size=64,
        ),
    },
    "cifar10": {
        "paper": Preset(
            model={},
            learning_rate=0.001,
            weight_decay=0,
            epochs=250,
            batch_size=64,
        ),
        "small": Preset(
            model={"hidden_dim": 32, "num_layers": 4, "dropout": 0.0},
            learning_rate=0.01,
            weight_decay=0,
            epochs=2,
            warmup_epochs=0.1,
            batch_size=16,
        ),
        "smoke": Preset(
            model={"hidden_dim": 8, "num_layers": 2, "num_mixtures": 2},
            learning_rate=0.01,
            weight_decay=0,
            epochs=2,
            batch_size=10,
        ),
    },
}
GENERATED = "generated.png"
# The largest value of a grey digit and of a colour: the white of pictures.
WHITE = {1: 16, 3: 255}  # by channels
# Of a picture of samples.
ROWS, COLUMNS = 8, 8


@click.command()
@training_options(
    "runs/density",
    PRESETS,
    data="Folder of the original batches of CIFAR-10, or of images."
    "  [default: they are downloaded]",
)
@generation_options(
    "images", "complete", "IMAGE", "File of an image to complete the lower half"
)
def main(options, data, model, generate, complete, temperature):
    """Train a model of the density of images, or generate some with one."""
    if generate:
        generate_images(options, model, generate, complete, temperature)
    elif data == "digits" and options.data_dir is not None:
        raise click.UsageError("--data-dir is for --data cifar10.")
    else:
        train(options, data)


def train(options, data):
    from experiment import draw_overview
    from experiment import report
    from training import Measure
    from training import Run

    from keras_multires.losses import DiscretizedLogisticMixture
    from keras_multires.models import MultiresDensityModel

    run = Run(f"density_{data}", options)
    with usage_errors("--data-dir" if options.data_dir else "data set"):
        parts, source = load_data(options, data)
    baseline_score = bits_by_histograms(parts[0], parts[2])
    # The pixels are also the targets.
    pairs = [(pixels, pixels) for pixels in map(from_bytes, parts)]
    with run.scope():
        model = MultiresDensityModel(
            *parts[0].shape[1:], **options.preset.model
        )
    loss = DiscretizedLogisticMixture(model.num_mixtures)
    measure = Measure("bits_per_dim", "val_loss", "min", ".3f")
    model, log = run.fit(model, *pairs[:2], loss, measure)
    model.compile(loss=loss)
    score = model.evaluate(
        *pairs[2], batch_size=options.preset.batch_size, verbose=0
    )
    results = report(
        measure, score, "histogram_of_each_pixel", baseline_score, log, pairs
    )
    begin = time.monotonic()
    samples = to_bytes(model.generate(ROWS * COLUMNS, seed=options.seed))
    results["num_generated"] = len(samples)
    results["seconds_of_generation"] = round(time.monotonic() - begin, 1)
    run.finish(
        model,
        log,
        source,
        results,
        {
            "overview.png": draw_overview(
                model,
                log,
                f"Test set, {score:.3f} bits per dimension",
                "bits per dimension",
                {"histogram of each pixel, test": baseline_score},
            ),
            "samples.png": draw_samples(model, parts[2], samples, options.seed),
        },
    )


def load_data(options, data):
    """Images, each read row by row as a sequence of pixels.

    Returns:
        `(parts, source)`: training, validation and test set, uint8 `(n, pixels,
        channels)` each, and a string that says what they are.
    """
    from scifar import load_data as load_cifar10

    from keras_multires.datasets import digits

    if data == "digits":
        # As they are, from 0 to 16. Spread over all bytes, the values that
        # there can be would lie between fifteen times as many that there
        # cannot, and to learn which takes long.
        parts = [pixels for pixels, _ in digits.load_data()]
        return parts, "the digits of scikit-learn"
    parts, source = load_cifar10(options.data_dir, validation_fraction=0.04)
    training, validation, test = (pixels for pixels, _ in parts)
    if not len(validation):
        raise ValueError("there are too few images to validate with")
    return [training, validation, test], source


def from_bytes(pixels):
    """What a model takes: bytes mapped to [-1, 1]."""
    scaled = pixels.astype("float32")
    scaled /= 127.5
    scaled -= 1
    return scaled


def to_bytes(scaled):
    import keras
    import numpy as np

    scaled = keras.ops.convert_to_numpy(scaled).astype("float32")
    return np.rint((scaled + 1) * 127.5).astype("uint8")


def to_grid(pixels, rows):
    """Square images in rows and columns, of bytes of which 255 is white.

    Args:
        pixels: uint8 array `(n, pixels, channels)`.
        rows: Integer that divides `n`.
    """
    _, length, channels = pixels.shape
    side = math.isqrt(length)
    white = WHITE[channels]
    # A model gives no value the probability zero.
    grey = pixels.clip(max=white) * (255 / white)
    shape = (rows, -1, side, side, channels)
    return grey.round().astype("uint8").reshape(shape)


def bits_by_histograms(training, test):
    """Bits per dimension if pixels and channels have nothing in common.

    Each channel of each pixel has a histogram, of the values that there can be
    alone. Each of them is counted once more than it is seen.

    Args:
        training: uint8 array `(n, pixels, channels)`.
        test: Another one.
    """
    import numpy as np

    dimensions = np.arange(training[0].size)
    counts = np.ones((len(dimensions), WHITE[training.shape[-1]] + 1))
    # Image by image: all at once would need the memory many times.
    for image in training:
        counts[dimensions, image.reshape(-1)] += 1
    bits = -np.log2(counts / counts.sum(axis=1, keepdims=True))
    means = [bits[dimensions, image.reshape(-1)].mean() for image in test]
    return float(np.mean(means))


def draw_samples(model, test, samples, seed):
    """Images of the test set, samples, and completions of upper halves.

    Args:
        model: A trained model.
        test: uint8 array `(n, pixels, channels)`.
        samples: uint8 array `(ROWS * COLUMNS, pixels, channels)`.
        seed: Integer, of the completions.
    """
    import numpy as np
    from matplotlib.figure import Figure

    from keras_multires import visualization

    # Spread over the test set, which may be in the order of classes.
    real = test[np.linspace(0, len(test) - 1, ROWS * COLUMNS).astype(int)]
    originals = real[::COLUMNS]
    halves = originals[:, : model.length // 2].repeat(COLUMNS - 2, axis=0)
    completions = to_bytes(
        model.generate(len(halves), seed=seed, prefix=from_bytes(halves))
    )
    real, samples, originals, completions = (
        to_grid(pixels, ROWS)
        for pixels in (real, samples, originals, completions)
    )
    given = np.ma.array(originals, mask=False)
    given[:, :, given.shape[2] // 2 :] = np.ma.masked
    figure = Figure(figsize=(10.4, 4), layout="constrained")
    figure.get_layout_engine().set(wspace=0.05)
    axes = figure.subplots(1, 3)
    visualization.plot_images(real, ax=axes[0])
    axes[0].set_title("Test set")
    visualization.plot_images(samples, ax=axes[1])
    axes[1].set_title("Samples")
    visualization.plot_images(
        np.ma.concatenate([originals, given, completions], axis=1),
        column_labels=["original", "", "", "completed", *[""] * 4],
        ax=axes[2],
    )
    axes[2].set_title("Test set, lower halves completed")
    return figure


def generate_images(options, path, number, complete, temperature):
    import numpy as np
    from matplotlib.figure import Figure
    from prediction import load_model
    from training import save_figure

    from keras_multires import visualization
    from keras_multires.models import MultiresDensityModel

    model = load_model(path)
    if (
        not isinstance(model, MultiresDensityModel)
        or math.isqrt(model.length) ** 2 != model.length
    ):
        raise click.UsageError(
            f"--model: {str(path)!r} must be a `MultiresDensityModel` of "
            f"square images, and is {model}. Was it trained by this example?"
        )
    side = math.isqrt(model.length)
    prefix = None
    if complete is not None:
        with usage_errors("--complete"):
            pixels = read_image(complete, side, model.input_channels)
        prefix = from_bytes(pixels[: model.length // 2])
    generated = to_bytes(
        model.generate(number, temperature, options.seed, prefix)
    )
    columns = math.isqrt(number - 1) + 1
    rows = -(-number // columns)
    # The last row may be cut short.
    cells = np.ma.masked_all((rows * columns, *generated.shape[1:]), "uint8")
    cells[:number] = generated
    figure = Figure(figsize=(6, 6 * rows / columns), layout="constrained")
    visualization.plot_images(to_grid(cells, rows), ax=figure.subplots())
    with usage_errors("--output-dir"):
        options.output_dir.mkdir(parents=True, exist_ok=True)
        save_figure(figure, options.output_dir / GENERATED)
    click.echo(options.output_dir / GENERATED)


def read_image(path, side, channels):
    """The middle of an image, scaled to the size and values of a model's.

    Args:
        path: Path of a JPEG or PNG file.
        side: Integer, height and width.
        channels: 1 or 3.

    Returns:
        uint8 array `(side * side, channels)`.

    Raises:
        OSError: if the file cannot be read as an image.
        ValueError: if its values have more than 8 bits.
    """
    import numpy as np
    from PIL import Image
    from PIL import ImageOps

    # No other formats: Pillow starts a program to read some of them.
    with Image.open(path, formats=("JPEG", "PNG")) as image:
        if image.mode[0] in "IF":  # which Pillow would cut off at white
            raise ValueError(
                "The image must have 8 bits a value. It has more (Pillow's "
                f"mode {image.mode!r}): {path}"
            )
        image = image.convert("L" if channels == 1 else "RGB")
        image = ImageOps.fit(image, (side, side))
        pixels = np.array(image).reshape(side * side, channels)
    return (pixels * (WHITE[channels] / 255)).round().astype("uint8")


if __name__ == "__main__":
    main()
