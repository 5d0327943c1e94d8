import contextlib
import errno
import hashlib
import http.server
import json
import re
import shutil
import socket
import threading
import urllib.request
from collections import namedtuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from keras_multires.datasets import download

CONTENT = np.random.default_rng(0).bytes(300_000)
Request = namedtuple("Request", "path range if_range status")


class Server:
    """A web server of this machine that breaks as it is told to.

    Attributes:
        files: dict of contents by path.
        cuts: numbers of bytes after which the next answers break off.
        statuses: errors that the next answers are.
        validators: headers of every answer, by which a change is told.
        honours_range: whether a part is sent if one is asked for.
        range_shift: by how many bytes the part sent is another one.
        sends_length: whether the size of an answer is announced.
        requests: what has been asked for, and the status of the answer.
    """

    def __init__(self, files):
        self.files = files
        self.cuts = []
        self.statuses = []
        self.validators = {"ETag": '"1"'}
        self.honours_range = True
        self.range_shift = 0
        self.sends_length = True
        self.requests = []

    def __enter__(self):
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                outer._answer(self)

            def log_message(self, *args):
                pass

        self._server = http.server.ThreadingHTTPServer(
            ("127.0.0.1", 0), Handler
        )
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.01,)
        )
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        return self

    def __exit__(self, *args):
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _answer(self, handler):
        content = self.files.get(handler.path)
        asked = handler.headers["Range"]
        condition = handler.headers["If-Range"]
        status, start = 200, 0
        if content is None:
            status = 404
        elif self.statuses:
            status = self.statuses.pop(0)
        elif (
            asked
            and self.honours_range
            and condition in (None, *self.validators.values())
        ):
            start = int(re.fullmatch(r"bytes=(\d+)-", asked)[1])
            start += self.range_shift
            status = 206 if start < len(content) else 416
        self.requests.append(Request(handler.path, asked, condition, status))
        handler.send_response(status)
        if status not in (200, 206):
            handler.end_headers()
            return
        for name, value in self.validators.items():
            handler.send_header(name, value)
        if status == 206:
            handler.send_header(
                "Content-Range",
                f"bytes {start}-{len(content) - 1}/{len(content)}",
            )
        if self.sends_length:
            handler.send_header("Content-Length", str(len(content) - start))
        handler.end_headers()
        end = start + self.cuts.pop(0) if self.cuts else len(content)
        with contextlib.suppress(ConnectionError):
            handler.wfile.write(content[start:end])


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    monkeypatch.setattr(download, "_WAIT_SECONDS", 0)
    # The server is on this machine, whatever proxies the user has.
    monkeypatch.setenv("no_proxy", "*")


@pytest.fixture
def server():
    with Server({"/file": CONTENT}) as server:
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
    """Leaves a part of 100,000 bytes, as a call does that gives up."""
    server.cuts = [100_000, 0]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(download, "_ATTEMPTS", 1)
        with pytest.raises(ConnectionError):
            fetch(server, path)
    assert path.with_name("file.zip.part").stat().st_size == 100_000
    server.requests.clear()


def assert_whole(path, content=CONTENT):
    assert path.read_bytes() == content
    assert list(path.parent.iterdir()) == [path]


def test_a_file_is_downloaded_whole(server, path):
    fetch(server, path, sha256=hashlib.sha256(CONTENT).hexdigest().upper())
    assert_whole(path)
    assert server.requests == [Request("/file", None, None, 200)]


def test_an_empty_file_is_downloaded(server, path):
    server.files["/file"] = b""
    fetch(server, path)
    assert_whole(path, b"")


def test_the_size_need_not_be_announced(server, path):
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
    server.cuts = [100_000] + [0] * download._ATTEMPTS
    with pytest.raises(
        ConnectionError, match=r"100000 of 300000 bytes.*the same call"
    ) as error:
        fetch(server, path)
    assert str(part) in str(error.value)
    assert f"{server.url}/file" in str(error.value)
    assert len(server.requests) == 1 + download._ATTEMPTS


def test_attempts_that_get_further_are_not_counted(server, path):
    server.cuts = [20_000] * 3 * download._ATTEMPTS
    fetch(server, path)
    assert_whole(path)


