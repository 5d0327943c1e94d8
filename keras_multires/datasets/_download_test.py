import errno
import hashlib
import json
import re
import shutil
import socket
import urllib.request

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from keras_multires.datasets import _download as download
from testing.web_server import Request
from testing.web_server import WebServer

CONTENT = np.random.default_rng(0).bytes(300_000)


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    monkeypatch.setattr(download, "_WAIT_SECONDS", 0)
    # The server is on this machine, so no proxy of the user may be asked.
    monkeypatch.setenv("no_proxy", "*")


@pytest.fixture
def server():
    with WebServer({"/file": CONTENT}) as server:
        yield server


@pytest.fixture
def path(tmp_path):
    return tmp_path / "folder" / "file.zip"


@pytest.fixture
def part(path):
    return path.with_name("file.zip.part")


def fetch(server, path, **arguments):
    download.fetch(f"{server.url}/file", path, verbose=0, **arguments)


def break_off(server, path):
    """Leaves a part of 100,000 bytes, like a call that has failed."""
    server.cuts = [100_000, 0]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(download, "_MAX_ATTEMPTS", 1)
        with pytest.raises(ConnectionError):
            fetch(server, path)
    assert path.with_name("file.zip.part").stat().st_size == 100_000
    server.requests.clear()


def assert_whole(path, content=CONTENT):
    assert path.read_bytes() == content
    assert list(path.parent.iterdir()) == [path]


def test_a_file_is_downloaded_completely(server, path):
    fetch(server, path, sha256=hashlib.sha256(CONTENT).hexdigest().upper())
    assert_whole(path)
    assert server.requests == [Request("/file", None, None, 200)]


def test_an_empty_file_is_downloaded(server, path):
    server.files["/file"] = b""
    fetch(server, path)
    assert_whole(path, b"")


def test_a_file_whose_size_is_not_announced_is_downloaded(server, path):
    server.sends_length = False
    fetch(server, path)
    assert_whole(path)


def test_a_broken_download_is_continued_by_the_same_call(server, path):
    server.cuts = [100_000, 150_000]
    fetch(server, path)
    assert_whole(path)
    assert server.requests == [
        Request("/file", None, None, 200),
        Request("/file", "bytes=100000-", '"1"', 206),
        Request("/file", "bytes=250000-", '"1"', 206),
    ]


def test_a_broken_download_is_continued_by_the_next_call(server, path, part):
    break_off(server, path)
    assert not path.exists()
    assert part.read_bytes() == CONTENT[:100_000]
    fetch(server, path)
    assert_whole(path)
    assert server.requests == [Request("/file", "bytes=100000-", '"1"', 206)]


def test_the_error_says_what_is_kept_and_what_to_do(server, path, part):
    server.cuts = [100_000] + [0] * download._MAX_ATTEMPTS
    with pytest.raises(
        ConnectionError, match=r"100000 of 300000 bytes.*the same call"
    ) as error:
        fetch(server, path)
    assert str(part) in str(error.value)
    assert f"{server.url}/file" in str(error.value)
    assert len(server.requests) == 1 + download._MAX_ATTEMPTS


def test_attempts_that_receive_new_data_do_not_count_as_failures(server, path):
    server.cuts = [20_000] * 3 * download._MAX_ATTEMPTS
    fetch(server, path)
    assert_whole(path)


@given(st.lists(st.integers(1, 100_000), max_size=6))
@settings(max_examples=20, deadline=None)
def test_a_download_broken_at_any_place_gives_the_same_file(
    tmp_path_factory, cuts
):
    path = tmp_path_factory.mktemp("cuts") / "file.zip"
    with WebServer({"/file": CONTENT}) as server:
        server.cuts = cuts
        fetch(server, path)
    assert_whole(path)


def test_a_download_restarts_if_the_server_sends_only_whole_files(server, path):
    break_off(server, path)
    server.honours_range = False
    fetch(server, path)
    assert_whole(path)
    assert [request.status for request in server.requests] == [200]


