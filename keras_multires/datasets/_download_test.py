import concurrent.futures
import errno
import hashlib
import io
import json
import re
import shutil
import socket
import urllib.request
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from keras_multires.datasets import _download as download
from testing.faults import full_disk
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


def test_whatever_arrives_before_a_silence_is_kept(server, path, monkeypatch):
    monkeypatch.setattr(download, "_TIMEOUT_SECONDS", 0.2)
    server.files["/file"] = CONTENT[:60_000]
    server.is_slow = server.is_paused = True
    fetch(server, path)
    server.is_paused = False
    assert_whole(path, CONTENT[:60_000])
    assert server.requests[-1] == ("/file", "bytes=40000-", '"1"', 206)


def test_a_file_of_chunks_is_downloaded(server, path):
    server.in_chunks = True
    server.cuts = [100_000]
    fetch(server, path)
    assert_whole(path)
    assert server.requests == [Request("/file", None, None, 200)] * 2


@pytest.mark.parametrize("length", [None, "9" * 5000, "-1", "many", ""])
def test_a_file_whose_end_is_not_known_is_an_error(server, path, length):
    server.headers[200] = {"Content-Length": length}
    with pytest.raises(ConnectionError, match="how long") as error:
        fetch(server, path)
    assert f"{server.url}/file" in str(error.value)
    assert len(server.requests) == 1
    assert not list(path.parent.iterdir())


def test_a_file_without_an_end_is_an_error(server, path):
    server.in_chunks = True
    server.trailing = b"more"
    with pytest.raises(ConnectionError, match="more than 400000 bytes"):
        fetch(server, path, max_bytes=400_000)
    assert not list(path.parent.iterdir())


def test_a_file_that_is_too_large_is_an_error_before_the_download(server, path):
    with pytest.raises(ConnectionError, match=r"300000 bytes.*299999"):
        fetch(server, path, max_bytes=299_999)
    assert len(server.requests) == 1
    assert not list(path.parent.iterdir())
    fetch(server, path, max_bytes=300_000)
    assert_whole(path)


def test_an_encoded_file_is_an_error(server, path):
    server.headers[200] = {"Content-Encoding": "gzip"}
    with pytest.raises(ConnectionError, match="gzip"):
        fetch(server, path)
    assert not list(path.parent.iterdir())


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


@pytest.mark.parametrize(
    "validators", [{}, {"ETag": 'W/"1"'}, {"ETag": '"\xe9"'}]
)
def test_a_file_of_an_unknown_version_is_not_continued(
    server, path, validators
):
    server.validators = validators
    server.cuts = [100_000]
    fetch(server, path)
    assert_whole(path)
    assert server.requests == [Request("/file", None, None, 200)] * 2


@pytest.mark.parametrize("name", ["ETag", "Last-Modified"])
@pytest.mark.parametrize("version", ['"2"', None])
def test_a_download_restarts_if_the_rest_is_of_another_version(
    server, path, name, version
):
    """The server does not heed the condition."""
    server.validators = {name: '"1"'}
    break_off(server, path)
    server.honours_condition = False
    server.files["/file"] = CONTENT[::-1]
    server.headers = {206: {name: version}, 200: {name: version}}
    fetch(server, path)
    assert_whole(path, CONTENT[::-1])
    assert server.requests == [
        Request("/file", "bytes=100000-", '"1"', 206),
        Request("/file", None, None, 200),
    ]


def test_the_date_is_used_instead_of_a_weak_etag(server, path):
    date = "Wed, 09 Nov 2022 19:26:00 GMT"
    server.validators = {"ETag": 'W/"1"', "Last-Modified": date}
    break_off(server, path)
    fetch(server, path)
    assert_whole(path)
    assert server.requests == [Request("/file", "bytes=100000-", date, 206)]


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Range": "bytes 100010-299999/300000"},
        {"Content-Range": "bytes 100000-299998/300000"},
        {"Content-Range": "bytes 100000-299999/300001"},
        {"Content-Range": "bytes 100000-299999/*"},
        {"Content-Range": f"bytes {'1' * 5000}-299999/300000"},
        {"Content-Range": None},
    ],
)
def test_a_download_restarts_if_the_server_sends_another_range(
    server, path, headers
):
    break_off(server, path)
    server.headers[206] = headers
    fetch(server, path)
    assert_whole(path)
    assert [request.status for request in server.requests] == [206, 200]


@pytest.mark.parametrize("length", ["10", "199999", None])
def test_a_rest_of_another_length_is_not_taken_for_whole(server, path, length):
    break_off(server, path)
    server.headers[206] = {"Content-Length": length}
    fetch(server, path)
    assert_whole(path)


def test_a_rest_that_is_too_long_is_an_error(server, path):
    break_off(server, path)
    server.headers[206] = {"Content-Length": None}
    server.trailing = b"more"
    with pytest.raises(ConnectionError, match="more than 300000 bytes"):
        fetch(server, path)
    assert not list(path.parent.iterdir())


