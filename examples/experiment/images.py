"""What the lessons on images do with pixels beside their models."""

import math
import time
import warnings

import click
import keras
import numpy as np
from matplotlib.figure import Figure
from PIL import Image
from PIL import ImageOps

from experiment.command_line import usage_errors
from experiment.prediction import load_model
from experiment.prediction import predict_classes
from experiment.run import save_figure
from keras_multires import visualization
from keras_multires.datasets import digits
from keras_multires.datasets import scifar
from keras_multires.models import MultiresDensityModel

GENERATED = "generated.png"
# The largest value of a grey digit and of a colour: the white of pictures.
WHITE = {1: 16, 3: 255}  # by channels
# Of a picture of samples.
ROWS, COLUMNS = 8, 8


def describe_cifar10(data_dir):
    """A string that says which CIFAR-10 a folder holds.

    Args:
        data_dir: `pathlib.Path` of the folder, or None for a download.
    """
    is_jpeg = data_dir is not None and any(
        path.suffix.lower() in (".jpg", ".jpeg")
        for path in data_dir.glob("train/*/*")
    )
    return "CIFAR-10, JPEG" if is_jpeg else "CIFAR-10"


def predict(path, files):
    """Shows what a classifier of CIFAR-10 takes images for.

    Args:
        path: `pathlib.Path` of a trained model.
        files: Strings, paths of images.
    """
    with usage_errors("--predict"):
        inputs = np.stack([scifar.read_image(file) for file in files])
    names = scifar.CLASS_NAMES
    probabilities = predict_classes(path, inputs, len(names), keras.ops.softmax)
    for file, row in zip(files, probabilities, strict=True):
        best = row.argmax()
        click.echo(f"{file}: {names[best]} ({row[best]:.0%})")


def load_pixels(data, data_dir):
    """Images without labels, each read row by row as a sequence of pixels.

    Args:
        data: `"digits"` or `"cifar10"`.
        data_dir: `pathlib.Path` of the folder of CIFAR-10, or None.

    Returns:
        `(parts, source)`: training, validation and test set, uint8 `(n, pixels,
        channels)` each, and a string that says what they are.

    Raises:
        click.UsageError: if there is no such data set.
    """
    if data == "digits":
        if data_dir is not None:
            raise click.UsageError("--data-dir is for --data cifar10.")
        # The values stay as they are, from 0 to 16. If they were spread over
        # all bytes, the model would first have to learn, which takes long, that
        # fifteen of sixteen values never occur.
        parts = digits.load_data()
        source = "the digits of scikit-learn"
    else:
        with usage_errors("--data-dir"):
            parts = scifar.load_data(data_dir, validation_fraction=0.04)
        source = describe_cifar10(data_dir)
    return [pixels for pixels, _ in parts], source


def from_bytes(pixels):
    """What a model takes: bytes mapped to [-1, 1]."""
    scaled = pixels.astype("float32")
    scaled /= 127.5
    scaled -= 1
    return scaled


def to_bytes(scaled):
    """The bytes of what a model takes or generates."""
    scaled = keras.ops.convert_to_numpy(scaled).astype("float32")
    return np.rint((scaled + 1) * 127.5).astype("uint8")


def bits_by_histograms(training, test):
    """Bits per dimension if pixels and channels are independent.

    Each channel of each pixel has a histogram of the values that can occur.
    Each value is counted once more than it is seen.

    Args:
        training: uint8 array `(n, pixels, channels)`.
        test: Another one.
    """
    dimensions = np.arange(training[0].size)
    counts = np.ones((len(dimensions), WHITE[training.shape[-1]] + 1))
    # Image by image: all at once would need many times the memory.
    for image in training:
        counts[dimensions, image.reshape(-1)] += 1
    bits = -np.log2(counts / counts.sum(axis=1, keepdims=True))
    means = [bits[dimensions, image.reshape(-1)].mean() for image in test]
    return float(np.mean(means))


