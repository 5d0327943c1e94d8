"""CIFAR-10 in each form in which it is distributed, with random images."""

import itertools
import pickle
import struct

import numpy as np
from PIL import Image

__all__ = [
    "CLASSES",
    "NUM_TEST",
    "NUM_TRAIN",
    "TRAIN_BATCHES",
    "make_images",
    "python2_pickle",
    "write_binary",
    "write_png",
    "write_python2",
    "write_python3",
]

CLASSES = [
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
]
TRAIN_BATCHES = [f"data_batch_{number}" for number in range(1, 6)]
NUM_TRAIN, NUM_TEST = 4, 2  # images a class of `make_images`


def make_images():
    """Random images of 32 x 32 pixels, and their labels, of two parts.

    They are in the order in which an image folder is read, so that the same
    images in any form make the same data.
    """
    rng = np.random.default_rng(1)
    for count in (NUM_TRAIN, NUM_TEST):
        images = rng.integers(256, size=(10 * count, 32, 32, 3), dtype="uint8")
        yield images, np.repeat(np.arange(10), count)


def batches():
    """Name, images and labels of each of the six batches."""
    (images, labels), test = make_images()
    # Of different sizes: 2, 5, 8, 11 and 14.
    edges = [2, 7, 15, 26]
    yield from zip(
        TRAIN_BATCHES,
        np.split(images, edges),
        np.split(labels, edges),
        strict=True,
    )
    yield "test_batch", *test


def planes_of(image):
    """The 3072 bytes of an image: all red ones, all green, all blue ones."""
    return b"".join(image[:, :, channel].tobytes() for channel in range(3))


def write_binary(folder):
    folder.mkdir()
    for name, images, labels in batches():
        with open(folder / f"{name}.bin", "wb") as file:
            for image, label in zip(images, labels, strict=True):
                file.write(struct.pack("B", label) + planes_of(image))


def python2_pickle(images, labels):
    """What Python 2 and its numpy wrote, opcode by opcode (protocol 2)."""
    places = itertools.count(1)

    def put():
        return b"q" + struct.pack("B", next(places))

    def text(value):
        return b"U" + struct.pack("B", len(value)) + value

    def integer(value):
        if value < 256:
            return b"K" + struct.pack("B", value)
        return b"M" + struct.pack("<H", value)

    data = b"".join(map(planes_of, images))
    return b"".join(
        [
            b"\x80\x02}" + put() + b"(",
            text(b"data") + put(),
            b"cnumpy.core.multiarray\n_reconstruct\n" + put(),
            b"cnumpy\nndarray\n" + put() + b"K\x00\x85" + text(b"b"),
            b"\x87R" + put(),
            b"(K\x01" + integer(len(images)) + integer(3072) + b"\x86",
            b"cnumpy\ndtype\n" + put() + text(b"u1") + b"K\x00K\x01\x87R",
            put() + b"(K\x03" + text(b"|") + b"NNN",
            b"J\xff\xff\xff\xff" * 2 + b"K\x00tb",
            b"\x89T" + struct.pack("<i", len(data)) + data + b"tb",
            text(b"labels") + put() + b"]" + put() + b"(",
            *map(integer, labels),
            b"e" + text(b"batch_label") + put(),
            text(b"training batch 1 of 5") + put(),
            text(b"filenames") + put() + b"]" + put() + b"(",
            *(
                text(b"image_%d.png" % number) + put()
                for number in range(len(images))
            ),
            b"eu.",
        ]
    )


def write_python2(folder):
    folder.mkdir()
    for name, images, labels in batches():
        (folder / name).write_bytes(python2_pickle(images, labels))


def batch_dict(images, labels, key=str.encode):
    data = np.stack(
        [np.frombuffer(planes_of(image), "uint8") for image in images]
    )
    return {key("data"): data, key("labels"): labels.tolist()}


def write_python3(folder, protocol, key):
    folder.mkdir()
    for name, images, labels in batches():
        with open(folder / name, "wb") as file:
            pickle.dump(batch_dict(images, labels, key), file, protocol)


def write_png(folder):
    for name, (images, labels) in zip(
        ("train", "test"), make_images(), strict=True
    ):
        for label in CLASSES:
            (folder / name / label).mkdir(parents=True)
        for number, (image, label) in enumerate(
            zip(images, labels, strict=True)
        ):
            path = folder / name / CLASSES[label] / f"{number:02}.png"
            Image.fromarray(image).save(path)