def test_a_rest_that_was_not_asked_for_is_an_error(server, path):
    server.statuses = [206]
    with pytest.raises(ConnectionError, match="206"):
        fetch(server, path)
    assert not list(path.parent.iterdir())


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


@pytest.mark.parametrize("excess", [b"", b"more than there is"])
def test_the_server_confirms_a_complete_part(server, path, part, excess):
    """A killed call leaves one if it could not rename it in time."""
    break_off(server, path)
    part.write_bytes(CONTENT + excess)
    fetch(server, path)
    assert_whole(path)
    assert server.requests == [Request("/file", "bytes=299999-", '"1"', 206)]


@pytest.mark.parametrize("size", [5, 6, 300_000])
def test_a_planted_part_is_not_taken_for_the_file(server, path, part, size):
    path.parent.mkdir()
    part.write_bytes(b"planted")
    notes = part.with_name(f"{part.name}.json")
    notes.write_text(json.dumps([f"{server.url}/file", size, '"0"']))
    fetch(server, path)
    assert_whole(path)


@pytest.mark.parametrize("link", [Path.symlink_to, Path.hardlink_to])
@pytest.mark.parametrize("name", ["file.zip.part", "file.zip.part.json"])
def test_a_download_does_not_write_into_other_files(server, path, link, name):
    break_off(server, path)
    other = path.parent.parent / "other"
    other.write_bytes(path.with_name(name).read_bytes())
    content = other.read_bytes()
    path.with_name(name).unlink()
    link(path.with_name(name), other)
    fetch(server, path)
    assert_whole(path)
    assert other.read_bytes() == content


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


def test_a_redirection_is_followed(server, path):
    server.redirections["/old"] = "/file"
    server.cuts = [100_000]
    download.fetch(f"{server.url}/old", path, verbose=0)
    assert_whole(path)
    assert server.requests[-1] == ("/file", "bytes=100000-", '"1"', 206)


@pytest.mark.parametrize(
    "target",
    [
        "ftp://127.0.0.1/file",
        "file:///etc/hosts",
        "data:,content",
        "http://[::1",
        "http://127.0.0.1:port/",
        "/file",
    ],
)
def test_a_redirection_to_nowhere_is_an_error(server, path, target):
    server.redirections["/file"] = target
    url = f"{server.url}/file"
    with pytest.raises(ConnectionError, match="Check the address") as error:
        fetch(server, path)
    assert url in str(error.value)
    assert {request.path for request in server.requests} == {"/file"}
    assert not list(path.parent.iterdir())


def test_a_redirection_from_https_to_http_is_refused():
    request = urllib.request.Request("https://127.0.0.1/file")
    target = "http://127.0.0.1/file"
    with pytest.raises(download._RefusedError, match=target):
        download._Redirections().redirect_request(
            request, io.BytesIO(), 302, "Found", {}, target
        )


def test_the_content_of_a_redirection_is_not_read(server, path):
    server.redirections["/old"] = "ftp://127.0.0.1/"
    server.trailing = b"without an end"
    with pytest.raises(ConnectionError, match="ftp"):
        download.fetch(f"{server.url}/old", path, verbose=0)


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


def test_a_disk_that_becomes_full_is_an_error_that_keeps_the_part(
    server, path, part
):
    with full_disk(150_000), pytest.raises(OSError, match=str(part)) as error:
        fetch(server, path)
    assert not isinstance(error.value, ConnectionError)
    assert len(server.requests) == 1
    fetch(server, path)
    assert_whole(path)
    assert server.requests[-1] == ("/file", "bytes=150000-", '"1"', 206)


def test_an_error_of_the_disk_is_not_tried_again(server, path, part):
    part.mkdir(parents=True)
    with pytest.raises(OSError, match=re.escape(str(part))) as error:
        fetch(server, path)
    assert not isinstance(error.value, ConnectionError)
    assert len(server.requests) == 1


def test_calls_for_the_same_file_take_turns(server, path, capsys):
    server.is_slow = True
    server.cuts = [100_000]
    with concurrent.futures.ThreadPoolExecutor() as pool:
        calls = [
            pool.submit(download.fetch, f"{server.url}/file", path)
            for _ in range(3)
        ]
    for call in calls:
        call.result()
    assert_whole(path)
    assert [request.status for request in server.requests] == [
        *(200, 206, 200, 200)
    ]
    assert str(path.with_name("file.zip.lock")) in capsys.readouterr().out


def test_a_progress_bar_is_shown(server, path, capsys):
    url = f"{server.url}/file"
    download.fetch(url, path)
    output = capsys.readouterr().out
    assert url in output
    assert "1/1" in output
    fetch(server, path)
    assert capsys.readouterr().out == ""
