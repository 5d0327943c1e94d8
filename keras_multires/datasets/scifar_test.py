import concurrent.futures
import io
import os
import pickle
import shutil
import struct
import sys
import time
import zlib
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image

from keras_multires.datasets import scifar
from testing.cifar10_files import CLASSES
from testing.cifar10_files import TRAIN_BATCHES
from testing.cifar10_files import make_images
from testing.cifar10_files import python2_pickle
from testing.cifar10_files import write_binary
from testing.cifar10_files import write_png
from testing.cifar10_files import write_python2
from testing.cifar10_files import write_python3
from testing.damaged_files import fault_of_reading
from testing.paths import TESTDATA

FIXTURE = TESTDATA / "cifar10"
# The targets of the fixture's training and validation set with seed 0.
TRAIN_TARGETS = [3, 7, 8, 1, 9, 2, 0, 6, 6, 4, 2, 1, 5, 4, 7, 3, 9, 8, 0, 5]
VALIDATION_TARGETS = [0, 3, 8, 7, 1, 9, 5, 2, 6, 4]


FORMS = {
    "binary": write_binary,
    "python2": write_python2,
    "bytes, protocol 2": lambda folder: write_python3(folder, 2, str.encode),
    "text, protocol 2": lambda folder: write_python3(folder, 2, str),
    "bytes, protocol 4": lambda folder: write_python3(folder, 4, str.encode),
    "png": write_png,
}


@pytest.fixture
def folder(tmp_path):
    """A copy of the fixture, an image folder, to be changed."""
    return Path(shutil.copytree(FIXTURE, tmp_path / "images"))


@pytest.fixture
def binary(tmp_path):
    write_binary(tmp_path / "binary")
    return tmp_path / "binary"


@pytest.fixture
def python2(tmp_path):
    write_python2(tmp_path / "python2")
    return tmp_path / "python2"


def read(directory, **arguments):
    return scifar.load_data(directory, verbose=0, **arguments)


def assert_equal_parts(first, second):
    for pair, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(pair[0], other[0])
        np.testing.assert_array_equal(pair[1], other[1])


def rows_of(*parts):
    """Every pair of an image and its target, sorted."""
    return sorted(
        (row.tobytes(), int(target))
        for inputs, targets in parts
        for row, target in zip(inputs, targets, strict=True)
    )


def expected_rows(images, labels):
    return sorted(
        (image.tobytes(), int(label))
        for image, label in zip(images, labels, strict=True)
    )


def give_keras(monkeypatch, train, test):
    """Makes Keras return these images and labels instead of CIFAR-10."""
    monkeypatch.setattr(
        keras.datasets.cifar10,
        "load_data",
        lambda: tuple(
            (images, labels.astype("uint8")[:, np.newaxis])
            for images, labels in (train, test)
        ),
    )


def give_keras_counts(monkeypatch, counts):
    """Makes Keras return given numbers of training images of each class.

    There is one test image. The first bytes of an image are its number.
    """
    labels = np.random.default_rng(2).permutation(np.repeat(range(10), counts))
    images = np.zeros((len(labels), 32, 32, 3), "uint8")
    images[:, 0, 0, 0] = np.arange(len(labels)) // 256
    images[:, 0, 0, 1] = np.arange(len(labels)) % 256
    give_keras(monkeypatch, (images, labels), (images[:1], labels[:1]))
    return labels


def numbers_of(inputs):
    return (256 * inputs[:, 0, 0].astype(int) + inputs[:, 0, 1]).tolist()


# Sources.


def test_images_are_read_from_a_folder_of_classes(folder):
    before = sorted(folder.rglob("*"))
    train, validation, test = read(str(folder))
    for (inputs, targets), size in (
        (train, 20),
        (validation, 10),
        (test, 20),
    ):
        assert inputs.shape == (size, 1024, 3)
        assert inputs.dtype == "uint8"
        assert targets.shape == (size,)
        assert targets.dtype == "int32"
    for parts, name in (((train, validation), "train"), ((test,), "test")):
        images = [
            (Image.open(path).tobytes(), CLASSES.index(path.parent.name))
            for path in FIXTURE.glob(f"{name}/*/*.jpg")
        ]
        assert rows_of(*parts) == sorted(images)
    assert sorted(folder.rglob("*")) == before


