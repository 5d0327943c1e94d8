import concurrent.futures
import io
import os
import tempfile
import zipfile

import numpy as np
import pytest

from keras_multires.datasets import _cache as cache
from testing.damaged_files import fault_of_reading

ARRAYS = {
    "floats": np.arange(6000, dtype="float32").reshape(2, 3, 1000),
    "bytes": np.arange(5, dtype="uint8"),
    "empty": np.empty((0, 7), dtype="float32"),
}


def accept(arrays):
    return True


@pytest.fixture(params=[False, True], ids=["stored", "compressed"])
def path(request, tmp_path):
    path = tmp_path / "arrays.npz"
    cache.write_arrays(path, ARRAYS, compress=request.param)
    return path


def test_arrays_are_read_as_they_were_written(path):
    arrays = cache.read_arrays(path, accept)
    assert list(arrays) == list(ARRAYS)
    for name, expected in ARRAYS.items():
        assert arrays[name].dtype == expected.dtype
        np.testing.assert_array_equal(arrays[name], expected)
    assert list(path.parent.iterdir()) == [path]


def test_a_changed_byte_in_the_data_is_an_error(path):
    """Between the arrays there are bytes without a meaning."""
    content = path.read_bytes()
    with np.load(path) as archive:
        [info] = [
            info for info in archive.zip.infolist() if "floats" in info.filename
        ]
    start, size = info.header_offset + 300, info.compress_size - 400
    for position in np.linspace(start, start + size, 50, dtype=int):
        damaged = bytearray(content)
        damaged[position] ^= 1
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match="Delete the file") as error:
            cache.read_arrays(path, accept)
        assert str(path) in str(error.value)


def test_a_truncated_file_is_an_error_that_says_what_to_do(path):
    content = path.read_bytes()
    for size in np.linspace(0, len(content) - 1, 50, dtype=int):
        path.write_bytes(content[:size])
        with pytest.raises(ValueError, match="Delete the file"):
            cache.read_arrays(path, accept)


def test_arrays_that_are_not_valid_are_an_error_that_says_what_to_do(path):
    def are_valid(arrays):
        raise KeyError("targets")

    for refuse in (are_valid, lambda arrays: False):
        with pytest.raises(ValueError, match="Delete the file"):
            cache.read_arrays(path, refuse)


def test_an_archive_is_read_without_unpickling_objects(tmp_path):
    class Trap:
        def __reduce__(self):
            return (pytest.fail, ("was unpickled",))

    path = tmp_path / "arrays.npz"
    np.savez(path, trap=np.array([Trap()], dtype=object))
    with pytest.raises(ValueError, match="Delete the file"):
        cache.read_arrays(path, accept)
    path.write_bytes(b"")
    np.array([Trap()], dtype=object).dump(path)
    with pytest.raises(ValueError, match="Delete the file"):
        cache.read_arrays(path, accept)


def write_a_bomb(path):
    """Adds 128 MB of zeros, in 128 kB."""
    with (
        zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive,
        archive.open("extra.npy", "w") as member,
    ):
        np.lib.format.write_array_header_1_0(
            member,
            {"descr": "|u1", "fortran_order": False, "shape": (1 << 27,)},
        )
        for _ in range(8):
            member.write(bytes(1 << 24))


def write_a_large_shape(path):
    with zipfile.ZipFile(path, "w") as archive:
        header = io.BytesIO()
        np.lib.format.write_array_header_1_0(
            header,
            {"descr": "<f4", "fortran_order": False, "shape": (1 << 45,)},
        )
        archive.writestr("floats.npy", header.getvalue() + bytes(1000))


def write_by_another_method(path):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("floats.npy", b"")


@pytest.mark.parametrize(
    "write", [write_a_bomb, write_a_large_shape, write_by_another_method]
)
def test_an_archive_that_would_grow_is_an_error(write, tmp_path):
    path = tmp_path / "arrays.npz"
    cache.write_arrays(path, ARRAYS)
    write(path)
    assert path.stat().st_size < 1 << 22
    fault, is_refused = fault_of_reading(
        lambda: cache.read_arrays(path, accept), path
    )
    assert fault is None
    assert is_refused


def test_a_missing_archive_is_a_file_not_found_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        cache.read_arrays(tmp_path / "none.npz", accept)


def test_arrays_are_made_once(tmp_path):
    made = []

    def make():
        made.append(ARRAYS)
        return ARRAYS

    def keep(_):
        return cache.keep_arrays(tmp_path / "arrays.npz", accept, make)

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        for arrays in pool.map(keep, range(4)):
            np.testing.assert_equal(arrays, ARRAYS)
    assert len(made) == 1
    assert os.listdir(tmp_path) == ["arrays.npz"]


def test_the_folder_of_keras_is_that_of_its_downloads(tmp_path, monkeypatch):
    home = tmp_path / "home"
    monkeypatch.setenv("KERAS_HOME", str(home))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    assert cache.keras_folder() == home / "datasets"
    monkeypatch.setattr(os, "access", lambda path, mode: path != home)
    assert cache.keras_folder() == tmp_path / "tmp/.keras/datasets"
    assert cache.keras_folder().is_dir()


def test_the_folder_of_the_cache_is_created(tmp_path, monkeypatch):
    folder = tmp_path / "a" / "b"
    assert cache.cache_file("name", folder) == folder / "name"
    assert folder.is_dir()


def test_the_default_folder_follows_keras_home(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "home"))
    assert cache.cache_file("name") == tmp_path / "home/datasets/name"
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.setenv("KERAS_HOME", "~/keras")
    assert cache.cache_file("name") == tmp_path / "keras/datasets/name"
    monkeypatch.delenv("KERAS_HOME")
    assert cache.cache_file("name") == tmp_path / ".keras/datasets/name"
