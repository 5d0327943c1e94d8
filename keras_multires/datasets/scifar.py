"""CIFAR-10, each image read row by row as a sequence of 1,024 pixels.

The pixels stay bytes. A model that takes them unchanged begins with their
normalisation, which is then saved with the model:

```python
keras.layers.Normalization(
    mean=[255 * mean for mean in MEAN],
    variance=[(255 * deviation) ** 2 for deviation in DEVIATION],
)
```
"""

import concurrent.futures
import math
import os

import keras
import numpy as np

from keras_multires._files import explain_errors
from keras_multires._files import locked
from keras_multires._packages import import_package
from keras_multires._validation import check_integer
from keras_multires._validation import check_path
from keras_multires._validation import check_positive
from keras_multires._validation import check_rate
from keras_multires._validation import check_verbose
from keras_multires.datasets import _array_pickle
from keras_multires.datasets._cache import keras_folder
from keras_multires.datasets._checks import check_files
from keras_multires.datasets._checks import check_folder
from keras_multires.datasets._checks import require_whole

__all__ = ["CLASS_NAMES", "DEVIATION", "MEAN", "load_data", "read_image"]

CLASS_NAMES = (
    "airplane",
    "automobile",
    "bird",
    "cat",
    "deer",
    "dog",
    "frog",
    "horse",
    "ship",
    "truck",
)
# The numbers of the published model, for red, green and blue from 0 to 1. The
# deviations are near those within an image. Over all images they are near 0.25.
MEAN = (0.4914, 0.4822, 0.4465)
DEVIATION = (0.2023, 0.1994, 0.2010)

_SIDE_PIXELS = 32
_LENGTH = _SIDE_PIXELS * _SIDE_PIXELS
_IMAGE_BYTES = 1 + 3 * _LENGTH  # in a binary batch, including the label
_BATCHES = (*(f"data_batch_{number}" for number in range(1, 6)), "test_batch")
_SUFFIXES = (".jpg", ".jpeg", ".png")
_IMAGES_PER_CHUNK = 250  # decoded in one task
_URL = "https://www.cs.toronto.edu/~kriz/cifar.html"
_KERAS_REMEDY = (
    f"Where there is no network, get the data set from {_URL} elsewhere, and "
    "give its unpacked folder as `directory`. What Keras keeps is "
    "`cifar-10-batches-py-target*` in `datasets` of its own folder, `~/.keras` "
    "or `$KERAS_HOME`: delete it if it is damaged."
)


def load_data(directory=None, seed=0, verbose=1, validation_fraction=0.1):
    """CIFAR-10, each image read row by row as a sequence of 1,024 RGB pixels.

    A fraction of the training images of each class is held out for validation.
    For given images and a given fraction, `seed` alone determines which ones.
    The training and validation sets are shuffled, so that their first images
    are a fair sample. The test set is in the order of its files.

    Without a `directory`, `keras.datasets.cifar10` downloads the data set (170
    MB) and keeps it. Keras compares the archive with a known hash.

    Args:
        directory: Optional folder to read instead, one of
            - the unpacked binary version, with `data_batch_1.bin` to
              `data_batch_5.bin` and `test_batch.bin`;
            - the unpacked Python version, with `data_batch_1` to `data_batch_5`
              and `test_batch`. These are pickles, of which only arrays of
              numbers, lists and strings are accepted. They cannot run code;
            - the parent of either, if that is still named
              `cifar-10-batches-bin` or `cifar-10-batches-py`;
            - images of 32 x 32 pixels, `train/<class>/*` and `test/<class>/*`,
              with the classes of `CLASS_NAMES` and the suffixes `.jpg`, `.jpeg`
              or `.png`. They are read in the order of `CLASS_NAMES`, then of
              their names. Other files and hidden files are ignored. This needs
              Pillow.
        seed: Integer of at least 0. Another seed holds out other images.
        verbose: 0 or 1. Whether to show a progress bar while images are read.
        validation_fraction: Float above 0 and below 1, the fraction of each
            class that is held out.

    Returns:
        Three pairs of numpy arrays `(inputs, targets)`: the training set, the
        validation set and the test set, by default of 45,000, 5,000 and 10,000
        images. In a class with several training images, at least one image is
        held out and at least one is not. In a class with one training image, it
        is not held out.

        - `inputs`: uint8 `(n, 1024, 3)`, red, green and blue from 0 to 255.
          The pixel in row `r` and column `c` is step `32 * r + c`.
        - `targets`: int32 `(n,)`, the index of the class in `CLASS_NAMES`.

    Raises:
        FileNotFoundError: if `directory` does not exist or is not as described
            above, or if a file or a class is missing.
        ValueError: if a file is damaged, if a folder is not a class or has no
            images, or if an argument is out of its range.
        ImportError: if there are images to read and Pillow is not installed.
        OSError: if Keras cannot download or read the data set.

    Example:

    >>> train, validation, test = keras_multires.datasets.scifar.load_data()
    >>> train[0].shape, train[1].shape
    ((45000, 1024, 3), (45000,))

    Source:

    [The CIFAR-10 dataset](https://www.cs.toronto.edu/~kriz/cifar.html).

    Licence:

    That page does not name one. It asks for the following citation.

    Reference:

    - A. Krizhevsky, ["Learning Multiple Layers of Features from Tiny Images"](
      https://www.cs.toronto.edu/~kriz/learning-features-2009-TR.pdf),
      technical report, University of Toronto, 2009
    """
    if directory is not None:
        directory = check_path("directory", directory)
    seed = check_integer("seed", seed, minimum=0, maximum=math.inf)
    check_verbose(verbose)
    check_positive("validation_fraction", validation_fraction)
    check_rate("validation_fraction", validation_fraction)
    if directory is None:
        train, test = _read_keras()
    else:
        train, test = _read_directory(directory, verbose)
    return (*_split(*train, seed, validation_fraction), test)