def test_test_images_are_in_the_order_of_classes_and_names(folder):
    inputs, targets = read(folder)[2]
    expected = [
        Image.open(folder / "test" / name / f"{number:04}.jpg").tobytes()
        for name in CLASSES
        for number in range(2)
    ]
    assert [row.tobytes() for row in inputs] == expected
    assert targets.tolist() == [label for label in range(10) for _ in range(2)]


@pytest.mark.parametrize("form", FORMS)
def test_the_same_images_in_any_form_make_the_same_data(
    form, tmp_path, monkeypatch
):
    FORMS[form](tmp_path / "data")
    parts = read(tmp_path / "data")
    train, test = make_images()
    give_keras(monkeypatch, train, test)
    assert_equal_parts(parts, scifar.load_data())
    assert rows_of(*parts[:2]) == expected_rows(*train)
    for inputs, targets in parts:
        assert inputs.shape[1:] == (1024, 3)
        assert inputs.dtype == "uint8"
        assert targets.dtype == "int32"
        # Not read-only, as a file's bytes would be.
        assert inputs.flags.writeable
        assert targets.flags.writeable


@pytest.mark.parametrize("form", FORMS)
def test_step_32_r_plus_c_is_the_pixel_in_row_r_and_column_c(form, tmp_path):
    FORMS[form](tmp_path / "data")
    inputs, targets = read(tmp_path / "data")[2]
    _, (images, labels) = make_images()
    assert targets.tolist() == labels.tolist()
    for image, row in zip(images, inputs, strict=True):
        for r, c in ((0, 0), (0, 31), (1, 0), (17, 5), (31, 31)):
            assert row[32 * r + c].tolist() == image[r, c].tolist()


@pytest.mark.parametrize(
    ("name", "form"),
    [("cifar-10-batches-bin", "binary"), ("cifar-10-batches-py", "python2")],
)
def test_the_parent_of_the_unpacked_folder_is_accepted(name, form, tmp_path):
    FORMS[form](tmp_path / name)
    assert_equal_parts(read(tmp_path), read(tmp_path / name))


def test_without_a_directory_keras_loads_the_data(monkeypatch):
    train, test = make_images()
    give_keras(monkeypatch, train, test)
    parts = scifar.load_data()
    assert rows_of(*parts[:2]) == expected_rows(*train)
    np.testing.assert_array_equal(parts[2][0], test[0].reshape(-1, 1024, 3))
    np.testing.assert_array_equal(parts[2][1], test[1])
    for inputs, targets in parts:
        assert (inputs.dtype, targets.dtype) == ("uint8", "int32")
        assert targets.ndim == 1


def test_keras_loads_the_data_in_one_thread_at_a_time(monkeypatch):
    """Otherwise it unpacks over what another one reads."""
    give_keras(monkeypatch, *make_images())
    load = keras.datasets.cifar10.load_data
    inside = []

    def load_slowly():
        inside.append(True)
        assert len(inside) == 1
        time.sleep(0.05)
        inside.pop()
        return load()

    monkeypatch.setattr(keras.datasets.cifar10, "load_data", load_slowly)
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        first, second = pool.map(lambda _: scifar.load_data(), range(2))
    assert_equal_parts(first, second)


def test_keras_may_load_the_data_with_channels_first(monkeypatch):
    train, test = make_images()
    give_keras(monkeypatch, train, test)
    expected = scifar.load_data()
    monkeypatch.setattr(
        keras.config, "image_data_format", lambda: "channels_first"
    )
    give_keras(
        monkeypatch,
        *(
            (images.transpose(0, 3, 1, 2), labels)
            for images, labels in (train, test)
        ),
    )
    assert_equal_parts(scifar.load_data(), expected)