def test_a_server_of_whole_files_that_always_breaks_off_is_an_error(
    server, path
):
    server.honours_range = False
    server.cuts = [100_000] * 100
    with pytest.raises(ConnectionError, match="100000 of 300000"):
        fetch(server, path)
    assert len(server.requests) == 1 + download._MAX_ATTEMPTS


@pytest.mark.parametrize("size", [250_000, 300_000, 350_000])
def test_a_download_restarts_if_the_file_has_changed(server, path, size):
    break_off(server, path)
    changed = CONTENT[::-1] * 2
    server.files["/file"] = changed[:size]
    server.validators = {"ETag": '"2"'}
    fetch(server, path)
    assert_whole(path, changed[:size])
    assert server.requests == [Request("/file", "bytes=100000-", '"1"', 200)]


def test_a_change_of_size_is_noticed_without_a_validator(server, path):
    server.validators = {}
    break_off(server, path)
    server.files["/file"] = CONTENT[::-1] + b"more"
    fetch(server, path)
    assert_whole(path, CONTENT[::-1] + b"more")
    assert server.requests[0] == ("/file", "bytes=100000-", None, 206)
    assert server.requests[-1].range is None


def test_the_date_is_used_instead_of_a_weak_etag(server, path):
    date = "Wed, 09 Nov 2022 19:26:00 GMT"
    server.validators = {"ETag": 'W/"1"', "Last-Modified": date}
    break_off(server, path)
    fetch(server, path)
    assert_whole(path)
    assert server.requests == [Request("/file", "bytes=100000-", date, 206)]


def test_a_download_restarts_if_the_server_sends_another_range(server, path):
    break_off(server, path)
    server.range_shift = 10
    fetch(server, path)
    assert_whole(path)
    assert [request.status for request in server.requests] == [206, 200]


def test_a_download_restarts_if_the_server_refuses_the_range(server, path):
    break_off(server, path)
    server.statuses = [416]
    fetch(server, path)
    assert_whole(path)
    assert [request.range for request in server.requests] == [
        "bytes=100000-",
        None,
    ]


def test_a_part_from_another_address_is_not_continued(server, path):
    server.files["/other"] = CONTENT[::-1]
    break_off(server, path)
    download.fetch(f"{server.url}/other", path, verbose=0)
    assert_whole(path, CONTENT[::-1])
    assert server.requests == [Request("/other", None, None, 200)]


@pytest.mark.parametrize("notes", [b"", b"[]", b"{}", b"{", b"\xff", None])
def test_a_part_of_unknown_origin_is_not_continued(server, path, part, notes):
    break_off(server, path)
    file = part.with_name(f"{part.name}.json")
    if notes is None:
        file.unlink()
    else:
        file.write_bytes(notes)
    fetch(server, path)
    assert_whole(path)
    assert server.requests == [Request("/file", None, None, 200)]


def test_notes_without_a_part_are_ignored(server, path, part):
    break_off(server, path)
    part.unlink()
    fetch(server, path)
    assert_whole(path)


def test_a_complete_part_is_not_downloaded_again(server, path, part):
    """A killed call leaves one if it could not rename it in time."""
    break_off(server, path)
    part.write_bytes(CONTENT)
    fetch(server, path, sha256=hashlib.sha256(CONTENT).hexdigest())
    assert_whole(path)
    assert server.requests == []


def test_an_earlier_file_stays_until_the_new_one_is_complete(server, path):
    path.parent.mkdir()
    path.write_bytes(b"earlier")
    break_off(server, path)
    assert path.read_bytes() == b"earlier"
    fetch(server, path)
    assert_whole(path)


def test_a_missing_file_is_an_error_without_further_attempts(server, path):
    url = f"{server.url}/none"
    with pytest.raises(ConnectionError, match="404") as error:
        download.fetch(url, path, verbose=0)
    assert url in str(error.value)
    assert "Check the address" in str(error.value)
    assert len(server.requests) == 1
    assert not list(path.parent.iterdir())


