"""Every reader of files from outside with damaged files of its format.

A file must be read, or refused by an error of a documented kind that names it,
without much memory. More cases than the tests draw:

    KERAS_BACKEND=jax python -m keras_multires.damaged_files_test --cases 5000
"""

import argparse
import hashlib
import random
import shutil
import tempfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from PIL import Image

from keras_multires import datasets
from keras_multires.checkpoints import load_pytorch_checkpoint
from keras_multires.checkpoints import save_pytorch_checkpoint
from keras_multires.datasets import _cache as cache
from keras_multires.datasets.ptbxl import release
from keras_multires.datasets.ptbxl import tables
from keras_multires.models import MultiresClassifier
from testing import cifar10_files
from testing.damaged_files import damage
from testing.damaged_files import fault_of_reading
from testing.models import classifier
from testing.paths import TESTDATA
from testing.ptbxl_release import FIRST
from testing.ptbxl_release import FIXTURE
from testing.ptbxl_release import waves
from testing.ptbxl_release import write_record

CASES = 200  # of each reader


class Reader(NamedTuple):
    """A reader and a good file for it."""

    path: Path
    read: Callable  # () -> anything
    cost: int = 1  # cases of others that take as long as one
    named: Path | None = None  # in errors, if that is not the path


def cifar10(write, name):
    def prepare(folder):
        write(folder / "batches")
        path = folder / "batches" / name
        return Reader(
            path, lambda: datasets.scifar.load_data(path.parent, verbose=0), 2
        )

    return prepare


def image(suffix):
    def prepare(folder):
        path = folder / f"image{suffix}"
        pixels = next(iter(cifar10_files.make_images()))[0][0]
        Image.fromarray(pixels).save(path)
        return Reader(path, lambda: datasets.scifar.read_image(path))

    return prepare


def expressions(folder):
    shutil.copytree(TESTDATA / "listops", folder / "listops")
    path = folder / "listops" / "basic_test.tsv"
    return Reader(path, lambda: datasets.listops.load_data(path.parent))


def kept_arrays(folder):
    path = folder / "arrays.npz"
    arrays = {"a": np.arange(5000.0), "b": np.zeros((3, 0), "uint8")}
    cache.write_arrays(path, arrays)

    def are_valid(found):
        return all(np.array_equal(found[name], arrays[name]) for name in "ab")

    return Reader(path, lambda: cache.read_arrays(path, are_valid))


def record(suffix):
    def prepare(folder):
        path = folder / f"record{suffix}"
        write_record(folder / "record", waves(100))
        return Reader(path, lambda: datasets.ptbxl.read_record(path), 2)

    return prepare


def statements(folder):
    path = Path(shutil.copy(FIXTURE / tables.STATEMENTS, folder))
    return Reader(path, lambda: tables.read_statements(folder))


def database(folder):
    path = Path(shutil.copy(FIXTURE / tables.DATABASE, folder))
    known = tables.read_statements(FIXTURE)
    return Reader(path, lambda: tables.read_database(folder, 100, known))


def checksums(folder):
    path = folder / "SHA256SUMS.txt"
    names = (tables.DATABASE, tables.STATEMENTS, f"{FIRST}.dat", f"{FIRST}.hea")
    # As PhysioNet writes it.
    path.write_text("".join(f"{'0' * 64} {name}\n" for name in names))
    return Reader(path, lambda: release._read_checksums(path, str(path)))


def archive(folder):
    path = folder / "archive.zip"
    names = (tables.DATABASE, tables.STATEMENTS, f"{FIRST}.dat", f"{FIRST}.hea")
    sums = {}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as target:
        for name in names:
            content = (FIXTURE / name).read_bytes()
            sums[name] = hashlib.sha256(content).hexdigest()
            target.writestr(f"ptb-xl-1.0.3/{name}", content)

    def read():
        unpacked = folder / "unpacked"
        release._unpack(path, str(path), sums, unpacked, verbose=0)
        assert sorted(path.parent.parent.glob("*evil*")) == []
        shutil.rmtree(unpacked)

    return Reader(path, read)