def test_without_a_network_the_error_mentions_the_directory(monkeypatch):
    cause = Exception("URL fetch failure on https://somewhere")

    def fail():
        raise cause

    monkeypatch.setattr(keras.datasets.cifar10, "load_data", fail)
    with pytest.raises(OSError, match=r"`directory`") as error:
        scifar.load_data()
    assert "URL fetch failure on https://somewhere" in str(error.value)
    assert error.value.__cause__ is cause


def test_a_progress_bar_is_shown_while_images_are_read(folder, capsys):
    scifar.load_data(folder)
    assert "50/50" in capsys.readouterr().out
    scifar.load_data(folder, verbose=0)
    assert capsys.readouterr().out == ""


def test_the_test_set_keeps_no_training_images_in_memory(folder):
    assert read(folder)[2][0].base is None


@pytest.mark.parametrize("seed", [-1, 0.5, None])
def test_a_wrong_seed_is_an_error_that_names_it(seed, folder):
    with pytest.raises(ValueError, match=r"`seed`.*Received: seed="):
        read(folder, seed=seed)


# The constants.


def test_the_classes_are_those_of_cifar_10_in_its_order():
    assert list(scifar.CLASS_NAMES) == CLASSES


def test_the_constants_normalise_the_bytes(folder):
    inputs = read(folder)[0][0]
    layer = keras.layers.Normalization(
        mean=[255 * mean for mean in scifar.MEAN],
        variance=[(255 * deviation) ** 2 for deviation in scifar.DEVIATION],
    )
    expected = (inputs / 255 - [0.4914, 0.4822, 0.4465]) / [
        *(0.2023, 0.1994, 0.2010)
    ]
    outputs = keras.ops.convert_to_numpy(layer(inputs))
    np.testing.assert_allclose(outputs, expected, atol=1e-4)


# The split.


def test_a_tenth_of_each_class_is_held_out(monkeypatch):
    counts = [100, 10, 14, 15, 24, 25, 96, 2, 1, 0]
    labels = give_keras_counts(monkeypatch, counts)
    train, validation, _ = scifar.load_data()
    held_out = np.bincount(validation[1], minlength=10).tolist()
    assert held_out == [10, 1, 1, 2, 2, 3, 10, 1, 0, 0]
    # Every image is in one of them, with its own label.
    numbers = numbers_of(train[0]) + numbers_of(validation[0])
    assert sorted(numbers) == list(range(sum(counts)))
    targets = np.concatenate([train[1], validation[1]])
    assert targets.tolist() == labels[numbers].tolist()


@pytest.mark.parametrize(
    ("fraction", "expected"),
    [
        (0.04, [4, 1, 1, 1, 1, 1, 4, 1, 0, 0]),
        (0.5, [50, 5, 7, 8, 12, 13, 48, 1, 0, 0]),
        (0.99, [99, 9, 13, 14, 23, 24, 95, 1, 0, 0]),
    ],
)
def test_another_fraction_of_each_class_may_be_held_out(
    monkeypatch, fraction, expected
):
    counts = [100, 10, 14, 15, 24, 25, 96, 2, 1, 0]
    give_keras_counts(monkeypatch, counts)
    train, validation, _ = scifar.load_data(validation_fraction=fraction)
    held_out = np.bincount(validation[1], minlength=10)
    assert held_out.tolist() == expected
    kept = np.bincount(train[1], minlength=10)
    assert (kept + held_out).tolist() == counts


@pytest.mark.parametrize("fraction", [0, 1, -0.1, True, None, float("nan")])
def test_a_wrong_fraction_is_an_error_that_names_it(fraction, folder):
    message = r"`validation_fraction`.*Received: validation_fraction="
    with pytest.raises(ValueError, match=message):
        read(folder, validation_fraction=fraction)