@pytest.mark.parametrize("status", [408, 429, 500, 503])
def test_a_temporary_error_of_the_server_is_tried_again(server, path, status):
    server.statuses = [status] * (download._MAX_ATTEMPTS - 1)
    fetch(server, path)
    assert_whole(path)
    server.statuses = [status] * download._MAX_ATTEMPTS
    with pytest.raises(ConnectionError, match=rf"{status}.*later"):
        fetch(server, path)
    assert_whole(path)


def test_an_answer_without_a_file_is_an_error(server, path):
    server.statuses = [204]
    with pytest.raises(ConnectionError, match="204"):
        fetch(server, path)
    assert not list(path.parent.iterdir())


def test_a_refused_connection_is_an_error_that_names_the_address(path):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/file"
        with pytest.raises(ConnectionError, match="refused") as error:
            download.fetch(url, path, verbose=0)
    assert url in str(error.value)
    assert not list(path.parent.iterdir())


def test_a_server_that_never_answers_is_an_error(path, monkeypatch):
    monkeypatch.setattr(download, "_TIMEOUT_SECONDS", 0.05)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/file"
        with pytest.raises(ConnectionError, match="timed out"):
            download.fetch(url, path, verbose=0)


@pytest.mark.parametrize("url", ["file:///etc/hosts", "ftp://a/b", "file", ""])
def test_an_address_of_another_kind_is_an_error(url, path):
    with pytest.raises(ValueError, match=r"`url`.*Received: url="):
        download.fetch(url, path)


def test_a_wrong_checksum_is_an_error_and_the_file_is_deleted(server, path):
    wrong = "0" * 64
    with pytest.raises(ValueError, match="deleted") as error:
        fetch(server, path, sha256=wrong)
    for text in (wrong, hashlib.sha256(CONTENT).hexdigest(), server.url):
        assert text in str(error.value)
    assert not list(path.parent.iterdir())


def test_a_full_disk_is_an_error_before_the_download(server, path, monkeypatch):
    usage = shutil.disk_usage(path.parent.parent)._replace(free=299_999)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    with pytest.raises(OSError, match=r"300000 bytes.*299999") as error:
        fetch(server, path)
    assert error.value.errno == errno.ENOSPC
    assert len(server.requests) == 1


def test_an_error_of_the_disk_is_not_tried_again(server, path, part):
    part.mkdir(parents=True)
    with pytest.raises(OSError, match=re.escape(str(part))) as error:
        fetch(server, path)
    assert not isinstance(error.value, ConnectionError)
    assert len(server.requests) == 1


def test_a_call_that_was_killed_is_continued_by_the_next(
    server, path, part, monkeypatch
):
    original = urllib.request.urlopen

    class Killed:
        def __init__(self, response):
            self.response = response

        def __getattr__(self, name):
            return getattr(self.response, name)

        def __enter__(self):
            return self

        def __exit__(self, *args):
            self.response.close()

        def read(self, size):
            if self.response.length < 200_000:
                raise KeyboardInterrupt
            return self.response.read(size)

    with monkeypatch.context() as patch:
        patch.setattr(
            urllib.request,
            "urlopen",
            lambda *args, **kwargs: Killed(original(*args, **kwargs)),
        )
        with pytest.raises(KeyboardInterrupt):
            fetch(server, path)
    assert not path.exists()
    assert 0 < part.stat().st_size < 300_000
    notes = json.loads(part.with_name(f"{part.name}.json").read_text())
    assert notes["size"] == 300_000
    fetch(server, path)
    assert_whole(path)
    assert server.requests[-1].status == 206


def test_a_progress_bar_is_shown(server, path, capsys):
    url = f"{server.url}/file"
    download.fetch(url, path)
    output = capsys.readouterr().out
    assert url in output
    assert "1/1" in output
    fetch(server, path)
    assert capsys.readouterr().out == ""