def read_image(path):
    """Reads an image file as one sequence of pixels, a row of the inputs.

    Args:
        path: Path of a JPEG or PNG file of 32 x 32 pixels. Grey values and
            palettes become RGB. Transparency is dropped.

    Returns:
        uint8 array `(1024, 3)`.

    Raises:
        OSError: if the file cannot be opened.
        ValueError: if `path` is not a path, or if the file is damaged, has
            another format or has another size.
        ImportError: if Pillow is not installed.
    """
    path = check_path("path", path)
    pillow = import_package(
        "PIL.Image", "Image files are read with Pillow", "pillow"
    )
    remedy = "It must be a whole JPEG or PNG file of 32 x 32 pixels."
    problem = None
    with (
        open(path, "rb") as file,
        explain_errors(
            lambda error: (
                f"Not readable as an image: {path} ({error}). {remedy}"
            )
        ),
    ):
        # No other formats: Pillow starts a program to read some of them.
        image = pillow.open(file, formats=("JPEG", "PNG"))
        if image.size != (_SIDE_PIXELS, _SIDE_PIXELS):
            problem = f"{image.width} x {image.height} pixels"
        elif image.mode[0] in "IF":
            problem = f"more than 8 bits a value (Pillow's mode {image.mode!r})"
        else:
            pixels = np.array(image.convert("RGB"))
    if problem:
        raise ValueError(f"The image has {problem}: {path}. {remedy}")
    return pixels.reshape(_LENGTH, 3)


def _split(inputs, targets, seed, fraction):
    """The training and validation sets, both shuffled."""
    order = np.random.default_rng(seed).permutation(len(targets))
    is_held_out = np.zeros(len(targets), dtype="bool")
    for label in range(len(CLASS_NAMES)):
        places = np.flatnonzero(targets[order] == label)
        if len(places) > 1:
            size = math.floor(fraction * len(places) + 0.5)
            size = min(max(size, 1), len(places) - 1)
            is_held_out[places[:size]] = True
    return tuple(
        (inputs[rows], targets[rows])
        for rows in (order[~is_held_out], order[is_held_out])
    )


def _read_keras():
    with (
        explain_errors(
            lambda error: (
                f"`keras.datasets.cifar10` could not load CIFAR-10: {error}. "
                f"{_KERAS_REMEDY}"
            ),
            OSError,  # Keras itself raises an `Exception` without a network
        ),
        # Keras downloads and unpacks in place, and unpacks in each call, while
        # another process may be reading.
        locked(keras_folder() / "cifar-10"),
    ):
        parts = keras.datasets.cifar10.load_data()
    return tuple(_flatten(*part) for part in parts)


def _flatten(images, labels):
    """The images that Keras returns, as sequences."""
    if keras.config.image_data_format() == "channels_first":
        images = images.transpose(0, 2, 3, 1)
    inputs = images.reshape(-1, _LENGTH, 3)
    return inputs, labels.reshape(-1).astype("int32")


def _read_directory(directory, verbose):
    remedy = (
        "`directory` must be a folder of the unpacked batches of CIFAR-10, "
        "`data_batch_1.bin` to `data_batch_5.bin` and `test_batch.bin` or the "
        "same without `.bin`, or of images, `train/<class>/*` and "
        f"`test/<class>/*`. Get the data set from {_URL}, or leave out "
        "`directory` to let Keras download it."
    )
    for name in ("", "cifar-10-batches-bin", "cifar-10-batches-py"):
        folder = directory / name
        for suffix, read in ((".bin", _read_binary), ("", _read_pickle)):
            paths = [folder / f"{batch}{suffix}" for batch in _BATCHES]
            if not any(path.exists() for path in paths):
                continue
            check_files(paths, remedy)
            *train, test = (_read_batch(path, read) for path in paths)
            return tuple(map(np.concatenate, zip(*train, strict=True))), test
    folders = [directory / name for name in ("train", "test")]
    if not any(folder.is_dir() for folder in folders):
        raise FileNotFoundError(f"No CIFAR-10 in {directory}. {remedy}")
    for folder in folders:
        check_folder(folder, remedy)
    return _read_images(folders, verbose)


