import concurrent.futures
import errno
import fcntl
import os
import stat
import time

import pytest

from keras_multires._files import explain_errors
from keras_multires._files import locked
from keras_multires._files import replace_whole
from keras_multires._files import write_whole


def test_a_file_gets_its_name_when_it_is_complete(tmp_path):
    path = tmp_path / "file"
    with write_whole(path) as file:
        file.write(b"half of it, ")
        assert not path.exists()
        file.write(b"and the rest")
    assert path.read_bytes() == b"half of it, and the rest"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
def test_an_earlier_file_stays_if_writing_the_new_one_fails(tmp_path, error):
    path = tmp_path / "file"
    path.write_bytes(b"earlier")

    def write_half():
        with write_whole(path) as file:
            file.write(b"half of it")
            raise error

    with pytest.raises(error):
        write_half()
    assert path.read_bytes() == b"earlier"
    assert list(tmp_path.iterdir()) == [path]


def test_replace_whole_yields_a_path_with_the_suffixes_of_the_file(tmp_path):
    path = tmp_path / "file.weights.h5"
    path.write_bytes(b"earlier")
    with replace_whole(path) as temporary:
        assert temporary != path
        assert temporary.suffixes[-2:] == path.suffixes
        temporary.write_bytes(b"later")
        assert path.read_bytes() == b"earlier"
    assert path.read_bytes() == b"later"
    assert list(tmp_path.iterdir()) == [path]


def write(path, content):
    with write_whole(path) as file:
        file.write(content)


def mode_of(path):
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o666, 0o755, 0o444])
def test_a_file_keeps_its_mode(tmp_path, mode):
    path = tmp_path / "file"
    path.touch()
    path.chmod(mode)
    write(path, b"later")
    assert path.read_bytes() == b"later"
    assert mode_of(path) == mode


def test_a_new_file_has_the_mode_of_any_new_file(tmp_path):
    def write_secretly(path):
        with replace_whole(path) as temporary:
            temporary.unlink()
            os.close(os.open(temporary, os.O_CREAT, 0o600))

    for umask, mode in ((0o022, 0o644), (0o077, 0o600), (0o002, 0o664)):
        before = os.umask(umask)
        try:
            write(tmp_path / f"{umask}", b"")
            write_secretly(tmp_path / f"{umask}-secretly")
        finally:
            os.umask(before)
        assert mode_of(tmp_path / f"{umask}") == mode
        assert mode_of(tmp_path / f"{umask}-secretly") == mode


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0,
    reason="only the superuser gives files away",
)
def test_a_file_keeps_its_owner(tmp_path):
    path = tmp_path / "file"
    path.touch()
    os.chown(path, 65534, 65533)
    write(path, b"later")
    assert (path.stat().st_uid, path.stat().st_gid) == (65534, 65533)


@pytest.mark.parametrize("exists", [True, False])
def test_a_symbolic_link_is_written_through(tmp_path, exists):
    target, link = tmp_path / "data" / "target", tmp_path / "link.keras"
    target.parent.mkdir()
    if exists:
        target.write_bytes(b"earlier")
    chain = tmp_path / "chain"
    chain.symlink_to("data/target")
    link.symlink_to(chain)
    with replace_whole(link) as temporary:
        # Keras looks at the suffix.
        assert temporary.name == link.name
        temporary.write_bytes(b"later")
    assert link.readlink() == chain
    assert os.readlink(chain) == "data/target"
    assert target.read_bytes() == b"later"
    assert list(target.parent.iterdir()) == [target]


def test_names_may_be_as_long_as_the_file_system_allows(tmp_path):
    name = "n" * (os.pathconf(tmp_path, "PC_NAME_MAX") - 6) + ".keras"
    (tmp_path / name).write_bytes(b"earlier")
    write(tmp_path / name, b"later")
    assert (tmp_path / name).read_bytes() == b"later"
    assert os.listdir(tmp_path) == [name]


def test_files_that_are_written_beside_a_file_end_up_beside_it(tmp_path):
    """A large ONNX graph keeps its weights in a file of its own."""
    path = tmp_path / "model.onnx"
    with replace_whole(path) as temporary:
        temporary.write_bytes(b"graph")
        temporary.with_name("model.onnx.data").write_bytes(b"weights")
    assert sorted(os.listdir(tmp_path)) == ["model.onnx", "model.onnx.data"]
    assert (tmp_path / "model.onnx.data").read_bytes() == b"weights"


def test_an_error_names_the_file_in_a_missing_folder(tmp_path):
    path = tmp_path / "missing" / "file"
    with pytest.raises(FileNotFoundError) as error:
        write(path, b"")
    assert error.value.filename == str(path)


def test_what_a_killed_process_left_is_removed_by_the_next_one(tmp_path):
    """As it left it at any moment: the lock comes after the folder."""
    for content in ((), (".lock",), (".lock", "file")):
        folder = tmp_path / f".keras_multires-{len(content)}.tmp"
        folder.mkdir()
        for name in content:
            (folder / name).write_bytes(b"half of it")
    mine = tmp_path / "notes.tmp"
    mine.touch()
    write(tmp_path / "other", b"")
    assert sorted(tmp_path.iterdir()) == [mine, tmp_path / "other"]


def test_a_file_that_is_being_written_is_not_taken_for_abandoned(tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    with write_whole(first) as file:
        file.write(b"half of it, ")
        write(second, b"whole")
        # As in a handler of a signal that interrupts the first.
        write(first, b"in between")
        assert first.read_bytes() == b"in between"
        file.write(b"and the rest")
    assert first.read_bytes() == b"half of it, and the rest"
    assert sorted(tmp_path.iterdir()) == [first, second]


def test_files_written_at_once_do_not_disturb_each_other(tmp_path):
    contents = [bytes([65 + index]) * 100_000 for index in range(8)]

    def write_often(content):
        for _ in range(10):
            write(tmp_path / "file", content)
            assert (tmp_path / "file").read_bytes() in contents

    with concurrent.futures.ThreadPoolExecutor(len(contents)) as pool:
        list(pool.map(write_often, contents))
    assert os.listdir(tmp_path) == ["file"]


def test_files_are_written_where_there_are_no_locks(tmp_path, monkeypatch):
    def fail(*arguments):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", fail)
    unknown = tmp_path / ".keras_multires-0.tmp"
    unknown.mkdir()
    write(tmp_path / "file", b"content")
    assert (tmp_path / "file").read_bytes() == b"content"
    # Nobody can tell whether its process is alive.
    assert sorted(tmp_path.iterdir()) == [unknown, tmp_path / "file"]


def test_a_lock_lets_one_thread_in_at_a_time(tmp_path):
    inside = []

    def enter(number):
        with locked(tmp_path / "file"):
            inside.append(number)
            assert inside == [number]
            time.sleep(0.01)
            inside.remove(number)

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(enter, range(8)))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("error", "message"),
    [(KeyError("rows"), "'rows'"), (EOFError(), "EOFError")],
)
def test_an_error_in_a_damaged_file_becomes_a_value_error(error, message):
    with (
        pytest.raises(ValueError, match=f"Damaged: {message}") as caught,
        explain_errors(lambda problem: f"Damaged: {problem}"),
    ):
        raise error
    assert caught.value.__cause__ is error


def test_an_interruption_is_not_called_damage():
    with (
        pytest.raises(KeyboardInterrupt),
        explain_errors(lambda problem: f"Damaged: {problem}"),
    ):
        raise KeyboardInterrupt
