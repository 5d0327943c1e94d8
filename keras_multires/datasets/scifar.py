"""CIFAR-10, each image read row by row as a sequence of 1,024 pixels.

The pixels stay bytes, and a model that is to take them as they are begins with
their normalisation, which is then saved with it:

```python
keras.layers.Normalization(
    mean=[255 * mean for mean in MEAN],
    variance=[(255 * deviation) ** 2 for deviation in DEVIATION],
)
```
"""

import codecs
import concurrent.futures
import io
import math
import os
import pickle

import keras
import numpy as np

from keras_multires._validation import check_integer
from keras_multires._validation import check_path
from keras_multires._validation import check_positive
from keras_multires._validation import check_rate
from keras_multires._validation import check_verbose

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
# Of red, green and blue scaled to 0..1: the numbers of the published model. The
# deviations are near those within an image; over all images they are near 0.25.
MEAN = (0.4914, 0.4822, 0.4465)
DEVIATION = (0.2023, 0.1994, 0.2010)

_SIDE = 32
_LENGTH = _SIDE * _SIDE
_ROW = 1 + 3 * _LENGTH  # bytes of an image in a binary batch, label included
_BATCHES = (*(f"data_batch_{number}" for number in range(1, 6)), "test_batch")
_SUFFIXES = (".jpg", ".jpeg", ".png")
_CHUNK = 250  # images that one task decodes
_URL = "https://www.cs.toronto.edu/~kriz/cifar.html"
# What numpy's arrays are pickled with, by the names of numpy 1 and numpy 2.
_RECONSTRUCT = (
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "_reconstruct"),
)


def load_data(directory=None, seed=0, verbose=1, validation_fraction=0.1):
    """CIFAR-10, each image read row by row as a sequence of 1,024 RGB pixels.

    A fraction of the training images of each class is held out for validation.
    For given images and a given fraction, which ones depends on `seed` alone.
    Training and validation set are shuffled, so that the first of them are a
    fair sample; the test set is in the order of its files.

    Without a `directory`, `keras.datasets.cifar10` downloads the data set (170
    MB) and keeps it. Keras compares the archive with a known hash.

    Args:
        directory: Optional folder to read instead, one of
            - the unpacked binary version, with `data_batch_1.bin` to
              `data_batch_5.bin` and `test_batch.bin`;
            - the unpacked Python version, with `data_batch_1` to `data_batch_5`
              and `test_batch`. Only arrays, lists and texts are accepted of
              these pickles, so that none can run code;
            - the parent of either, if its name is still
              `cifar-10-batches-bin` or `cifar-10-batches-py`;
            - images of 32 x 32 pixels, `train/<class>/*` and `test/<class>/*`
              with the classes of `CLASS_NAMES`, `.jpg`, `.jpeg` or `.png`. They
              are read in the order of `CLASS_NAMES` and of their names. Other
              files, and hidden ones, are passed over. Needs Pillow.
        seed: Integer of at least 0. Another seed holds out other images.
        verbose: 0 or 1. Whether to show a progress bar while images are read.
        validation_fraction: Float above 0 and below 1, how much of each class
            is held out.

    Returns:
        Three pairs of numpy arrays `(inputs, targets)`: by default the training
        set (45,000 images of the whole data set), the validation set (5,000)
        and the test set (10,000). Of a class with several training images one
        at least is held out, and one is not; of a class with 1 none.

        - `inputs`: uint8 `(n, 1024, 3)`, red, green and blue from 0 to 255.
          The pixel in row `r` and column `c` is step `32 * r + c`.
        - `targets`: int32 `(n,)`, the class: its place in `CLASS_NAMES`.

    Raises:
        FileNotFoundError: if `directory` is not there, or is none of the above,
            or if a file or a class is missing.
        ValueError: if a file is damaged, if a folder is no class, if there is
            no image in one, or if an argument is out of its range.
        ImportError: if there are images to be read without Pillow.
        OSError: if Keras cannot download or read the data set.

    Example:

    >>> train, validation, test = keras_multires.datasets.scifar.load_data()
    >>> train[0].shape, train[1].shape
    ((45000, 1024, 3), (45000,))

    Source:

    [The CIFAR-10 dataset](https://www.cs.toronto.edu/~kriz/cifar.html).

    Licence:

    That page names none, and asks for the following citation.

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
            palettes become RGB, transparency is dropped.

    Returns:
        uint8 array `(1024, 3)`.

    Raises:
        OSError: if the file cannot be opened.
        ValueError: if `path` is no path, or the file is damaged, of another
            format, or of another size.
        ImportError: if Pillow is not installed.
    """
    path = check_path("path", path)
    try:
        from PIL import Image
    except ImportError as error:
        raise ImportError(
            "Image files are read with Pillow, which is not installed. "
            "Install it: pip install pillow"
        ) from error
    remedy = "It must be a whole JPEG or PNG file of 32 x 32 pixels."
    # Not in the `try`: a file that may not be read is no damaged file.
    with open(path, "rb") as file:
        try:
            # No other formats: Pillow starts a program to read some of them.
            image = Image.open(file, formats=("JPEG", "PNG"))
            size, mode = image.size, image.mode
            is_readable = size == (_SIDE, _SIDE) and mode[0] not in "IF"
            if is_readable:
                pixels = np.array(image.convert("RGB"))
        # A damaged image raises errors of several kinds.
        except Exception as error:
            raise ValueError(
                f"Not readable as an image: {path} ({error}). {remedy}"
            ) from error
    if not is_readable:
        what = (
            f"{size[0]} x {size[1]} pixels"
            if size != (_SIDE, _SIDE)
            else f"more than 8 bits a value (Pillow's mode {mode!r})"
        )
        raise ValueError(f"The image has {what}: {path}. {remedy}")
    return pixels.reshape(_LENGTH, 3)