def small_classifier():
    return classifier(3, hidden_dim=4, num_layers=1, length=8, input_channels=2)


def checkpoint(in_new_format):
    def prepare(folder):
        torch = pytest.importorskip("torch")
        path = folder / "model.pth"
        model = small_classifier()
        save_pytorch_checkpoint(model, path)
        state = torch.load(path, weights_only=True)
        content = {"model": state, "epoch": 3, "score": np.float64(0.5)}
        torch.save(content, path, _use_new_zipfile_serialization=in_new_format)
        return Reader(path, lambda: load_pytorch_checkpoint(model, path), 2)

    return prepare


def preset(name):
    def prepare(folder):
        small_classifier().save_to_preset(folder / "preset")
        path = folder / "preset" / name
        return Reader(
            path,
            lambda: MultiresClassifier.from_preset(path.parent),
            cost=10,
            named=path.parent,
        )

    return prepare


READERS = {
    "CIFAR-10, binary": cifar10(cifar10_files.write_binary, "test_batch.bin"),
    "CIFAR-10, Python 2": cifar10(cifar10_files.write_python2, "test_batch"),
    "CIFAR-10, Python 3": cifar10(
        lambda folder: cifar10_files.write_python3(folder, 5, str), "test_batch"
    ),
    "PNG": image(".png"),
    "JPEG": image(".jpg"),
    "ListOps": expressions,
    "kept arrays": kept_arrays,
    "header of a record": record(".hea"),
    "data of a record": record(".dat"),
    "database of PTB-XL": database,
    "statements of PTB-XL": statements,
    "list of checksums": checksums,
    "archive of PTB-XL": archive,
    "checkpoint, zip": checkpoint(True),
    "checkpoint, legacy": checkpoint(False),
    "configuration of a preset": preset("config.json"),
    "weights of a preset": preset("model.weights.h5"),
}


def run(name, num_cases, seed, folder):
    """Runs cases of one reader.

    Returns:
        The number of files that were refused, the longest time of a case, and a
        list of the faults.
    """
    reader = READERS[name](folder)
    good = reader.path.read_bytes()
    named = reader.named or reader.path
    fault, is_refused = fault_of_reading(reader.read, named)
    assert (fault, is_refused) == (None, False)
    rng = random.Random(f"{name} {seed}")
    num_refused, longest, faults = 0, 0, []
    for number in range(max(num_cases // reader.cost, 1)):
        content = damage(good, rng)
        reader.path.write_bytes(content)
        start = time.perf_counter()
        fault, is_refused = fault_of_reading(reader.read, named)
        longest = max(longest, time.perf_counter() - start)
        num_refused += is_refused
        if fault is not None:
            faults.append(f"{name}, case {number}:\n{fault}")
    return num_refused, longest, faults


@pytest.mark.filterwarnings("ignore")  # what libraries say of damaged files
@pytest.mark.parametrize("name", READERS)
def test_a_damaged_file_is_read_or_refused_by_its_name(name, tmp_path):
    num_refused, _, faults = run(name, CASES, 0, tmp_path)
    assert not faults, "\n\n".join(faults)
    assert num_refused > 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, default=10 * CASES)
    parser.add_argument("--seed", default="by hand")
    parser.add_argument("--only", default="", help="part of a reader's name")
    options = parser.parse_args()
    num_faults = 0
    for name in READERS:
        if options.only not in name:
            continue
        start = time.perf_counter()
        with tempfile.TemporaryDirectory() as folder:
            num_refused, longest, faults = run(
                name, options.cases, options.seed, Path(folder)
            )
        print(
            f"{name}: {num_refused} refused, {len(faults)} faults, "
            f"{time.perf_counter() - start:.1f} s, longest {longest:.2f} s",
            *faults[:5],
            sep="\n\n",
            flush=True,
        )
        num_faults += len(faults)
    return num_faults > 0


if __name__ == "__main__":
    raise SystemExit(main())
