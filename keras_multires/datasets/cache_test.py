import numpy as np
import pytest

from keras_multires.datasets import cache

ARRAYS = {
    "floats": np.arange(6000, dtype="float32").reshape(2, 3, 1000),
    "bytes": np.arange(5, dtype="uint8"),
    "empty": np.empty((0, 7), dtype="float32"),
}


def accept(arrays):
    pass


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


def test_a_changed_byte_is_an_error_wherever_it_is(path):
    """In the data, that is: in between there are bytes without meaning."""
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


def test_what_the_check_refuses_is_an_error_that_says_what_to_do(path):
    def refuse(arrays):
        raise KeyError("targets")

    with pytest.raises(ValueError, match="Delete the file"):
        cache.read_arrays(path, refuse)


def test_nothing_is_unpickled(tmp_path):
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


def test_a_missing_file_is_not_called_damaged(tmp_path):
    with pytest.raises(FileNotFoundError):
        cache.read_arrays(tmp_path / "none.npz", accept)


def test_the_folder_of_the_cache_is_made(tmp_path, monkeypatch):
    folder = tmp_path / "a" / "b"
    assert cache.cache_file("name", folder) == folder / "name"
    assert folder.is_dir()
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "home"))
    assert cache.cache_file("name") == tmp_path / "home/datasets/name"
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert cache.cache_file("name", "~/c") == tmp_path / "c/name"