@given(st.lists(st.integers(1, 100_000), max_size=6))
@settings(max_examples=20, deadline=None)
def test_wherever_it_breaks_the_file_is_the_same(tmp_path_factory, cuts):
    path = tmp_path_factory.mktemp("cuts") / "file.zip"
    with Server({"/file": CONTENT}) as server:
        server.cuts = cuts
        fetch(server, path)
    assert_whole(path)


def test_a_server_that_sends_whole_files_only_is_asked_for_it_anew(
    server, path
):
    break_off(server, path)
    server.honours_range = False
    fetch(server, path)
    assert_whole(path)
    assert [request.status for request in server.requests] == [200]


def test_such_a_server_that_always_breaks_is_an_error(server, path):
    server.honours_range = False
    server.cuts = [100_000] * 100
    with pytest.raises(ConnectionError, match="100000 of 300000"):
        fetch(server, path)
    assert len(server.requests) == 1 + download._ATTEMPTS


@pytest.mark.parametrize("size", [250_000, 300_000, 350_000])
def test_a_file_that_has_changed_is_downloaded_anew(server, path, size):
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


def test_a_weak_validator_is_not_relied_on(server, path):
    date = "Wed, 09 Nov 2022 19:26:00 GMT"
    server.validators = {"ETag": 'W/"1"', "Last-Modified": date}
    break_off(server, path)
    fetch(server, path)
    assert_whole(path)
    assert server.requests == [Request("/file", "bytes=100000-", date, 206)]


def test_another_range_than_asked_is_not_used(server, path):
    break_off(server, path)
    server.range_shift = 10
    fetch(server, path)
    assert_whole(path)
    assert [request.status for request in server.requests] == [206, 200]


def test_a_range_that_is_refused_is_not_insisted_on(server, path):
    break_off(server, path)
    server.statuses = [416]
    fetch(server, path)
    assert_whole(path)
    assert [request.range for request in server.requests] == [
        "bytes=100000-",
        None,
    ]


def test_the_part_of_another_address_is_not_continued(server, path):
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


def test_notes_without_their_part_do_no_harm(server, path, part):
    break_off(server, path)
    part.unlink()
    fetch(server, path)
    assert_whole(path)


def test_a_part_that_is_whole_is_not_asked_for_again(server, path, part):
    """That of a call that was killed before it could rename it."""
    break_off(server, path)
    part.write_bytes(CONTENT)
    fetch(server, path, sha256=hashlib.sha256(CONTENT).hexdigest())
    assert_whole(path)
    assert server.requests == []


def test_an_earlier_file_stays_until_the_new_one_is_whole(server, path):
    path.parent.mkdir()
    path.write_bytes(b"earlier")
    break_off(server, path)
    assert path.read_bytes() == b"earlier"
    fetch(server, path)
    assert_whole(path)


def test_a_missing_file_is_an_error_at_once(server, path):
    url = f"{server.url}/none"
    with pytest.raises(ConnectionError, match="404") as error:
        download.fetch(url, path, verbose=0)
    assert url in str(error.value)
    assert "Check the address" in str(error.value)
    assert len(server.requests) == 1
    assert not list(path.parent.iterdir())


@pytest.mark.parametrize("status", [408, 429, 500, 503])
def test_an_error_that_may_pass_is_tried_again(server, path, status):
    server.statuses = [status] * (download._ATTEMPTS - 1)
    fetch(server, path)
    assert_whole(path)
    server.statuses = [status] * download._ATTEMPTS
    with pytest.raises(ConnectionError, match=rf"{status}.*later"):
        fetch(server, path)
    assert_whole(path)


def test_an_answer_that_is_no_file_is_an_error(server, path):
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


def test_a_silent_server_is_an_error(path, monkeypatch):
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


def test_an_error_of_the_disk_is_not_taken_for_one_of_the_network(
    server, path, part
):
    part.mkdir(parents=True)
    with pytest.raises(OSError, match=re.escape(str(part))) as error:
        fetch(server, path)
    assert not isinstance(error.value, ConnectionError)
    assert len(server.requests) == 1


def test_being_killed_leaves_a_part_that_is_continued(
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