def _split(inputs, targets, seed, fraction):
    """Training and validation set, both shuffled."""
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
    try:
        parts = keras.datasets.cifar10.load_data()
    # Keras raises a bare Exception if there is no network.
    except Exception as error:
        raise OSError(
            f"`keras.datasets.cifar10` could not load CIFAR-10: {error}. Where "
            f"there is no network, get the data set from {_URL} elsewhere, and "
            "give its unpacked folder as `directory`. What Keras keeps is "
            "`cifar-10-batches-py-target*` in `datasets` of its own folder, "
            "`~/.keras` or `$KERAS_HOME`: delete it if it is damaged."
        ) from error
    return tuple(_flatten(*part) for part in parts)


def _flatten(images, labels):
    """Sequences of images as Keras gives them."""
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
    if not directory.is_dir():
        raise FileNotFoundError(f"Not a folder: {directory}. {remedy}")
    for name in ("", "cifar-10-batches-bin", "cifar-10-batches-py"):
        folder = directory / name
        for suffix, read in ((".bin", _read_binary), ("", _read_pickle)):
            paths = [folder / f"{batch}{suffix}" for batch in _BATCHES]
            if not any(path.exists() for path in paths):
                continue
            for path in paths:
                if not path.is_file():
                    raise FileNotFoundError(f"No such file: {path}. {remedy}")
            *train, test = (_read_batch(path, read) for path in paths)
            return tuple(map(np.concatenate, zip(*train, strict=True))), test
    folders = [directory / name for name in ("train", "test")]
    if not any(folder.is_dir() for folder in folders):
        raise FileNotFoundError(f"No CIFAR-10 in {directory}. {remedy}")
    for folder in folders:
        if not folder.is_dir():
            raise FileNotFoundError(f"Not a folder: {folder}. {remedy}")
    return _read_images(folders, verbose)


def _read_batch(path, read):
    """Inputs and targets of a batch.

    Args:
        path: `pathlib.Path` of the file.
        read: Function of the file's content, whose results are the pixels,
            uint8 `(n, 3072)`, all red ones of an image first, and the labels,
            integers `(n,)`.
    """
    # Not in the `try`: a file that may not be read is no damaged file.
    content = path.read_bytes()
    try:
        planes, labels = read(content)
        if not len(labels):
            raise ValueError("there are no images in it")
        if (
            labels.dtype.kind not in "iu"
            or labels.min() < 0
            or labels.max() >= len(CLASS_NAMES)
        ):
            raise ValueError("a label is not one of 0 to 9")
    # A damaged pickle raises errors of any kind.
    except Exception as error:
        raise ValueError(
            f"{path}: {error}. The file is damaged or no batch of CIFAR-10: "
            f"get the data set again from {_URL}, or leave out `directory` to "
            "let Keras download it."
        ) from error
    inputs = planes.reshape(-1, 3, _LENGTH).transpose(0, 2, 1)
    return np.ascontiguousarray(inputs), labels.astype("int32")