def _read_batch(path, read):
    """Inputs and targets of a batch.

    Args:
        path: `pathlib.Path` of the file.
        read: Function of the file's content that returns the pixels, uint8
            `(n, 3072)`, with all red ones of an image first, and the labels,
            integers `(n,)`.
    """
    content = path.read_bytes()
    with explain_errors(
        lambda error: (
            f"{path}: {error}. The file is damaged or no batch of CIFAR-10: "
            f"get the data set again from {_URL}, or leave out `directory` to "
            "let Keras download it."
        )
    ):
        planes, labels = read(content)
        require_whole(len(labels), "there are no images in it")
        are_labels = labels.dtype.kind in "iu" and (
            np.isin(labels, range(len(CLASS_NAMES))).all()
        )
        require_whole(are_labels, "a label is not one of 0 to 9")
    inputs = planes.reshape(-1, 3, _LENGTH).transpose(0, 2, 1)
    return np.ascontiguousarray(inputs), labels.astype("int32")


def _read_binary(content):
    problem = f"its {len(content)} bytes are no multiple of the {_IMAGE_BYTES} "
    problem += "of an image with its label"
    require_whole(len(content) % _IMAGE_BYTES == 0, problem)
    rows = np.frombuffer(content, dtype="uint8").reshape(-1, _IMAGE_BYTES)
    return rows[:, 1:], rows[:, 0]


def _read_pickle(content):
    batch = _array_pickle.load(content)
    require_whole(isinstance(batch, dict), "the pickle holds no dict")
    planes, labels = batch.get("data"), batch.get("labels")
    num_columns = 3 * _LENGTH
    are_planes = (
        isinstance(planes, np.ndarray)
        and planes.dtype == "uint8"
        and planes.shape[1:] == (num_columns,)
    )
    require_whole(
        are_planes, f"`data` is no uint8 array of {num_columns} columns"
    )
    # Lists that hold each other need little room in a file, and NumPy would
    # write them out.
    is_flat = isinstance(labels, np.ndarray) or (
        isinstance(labels, list)
        and not any(isinstance(label, (list, tuple)) for label in labels)
    )
    labels = np.asarray(labels if is_flat else [])
    are_labels = is_flat and labels.shape == planes.shape[:1]
    require_whole(are_labels, "`labels` is no list, one for each row of `data`")
    return planes, labels


def _read_images(folders, verbose):
    """Inputs and targets of each folder of classes."""
    parts = [_list_images(folder) for folder in folders]
    paths = [path for part, _ in parts for path in part]
    inputs = np.empty((len(paths), _LENGTH, 3), dtype="uint8")

    def read_chunk(start):
        chunk = paths[start : start + _IMAGES_PER_CHUNK]
        for row, path in enumerate(chunk, start):
            inputs[row] = read_image(path)
        return start + len(chunk)

    progress = keras.utils.Progbar(
        len(paths), unit_name="image", verbose=verbose
    )
    # Threads, since Pillow releases the interpreter's lock to decode.
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for end in pool.map(
            read_chunk, range(0, len(paths), _IMAGES_PER_CHUNK)
        ):
            progress.update(end)
    (_, train_targets), (_, test_targets) = parts
    num_train = len(train_targets)
    # A copy: a view would keep all images in memory.
    test_inputs = inputs[num_train:].copy()
    return (inputs[:num_train], train_targets), (test_inputs, test_targets)


def _list_images(folder):
    """Paths and targets of the images of `folder/<class>/*`."""
    remedy = (
        f"The classes, folders of images, are {', '.join(CLASS_NAMES)}: all of "
        "them must be there, and no other."
    )
    for path in sorted(filter(_is_visible, folder.iterdir())):
        if path.is_dir() and path.name not in CLASS_NAMES:
            raise ValueError(f"Not a class of CIFAR-10: {path}. {remedy}")
    paths, targets = [], []
    for label, name in enumerate(CLASS_NAMES):
        check_folder(folder / name, remedy)
        images = sorted(
            path
            for path in filter(_is_visible, (folder / name).iterdir())
            if path.suffix.lower() in _SUFFIXES
        )
        for path in images:
            if not path.is_file():
                raise ValueError(f"Not a file: {path}. It is named as an image")
        if not images:
            suffixes = ", ".join(_SUFFIXES)
            problem = f"No images in {folder / name}: there must be files of"
            raise ValueError(f"{problem} {suffixes}.")
        paths += images
        targets += [label] * len(images)
    return paths, np.array(targets, dtype="int32")


def _is_visible(path):
    """Whether a file is not hidden.

    Some systems keep a hidden `._1.jpg`, which is not an image, beside `1.jpg`.
    """
    return not path.name.startswith(".")