def generate_samples(model, seed):
    """Samples of a model, and how long it took to generate them.

    Args:
        model: A trained `MultiresDensityModel`.
        seed: Integer.

    Returns:
        `(samples, results)`: uint8 array `(n, pixels, channels)` and a dict.
    """
    begin = time.monotonic()
    samples = to_bytes(model.generate(ROWS * COLUMNS, seed=seed))
    seconds = round(time.monotonic() - begin, 1)
    return samples, {
        "num_generated": len(samples),
        "seconds_of_generation": seconds,
    }


def draw_samples(model, test, samples, seed):
    """Images of the test set, samples, and completions of upper halves.

    Args:
        model: A trained `MultiresDensityModel`.
        test: uint8 array `(n, pixels, channels)`.
        samples: Array that `generate_samples` returned.
        seed: Integer, seed of the completions.

    Returns:
        The figure.
    """
    # Spread over the test set, which may be in the order of classes.
    real = test[np.linspace(0, len(test) - 1, ROWS * COLUMNS).astype(int)]
    originals = real[::COLUMNS]
    half = test.shape[1] // 2
    halves = originals[:, :half].repeat(COLUMNS - 2, axis=0)
    completions = to_bytes(
        model.generate(len(halves), seed=seed, prefix=from_bytes(halves))
    )
    real, samples, originals, completions = (
        _to_grid(pixels, ROWS)
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


def generate(options):
    """Writes a picture of images that a saved model generates.

    Args:
        options: Namespace of the command line.
    """
    model = load_model(options.model, MultiresDensityModel)
    length = model.backbone.length
    channels = model.backbone.input_channels
    side = math.isqrt(length)
    if side**2 != length:
        raise click.UsageError(
            f"--model: {str(options.model)!r} must hold a model of square "
            f"images. Received a model of {length} pixels. Was it trained by "
            "this example?"
        )
    prefix = None
    if options.complete is not None:
        with usage_errors("--complete"):
            pixels = read_image(options.complete, side, channels)
        prefix = from_bytes(pixels[: length // 2])
    number = options.generate
    generated = to_bytes(
        model.generate(number, options.temperature, options.seed, prefix)
    )
    columns = math.isqrt(number - 1) + 1
    rows = -(-number // columns)
    # The last row may be cut short.
    cells = np.ma.masked_all((rows * columns, *generated.shape[1:]), "uint8")
    cells[:number] = generated
    figure = Figure(figsize=(6, 6 * rows / columns), layout="constrained")
    visualization.plot_images(_to_grid(cells, rows), ax=figure.subplots())
    path = options.output_dir / GENERATED
    with usage_errors("--output-dir"):
        options.output_dir.mkdir(parents=True, exist_ok=True)
        save_figure(figure, path)
    click.echo(path)


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
        ValueError: if its values have more than 8 bits, or it is damaged or too
            large for Pillow.
    """
    problem = None
    try:
        with warnings.catch_warnings():
            # A few bytes can stand for an image that fills the memory.
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            # No other formats: Pillow starts a program to read some of them.
            image = Image.open(path, formats=("JPEG", "PNG"))
        with image:
            if image.mode[0] in "IF":  # Pillow would cut these off at white
                problem = "The image must have 8 bits a value. It has more "
                problem += f"(Pillow's mode {image.mode!r}): {path}"
            else:
                image = image.convert("L" if channels == 1 else "RGB")
                image = ImageOps.fit(image, (side, side))
                pixels = np.array(image).reshape(side * side, channels)
    except OSError:
        raise
    # Pillow raises errors of many kinds.
    except Exception as error:
        raise ValueError(f"Not a whole image: {path}: {error}") from error
    if problem:
        raise ValueError(problem)
    return (pixels * (WHITE[channels] / 255)).round().astype("uint8")


def _to_grid(pixels, rows):
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