def test_a_single_image_of_each_class_leaves_the_validation_set_empty(
    monkeypatch,
):
    give_keras_counts(monkeypatch, [1] * 10)
    train, validation, _ = scifar.load_data()
    assert len(train[1]) == 10
    assert validation[0].shape == (0, 1024, 3)
    assert validation[1].shape == (0,)


def test_the_split_depends_on_the_seed_alone(monkeypatch):
    give_keras_counts(monkeypatch, [30] * 10)
    first = scifar.load_data()
    np.random.seed(3)
    assert_equal_parts(scifar.load_data(), first)
    assert_equal_parts(scifar.load_data(seed=np.int64(0)), first)
    other = scifar.load_data(seed=1)
    assert set(numbers_of(other[1][0])) != set(numbers_of(first[1][0]))
    np.testing.assert_array_equal(other[2][0], first[2][0])


def test_the_first_images_are_a_fair_sample(monkeypatch):
    """Folders are read class by class, so the images must be shuffled."""
    images = np.zeros((1000, 32, 32, 3), "uint8")
    labels = np.repeat(range(10), 100)
    give_keras(monkeypatch, (images, labels), (images, labels))
    for _, targets in scifar.load_data()[:2]:
        counts = np.bincount(targets[: len(targets) // 2], minlength=10)
        assert counts.min() > 0.3 * counts.max()


def test_the_split_is_that_of_earlier_versions(folder):
    """Results of different versions stay comparable."""
    train, validation, _ = read(folder)
    assert train[1].tolist() == TRAIN_TARGETS
    assert validation[1].tolist() == VALIDATION_TARGETS


# One image.


@pytest.mark.parametrize(
    ("suffix", "mode"),
    [
        *((".png", mode) for mode in ("RGB", "RGBA", "L", "LA", "P", "1")),
        *((".jpg", mode) for mode in ("RGB", "L", "CMYK")),
    ],
)
def test_an_image_of_any_mode_becomes_rgb(suffix, mode, tmp_path):
    (images, _), _ = make_images()
    path = tmp_path / f"image{suffix}"
    Image.fromarray(images[0]).convert(mode).save(path)
    pixels = scifar.read_image(str(path))
    assert pixels.shape == (1024, 3)
    assert pixels.dtype == "uint8"
    with Image.open(path) as image:
        assert pixels.tobytes() == image.convert("RGB").tobytes()


def test_transparency_is_dropped(tmp_path):
    image = Image.new("RGBA", (32, 32), (10, 20, 30, 0))
    image.save(tmp_path / "image.png")
    pixels = scifar.read_image(tmp_path / "image.png")
    assert (pixels == [10, 20, 30]).all()


def test_the_format_of_an_image_does_not_depend_on_its_name(tmp_path):
    Image.new("RGB", (32, 32), (10, 20, 30)).save(tmp_path / "image.png")
    (tmp_path / "image.png").rename(tmp_path / "image")
    pixels = scifar.read_image(tmp_path / "image")
    assert (pixels == [10, 20, 30]).all()


@pytest.mark.parametrize("size", [(32, 31), (33, 32), (1, 1024), (64, 64)])
def test_an_image_of_another_size_is_an_error_that_names_it(size, tmp_path):
    path = tmp_path / "image.png"
    Image.new("RGB", size).save(path)
    with pytest.raises(ValueError, match=f"{size[0]} x {size[1]}") as error:
        scifar.read_image(path)
    assert str(path) in str(error.value)
    assert "32 x 32" in str(error.value)


def test_an_image_of_16_bits_is_an_error_that_names_it(tmp_path):
    """Pillow would cut off values above 255."""
    path = tmp_path / "image.png"
    Image.fromarray(np.full((32, 32), 40_000, "uint16")).save(path)
    with pytest.raises(ValueError, match="8 bits") as error:
        scifar.read_image(path)
    assert str(path) in str(error.value)


@pytest.mark.parametrize("suffix", [".gif", ".bmp", ".eps", ".tiff"])
def test_an_image_of_another_format_is_an_error_that_names_it(suffix, tmp_path):
    """Even under the name of a JPEG file: Pillow starts a program for some."""
    path = tmp_path / "image.jpg"
    Image.new("RGB", (32, 32)).save(tmp_path / f"image{suffix}")
    (tmp_path / f"image{suffix}").rename(path)
    with pytest.raises(ValueError, match="Not readable") as error:
        scifar.read_image(path)
    assert str(path) in str(error.value)


@pytest.mark.parametrize("share", [0, 0.01, 0.3, 0.6, 0.9])
@pytest.mark.parametrize("suffix", [".jpg", ".png"])
def test_a_truncated_image_is_an_error_that_names_it(share, suffix, tmp_path):
    (images, _), _ = make_images()
    path = tmp_path / f"image{suffix}"
    Image.fromarray(images[0]).save(path)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(ValueError, match="Not readable") as error:
        scifar.read_image(path)
    assert str(path) in str(error.value)


def test_a_jpeg_that_lacks_its_last_byte_is_an_error(folder):
    path = folder / "train" / "cat" / "0000.jpg"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ValueError, match=r"cat.0000\.jpg"):
        scifar.read_image(path)


def test_a_missing_image_is_an_error_that_names_it(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"image\.png"):
        scifar.read_image(tmp_path / "image.png")


def test_missing_pillow_is_an_error_that_says_what_to_install(
    monkeypatch, folder
):
    monkeypatch.setitem(sys.modules, "PIL.Image", None)
    with pytest.raises(ImportError, match=r"pip install pillow"):
        read(folder)


# Image folders.


def test_suffixes_may_have_capital_letters_and_other_files_are_ignored(folder):
    expected = read(folder)
    cats = folder / "test" / "cat"
    (cats / "0000.jpg").rename(cats / "0000.JPEG")
    (cats / "0001.jpg").rename(cats / "0001.Jpg")
    for name in ("Thumbs.db", ".DS_Store", "._0001.jpg", "README"):
        (cats / name).write_bytes(b"no image")
        (folder / "test" / name).write_bytes(b"no image")
    (folder / "test" / ".hidden").mkdir()
    (folder / "labels.txt").write_text("cat")
    assert_equal_parts(read(folder), expected)


@pytest.mark.parametrize(
    "make", [Path.mkdir, os.mkfifo, lambda path: path.symlink_to(path)]
)
def test_what_is_named_as_an_image_and_no_file_is_an_error(make, folder):
    path = folder / "test" / "cat" / "z.png"
    make(path)
    with pytest.raises(ValueError, match="Not a file") as error:
        read(folder)
    assert str(path) in str(error.value)


def png_chunk(kind, content):
    checksum = zlib.crc32(kind + content)
    size = struct.pack(">I", len(content))
    return size + kind + content + struct.pack(">I", checksum)


def png_of(width, height, *chunks):
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = (png_chunk(b"IHDR", header), *chunks, png_chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


PIXELS = zlib.compress(bytes(1 << 28))


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize(
    ("content", "is_read"),
    [
        (png_of(32, 1 << 30), False),
        (png_of(1 << 14, 1 << 13, png_chunk(b"IDAT", PIXELS)), False),
        # More pixels than the image has.
        (png_of(32, 32, png_chunk(b"IDAT", PIXELS)), True),
        (png_of(32, 32, png_chunk(b"zTXt", b"a\0\0" + PIXELS)), False),
    ],
    ids=["height", "size", "pixels", "text"],
)
def test_an_image_takes_no_more_memory_than_its_pixels(
    content, is_read, tmp_path
):
    path = tmp_path / "bomb.png"
    path.write_bytes(content)
    fault, is_refused = fault_of_reading(lambda: scifar.read_image(path), path)
    assert fault is None
    assert is_refused is not is_read


def test_a_folder_that_is_not_a_class_is_an_error_that_names_it(folder):
    (folder / "test" / "cats").mkdir()
    with pytest.raises(ValueError, match=r"test.cats\b") as error:
        read(folder)
    assert str(folder / "test" / "cats") in str(error.value)
    assert "airplane, automobile" in str(error.value)


@pytest.mark.parametrize("name", ["train", "test"])
def test_a_missing_class_is_an_error_that_names_it(folder, name):
    shutil.rmtree(folder / name / "frog")
    with pytest.raises(FileNotFoundError, match="all of them") as error:
        read(folder)
    assert str(folder / name / "frog") in str(error.value)


@pytest.mark.parametrize("name", ["train", "test"])
def test_a_class_without_images_is_an_error_that_names_it(folder, name):
    for path in (folder / name / "frog").iterdir():
        path.rename(path.with_suffix(".txt"))
    with pytest.raises(ValueError, match=r"\.jpg, \.jpeg, \.png") as error:
        read(folder)
    assert str(folder / name / "frog") in str(error.value)


@pytest.mark.parametrize("name", ["train", "test"])
def test_a_missing_part_is_an_error_that_names_it(folder, name):
    shutil.rmtree(folder / name)
    with pytest.raises(FileNotFoundError, match="`directory`") as error:
        read(folder)
    assert str(folder / name) in str(error.value)


def test_a_damaged_image_of_a_folder_is_an_error_that_names_it(folder):
    path = folder / "test" / "truck" / "0001.jpg"
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(ValueError, match="Not readable") as error:
        read(folder)
    assert str(path) in str(error.value)


# Batches.


@pytest.mark.parametrize("name", ["missing", "empty", "file"])
def test_a_wrong_directory_is_an_error_that_says_what_it_should_be(
    name, tmp_path
):
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(FileNotFoundError, match="`directory` must") as error:
        read(tmp_path / name)
    assert str(tmp_path / name) in str(error.value)
    assert "https://www.cs.toronto.edu" in str(error.value)


@pytest.mark.parametrize("batch", [*TRAIN_BATCHES, "test_batch"])
@pytest.mark.parametrize(
    ("form", "suffix"), [("binary", ".bin"), ("python2", "")]
)
def test_a_missing_batch_is_an_error_that_names_it(
    batch, form, suffix, tmp_path
):
    FORMS[form](tmp_path / "data")
    path = tmp_path / "data" / f"{batch}{suffix}"
    path.unlink()
    with pytest.raises(FileNotFoundError, match="`directory` must") as error:
        read(tmp_path / "data")
    assert str(path) in str(error.value)


def truncate(content):
    return content[:-1]


def lengthen(content):
    return content + b"\0"


def empty(content):
    return b""


def change_a_label(content):
    return b"\x0a" + content[1:]


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        (truncate, "no multiple of the 3073"),
        (lengthen, "no multiple of the 3073"),
        (empty, "no images"),
        (change_a_label, "0 to 9"),
    ],
)
@pytest.mark.parametrize("name", ["data_batch_3.bin", "test_batch.bin"])
def test_a_damaged_binary_batch_is_an_error_that_names_it(
    damage, problem, name, binary
):
    path = binary / name
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(ValueError, match=f"{problem}.*get the") as error:
        read(binary)
    assert str(path) in str(error.value)