def _read_binary(content):
    if len(content) % _ROW:
        raise ValueError(
            f"its {len(content)} bytes are no multiple of the {_ROW} of an "
            "image with its label"
        )
    rows = np.frombuffer(content, dtype="uint8").reshape(-1, _ROW)
    return rows[:, 1:], rows[:, 0]


def _read_pickle(content):
    batch = _Unpickler(content).load()
    if not isinstance(batch, dict):
        raise ValueError("the pickle holds no dict")
    # The keys are bytes in the original, and text if Python 3 wrote it again.
    planes, labels = (
        batch.get(name.encode(), batch.get(name)) for name in ("data", "labels")
    )
    if (
        not isinstance(planes, np.ndarray)
        or planes.dtype != "uint8"
        or planes.ndim != 2
        or planes.shape[1] != 3 * _LENGTH
    ):
        raise ValueError(f"`data` is no uint8 array of {3 * _LENGTH} columns")
    labels = np.asarray(labels)
    if labels.shape != planes.shape[:1]:
        raise ValueError("`labels` is no list, one for each row of `data`")
    return planes, labels


class _Unpickler(pickle.Unpickler):
    """Reads a pickle of arrays and plain values, and can run nothing else."""

    def __init__(self, content):
        # Python 2 wrote the batches: its texts are bytes.
        super().__init__(io.BytesIO(content), encoding="bytes")

    def find_class(self, module, name):
        if (module, name) in _RECONSTRUCT:
            # Found by what it does: its module has changed its name.
            return np.empty(0).__reduce__()[0]
        if (module, name) == ("numpy", "ndarray"):
            return np.ndarray
        if (module, name) == ("numpy", "dtype"):
            # Python 2's pickles give its flags as integers, which numpy wants
            # no more. A new function each time, since a pickle may change the
            # attributes of what it is given.
            return lambda code, *flags: np.dtype(code)
        if (module, name) == ("_codecs", "encode"):
            return codecs.encode  # of bytes in a protocol without bytes
        raise pickle.UnpicklingError(
            f"it asks for `{module}.{name}`, which no batch needs"
        )


def _read_images(folders, verbose):
    """Inputs and targets of each folder of classes."""
    parts = [_list_images(folder) for folder in folders]
    paths = [path for part, _ in parts for path in part]
    inputs = np.empty((len(paths), _LENGTH, 3), dtype="uint8")

    def read_chunk(start):
        chunk = paths[start : start + _CHUNK]
        for row, path in enumerate(chunk, start):
            inputs[row] = read_image(path)
        return start + len(chunk)

    progress = keras.utils.Progbar(
        len(paths), unit_name="image", verbose=verbose
    )
    # Threads, since Pillow lets go of the interpreter's lock to decode.
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for end in pool.map(read_chunk, range(0, len(paths), _CHUNK)):
            progress.update(end)
    (_, train_targets), (_, test_targets) = parts
    num_train = len(train_targets)
    # A copy, or else the test set would keep all images in memory.
    test_inputs = inputs[num_train:].copy()
    return (inputs[:num_train], train_targets), (test_inputs, test_targets)


def _list_images(folder):
    """Paths and targets of the images of `folder/<class>/*`."""
    remedy = (
        f"The classes, folders of images, are {', '.join(CLASS_NAMES)}: all of "
        "them must be there, and no other."
    )
    for path in sorted(folder.iterdir()):
        is_hidden = path.name.startswith(".")
        if path.is_dir() and path.name not in CLASS_NAMES and not is_hidden:
            raise ValueError(f"Not a class of CIFAR-10: {path}. {remedy}")
    paths, targets = [], []
    for label, name in enumerate(CLASS_NAMES):
        if not (folder / name).is_dir():
            raise FileNotFoundError(f"Not a folder: {folder / name}. {remedy}")
        # Some systems keep a hidden `._1.jpg`, no image, beside `1.jpg`.
        images = sorted(
            path
            for path in (folder / name).iterdir()
            if path.suffix.lower() in _SUFFIXES
            and not path.name.startswith(".")
        )
        if not images:
            raise ValueError(
                f"No images in {folder / name}: there must be files of "
                f"{', '.join(_SUFFIXES)}."
            )
        paths += images
        targets += [label] * len(images)
    return paths, np.array(targets, dtype="int32")