@pytest.mark.parametrize("share", [0, 0.001, 0.5, 0.99])
def test_a_truncated_pickle_is_an_error_that_names_it(share, python2):
    path = python2 / "data_batch_3"
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(ValueError, match="get the data set again") as error:
        read(python2)
    assert str(path) in str(error.value)


DATA = np.zeros((2, 3072), "uint8")


@pytest.mark.parametrize(
    ("batch", "problem"),
    [
        ([1, 2], "dict"),
        ({}, "`data`"),
        ({"labels": [1, 2]}, "`data`"),
        ({"data": DATA.tolist(), "labels": [1, 2]}, "`data`"),
        ({"data": DATA.astype("int64"), "labels": [1, 2]}, "`data`"),
        ({"data": DATA[:, 1:], "labels": [1, 2]}, "`data`"),
        ({"data": DATA[0], "labels": [1, 2]}, "`data`"),
        ({"data": DATA}, "`labels`"),
        # As in CIFAR-100.
        ({"data": DATA, "fine_labels": [1, 2]}, "`labels`"),
        ({"data": DATA, "labels": [1]}, "`labels`"),
        ({"data": DATA, "labels": [[1], [2]]}, "`labels`"),
        ({"data": DATA, "labels": [1, "cat"]}, "0 to 9"),
        ({"data": DATA, "labels": [1.0, 2.0]}, "0 to 9"),
        ({"data": DATA, "labels": [1, 10]}, "0 to 9"),
        ({"data": DATA, "labels": [1, -1]}, "0 to 9"),
        ({"data": DATA[:0], "labels": []}, "no images"),
    ],
)
def test_a_pickle_without_a_batch_is_an_error_that_names_it(
    batch, problem, python2
):
    path = python2 / "test_batch"
    path.write_bytes(pickle.dumps(batch, protocol=4))
    with pytest.raises(ValueError, match=problem) as error:
        read(python2)
    assert str(path) in str(error.value)


class Call:
    """What unpickles as the result of a call."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def test_the_pickles_of_these_tests_are_those_of_python_2(python2):
    expected = (TESTDATA / "cifar10_python2" / "two_images").read_bytes()
    planes = np.resize(np.arange(2 * 3072) % 251, (2, 3, 32, 32))
    images = planes.astype("uint8").transpose(0, 2, 3, 1)
    assert python2_pickle(images, [3, 9]) == expected
    (python2 / "test_batch").write_bytes(expected)
    inputs, targets = read(python2)[-1]
    np.testing.assert_array_equal(inputs, images.reshape(2, 1024, 3))
    assert targets.tolist() == [3, 9]


@pytest.mark.parametrize("protocol", [0, 2, 4])
@pytest.mark.parametrize("place", ["whole", "label", "beside"])
@pytest.mark.parametrize("function", [os.mkdir, os.system, eval, exec])
def test_reading_a_pickle_does_not_run_its_code(
    protocol, place, function, python2, tmp_path
):
    trace = tmp_path / "trace"
    argument = {
        os.mkdir: str(trace),
        os.system: f"mkdir {trace}",
        eval: f"__import__('os').mkdir({str(trace)!r})",
        exec: f"import os; os.mkdir({str(trace)!r})",
    }[function]
    call = Call(function, argument)
    batch = {b"data": DATA, b"labels": [1, 2]}
    content = pickle.dumps(
        {
            "whole": call,
            "label": {**batch, b"labels": [1, call]},
            "beside": {**batch, b"more": call},
        }[place],
        protocol,
    )
    path = python2 / "data_batch_1"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="asks for") as error:
        read(python2)
    assert str(path) in str(error.value)
    assert function.__name__ in str(error.value)
    assert not trace.exists()
    # Without the protection, the code runs.
    pickle.load(io.BytesIO(content))
    assert trace.exists()


@pytest.mark.parametrize(
    "name",
    [
        "numpy\nload",
        "numpy\nfromfile",
        "numpy\nmemmap",
        "numpy\ndtype.__class__",
        "numpy\nndarray.tofile",
        "numpy.core.multiarray\nfromfile",
        "builtins\ngetattr",
        "__builtin__\ngetattr",
        "codecs\nopen",
        "_codecs\nlookup",
    ],
)
def test_a_pickle_can_import_only_what_arrays_need(name, python2):
    path = python2 / "data_batch_1"
    path.write_bytes(f"\x80\x02c{name}\n.".encode("latin1"))
    with pytest.raises(ValueError, match="asks for") as error:
        read(python2)
    assert name.replace("\n", ".") in str(error.value)


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("form", [list, np.array, "numbers"])
def test_batches_that_python_3_pickled_again_are_read(protocol, form, python2):
    expected = read(python2)
    for path in python2.iterdir():
        batch = pickle.loads(path.read_bytes(), encoding="bytes")
        labels = batch[b"labels"]
        batch[b"labels"] = (
            list(np.array(labels)) if form == "numbers" else form(labels)
        )
        path.write_bytes(pickle.dumps(batch, protocol))
    assert_equal_parts(read(python2), expected)


def objects_at(address):
    """A pickle that sets an item of an array of objects over its own bytes.

    With NumPy's functions, that frees an object at the address.
    """
    return b"".join(
        [
            b"\x80\x05cnumpy\nndarray\nK\x01\x85",
            b"cnumpy\ndtype\nU\x02O8\x85R",
            b"\x96" + (8).to_bytes(8, "little") + address.to_bytes(8, "little"),
            b"\x87RK\x00Ns.",
        ]
    )


def nested_key(depth):
    """A pickle of a dict with a key that is a tuple in a tuple in a tuple."""
    return b"\x80\x02})" + b"\x85" * depth + b"Ns."


def equal_hashes(number):
    """A pickle of a dict with keys that are different and hash to 0."""
    keys = (i * sys.hash_info.modulus for i in range(1, number + 1))
    items = (b"\x8a\x0c" + key.to_bytes(12, "little") + b"N" for key in keys)
    return b"\x80\x02}(" + b"".join(items) + b"u."


def encoded(times, encoding):
    """A pickle of bytes that are encoded again and again."""
    call = b"c_codecs\nencode\n"
    start = b"X\x04\0\0\0aaaa"
    name = b"U" + bytes([len(encoding)]) + encoding + b"\x86R"
    return b"\x80\x02}U\x04data" + call * times + start + name * times + b"s."


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (objects_at(0x4141414141414141), "no dict"),
        (
            pickle.dumps({"data": np.array([None]), "labels": [1]}),
            "without its bytes",
        ),
        (
            pickle.dumps({"data": np.array(["text"]), "labels": [1]}),
            "other than numbers",
        ),
        (encoded(40, b"hex"), "another encoding"),
        (encoded(1, b"punycode"), "another encoding"),
        (b"\x80\x05\x96" + (1 << 40).to_bytes(8, "little") + b".", "bytes"),
        (b"\x80\x02Nr\xff\xff\xff\x7f.", "larger than its file"),
        # Python crashes when it hashes the key, and takes long for the keys.
        (nested_key(200_000), "`data`"),
        (equal_hashes(20_000), "`data`"),
        (b"\x80\x02" + b"]" * 20_000 + b"a" * 19_999 + b".", "no dict"),
        (b"\x80\x02cnumpy\nndarray\n)R" + b"." * 9, "no dict"),
        (b"\x80\x02]" + b"2a" * 50 + b".", "DUP"),
    ],
    ids=[
        *("address", "objects", "text", "hex", "punycode", "bytearray", "memo"),
        *("deep key", "hashes", "deep list", "call", "unknown"),
    ],
)
def test_a_hostile_pickle_is_an_error_that_names_it(content, problem, python2):
    path = python2 / "data_batch_1"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=problem) as error:
        read(python2)
    assert str(path) in str(error.value)


def test_labels_that_grow_when_they_are_written_out_are_refused(python2):
    labels = [1, 2]
    for _ in range(60):
        labels = [labels, labels]
    path = python2 / "data_batch_1"
    path.write_bytes(pickle.dumps({"data": DATA, "labels": labels}))
    with pytest.raises(ValueError, match="`labels` is no list"):
        read(python2)


def test_a_pickle_cannot_change_how_the_next_one_is_read(python2):
    expected = read(python2)
    path = python2 / "data_batch_1"
    content = path.read_bytes()
    # Sets the defaults of what stands for `numpy.dtype`.
    path.write_bytes(
        b"\x80\x02cnumpy\ndtype\nN}X\x0c\0\0\0__defaults__K\x01\x85s\x86b."
    )
    with pytest.raises(ValueError, match="dict"):
        read(python2)
    path.write_bytes(content)
    assert_equal_parts(read(python2), expected)
