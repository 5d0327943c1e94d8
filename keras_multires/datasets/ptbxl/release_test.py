import concurrent.futures
import errno
import io
import os
import shutil
import zipfile

import pytest

from keras_multires.datasets import _download
from keras_multires.datasets import ptbxl
from testing.ptbxl_release import ARCHIVE
from testing.ptbxl_release import FIRST
from testing.ptbxl_release import FIXTURE
from testing.ptbxl_release import LIST
from testing.ptbxl_release import TOP
from testing.ptbxl_release import list_checksums
from testing.ptbxl_release import pack
from testing.ptbxl_release import read_database
from testing.ptbxl_release import serve
from testing.web_server import WebServer


@pytest.fixture(scope="module")
def release():
    """Contents of the release by name; only some records, to be fast."""
    table = read_database(FIXTURE)[:3]
    names = ["LICENSE.txt", "scp_statements.csv"]
    names += [
        f"{n}{end}" for n in table.filename_lr for end in (".hea", ".dat")
    ]
    files = {name: (FIXTURE / name).read_bytes() for name in names}
    files["ptbxl_database.csv"] = table.to_csv(index=False).encode()
    return files


@pytest.fixture
def server(release, monkeypatch):
    monkeypatch.setattr(_download, "_WAIT_SECONDS", 0)
    # The server is on this machine, so no proxy of the user may be asked.
    monkeypatch.setenv("no_proxy", "*")
    with WebServer({}) as server:
        monkeypatch.setattr(
            ptbxl.release, "RELEASE_URL", f"{server.url}/files/"
        )
        monkeypatch.setattr(
            ptbxl.release, "ARCHIVE_URL", f"{server.url}{ARCHIVE}"
        )
        serve(server, release)
        yield server


@pytest.fixture
def target(tmp_path):
    return tmp_path / "data" / "ptb-xl"


def get(server, target, **arguments):
    ptbxl.download(
        target,
        f"{server.url}/files",
        f"{server.url}{ARCHIVE}",
        verbose=0,
        **arguments,
    )


def assert_release(target, release):
    """The release is complete, and there is nothing beside it."""
    found = {
        path.relative_to(target).as_posix(): path.read_bytes()
        for path in target.rglob("*")
        if path.is_file()
    }
    del found["SHA256SUMS.txt"]
    assert found == release
    assert list(target.parent.iterdir()) == [target]


def test_the_addresses_are_those_of_physionet():
    for url in (ptbxl.release.RELEASE_URL, ptbxl.release.ARCHIVE_URL):
        assert url.startswith("https://physionet.org/")
        assert "1.0.3" in url


def test_the_release_is_downloaded_and_unpacked(server, target, release):
    get(server, str(target))
    assert_release(target, release)
    assert [request.path for request in server.requests] == [LIST, ARCHIVE]
    assert (target / "SHA256SUMS.txt").read_bytes() == server.files[LIST]


def test_load_data_downloads_the_release_once(server, target, release):
    for _ in range(2):
        parts = ptbxl.load_data(target, "all", download=True, verbose=0)
        assert sum(len(inputs) for inputs, _ in parts) == 3
        assert len(server.requests) == 2
    assert_release(target, release)


def test_nothing_is_downloaded_unless_asked_for(server, target):
    with pytest.raises(FileNotFoundError):
        ptbxl.load_data(target)
    assert server.requests == []
    assert not target.parent.exists()


def test_an_empty_directory_is_filled(server, target, release):
    target.mkdir(parents=True)
    get(server, target)
    assert_release(target, release)


@pytest.mark.parametrize("name", ["notes.txt", "ptbxl_database.csv"])
def test_a_directory_with_other_files_is_refused_and_unchanged(
    server, target, name
):
    target.mkdir(parents=True)
    (target / name).write_text("mine")
    for call in (
        lambda: get(server, target),
        lambda: ptbxl.load_data(target, download=True),
    ):
        with pytest.raises(FileExistsError, match="empty folder") as error:
            call()
        assert str(target) in str(error.value)
    assert (target / name).read_text() == "mine"
    assert server.requests == []
    assert list(target.parent.iterdir()) == [target]


def test_a_file_in_place_of_the_directory_is_refused_and_unchanged(
    server, target
):
    target.parent.mkdir()
    target.write_text("mine")
    with pytest.raises(FileExistsError, match="empty folder"):
        get(server, target)
    assert target.read_text() == "mine"


def test_a_broken_download_is_continued_by_the_next_call(
    server, target, release
):
    size = len(server.files[LIST])
    attempts = _download._MAX_ATTEMPTS
    server.cuts = [size, 20_000, *[0] * attempts]
    with pytest.raises(ConnectionError, match="the same call"):
        get(server, target)
    assert not target.exists()
    get(server, target)
    assert_release(target, release)
    last = server.requests[-1]
    assert (last.path, last.range, last.status) == (
        ARCHIVE,
        "bytes=20000-",
        206,
    )


@pytest.mark.parametrize("path", [LIST, ARCHIVE])
def test_a_missing_download_is_an_error_that_names_it(server, target, path):
    del server.files[path]
    with pytest.raises(ConnectionError, match="404") as error:
        get(server, target)
    assert f"{server.url}{path}" in str(error.value)
    assert not target.exists()


def lack_a_file(server, release):
    files = {**release}
    del files[f"{FIRST}.dat"]
    server.files[ARCHIVE] = pack({TOP + n: c for n, c in files.items()})
    return f"{FIRST}.dat is missing"


def lack_the_database(server, release):
    server.files[ARCHIVE] = pack({f"{TOP}LICENSE.txt": b""})
    return "is missing"


def change_a_file(server, release):
    files = {**release, f"{FIRST}.dat": b"changed"}
    server.files[ARCHIVE] = pack({TOP + n: c for n, c in files.items()})
    return f"{FIRST}.dat does not have its SHA-256 checksum"


def truncate_the_archive(server, release):
    server.files[ARCHIVE] = server.files[ARCHIVE][:-1000]
    return "not a zip file"


def cut_out_of_the_archive(server, release):
    content = server.files[ARCHIVE]
    server.files[ARCHIVE] = content[:10_000] + content[30_000:]
    return ""


def change_bits_of_the_archive(server, release):
    content = bytearray(server.files[ARCHIVE])
    content[len(content) // 2] ^= 255
    server.files[ARCHIVE] = bytes(content)
    return ""


def empty_the_archive(server, release):
    server.files[ARCHIVE] = b""
    return "not a zip file"


def send_a_page(server, release):
    server.files[ARCHIVE] = b"<html>Log in</html>"
    return "not a zip file"


def lead_out(name, server, release):
    members = {TOP + n: c for n, c in release.items()}
    server.files[ARCHIVE] = pack({**members, name: b"evil"})
    return "leads elsewhere"


def lead_up(server, release):
    return lead_out(f"{TOP}../../../evil", server, release)


def lead_to_the_root(server, release):
    return lead_out("/evil", server, release)


def lead_up_by_backslashes(server, release):
    return lead_out("..\\..\\evil", server, release)


def expand_too_far(server, release):
    """The listed files are the same, and one has 1 GB more in the archive."""
    files = {TOP + n: c for n, c in release.items()}
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, member in files.items():
            archive.writestr(name, member)
        info = archive.infolist()[-1]
        info.file_size = 1 << 30
    server.files[ARCHIVE] = content.getvalue()
    return "more than it can hold"


def compress_by_another_method(server, release):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_LZMA) as archive:
        for name, member in release.items():
            archive.writestr(TOP + name, member)
    server.files[ARCHIVE] = content.getvalue()
    return "unknown method"


@pytest.mark.parametrize(
    "damage",
    [
        expand_too_far,
        compress_by_another_method,
        lack_a_file,
        lack_the_database,
        change_a_file,
        truncate_the_archive,
        cut_out_of_the_archive,
        change_bits_of_the_archive,
        empty_the_archive,
        send_a_page,
        lead_up,
        lead_to_the_root,
        lead_up_by_backslashes,
    ],
)
def test_a_damaged_archive_is_an_error_and_is_downloaded_again(
    server, target, release, damage
):
    problem = damage(server, release)
    with pytest.raises(ValueError, match=rf"damaged: .*{problem}") as error:
        get(server, target)
    assert f"{server.url}{ARCHIVE}" in str(error.value)
    assert "again" in str(error.value)
    assert not target.exists()
    files = [path for path in target.parent.rglob("*") if path.is_file()]
    assert [path.name for path in files] == ["SHA256SUMS.txt"]
    assert not list(target.parent.parent.rglob("*evil*"))
    serve(server, release)
    get(server, target)
    assert_release(target, release)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<html>Log in</html>",
        b"0123 ptbxl_database.csv\n",
        b"0" * 64 + b"  LICENSE.txt\n",
        *(
            list_checksums(
                {
                    "ptbxl_database.csv": b"",
                    "scp_statements.csv": b"",
                    evil: b"",
                }
            )
            for evil in (
                *("../evil", "/evil", "a/../../evil", "..\\evil", ".", "a/."),
                *("a//b", "./a", "a/", "a\0b", "a" * 300),
                "ptbxl_database.csv/evil",
            )
        ),
    ],
)
def test_a_wrong_list_of_checksums_is_an_error(
    server, target, release, content
):
    server.files[LIST] = content
    with pytest.raises(ValueError, match="no list of checksums") as error:
        get(server, target)
    assert f"{server.url}{LIST}" in str(error.value)
    assert len(server.requests) == 1
    assert not target.exists()
    serve(server, release)
    get(server, target)
    assert_release(target, release)


def test_files_that_are_not_listed_are_not_unpacked(server, target, release):
    members = {TOP + name: content for name, content in release.items()}
    extra = {f"{TOP}extra": b"", f"{TOP}folder/": b"", "elsewhere": b""}
    server.files[ARCHIVE] = pack({**extra, **members})
    get(server, target)
    assert_release(target, release)


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError(errno.EIO, "")])
def test_an_archive_that_could_not_be_unpacked_is_kept(
    server, target, release, monkeypatch, error
):
    def fail(*args):
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(ptbxl.release, "_extract", fail)
        with pytest.raises((KeyboardInterrupt, OSError)):
            get(server, target)
    assert not target.exists()
    assert not list(target.parent.rglob("unpacked"))
    get(server, target)
    assert_release(target, release)
    paths = [request.path for request in server.requests]
    assert paths.count(ARCHIVE) == 1


def test_of_calls_at_once_one_downloads(server, target, release, capsys):
    server.is_slow = True
    with concurrent.futures.ThreadPoolExecutor() as pool:
        calls = [
            pool.submit(ptbxl.load_data, target, "all", download=True)
            for _ in range(3)
        ]
    for call in calls:
        assert sum(len(inputs) for inputs, _ in call.result()) == 3
    assert_release(target, release)
    assert [request.path for request in server.requests] == [LIST, ARCHIVE]
    output = capsys.readouterr().out
    assert f"Waiting for another process: {target}.download.lock" in output
    # One of them reads the records, too.
    assert output.count("3/3") == 1


def test_what_a_call_left_that_was_killed_at_its_end_is_removed(
    server, target, release
):
    get(server, target)
    workplace = target.with_name("ptb-xl.download")
    workplace.mkdir()
    (workplace / "archive.zip").touch()
    get(server, target)
    assert_release(target, release)
    assert len(server.requests) == 2


def test_nothing_is_written_beside_a_release_that_is_there(
    server, target, release, monkeypatch
):
    """It may be shared by users who may not write there."""
    get(server, target)

    def fail(*arguments, **options):
        raise PermissionError

    monkeypatch.setattr(os, "open", fail)
    ptbxl.download(target)
    assert_release(target, release)


@pytest.mark.parametrize("name", ["_MAX_LIST_BYTES", "_MAX_ARCHIVE_BYTES"])
def test_a_download_without_an_end_is_an_error(
    server, target, monkeypatch, name
):
    largest = len(server.files[LIST])
    monkeypatch.setattr(ptbxl.release, name, largest)
    server.in_chunks = True
    server.trailing = b"0" * 1000 if name == "_MAX_LIST_BYTES" else b""
    with pytest.raises(ConnectionError, match=f"more than {largest} bytes"):
        get(server, target)
    files = [path for path in target.parent.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= largest


def test_an_archive_that_unpacks_to_too_much_is_an_error(
    server, target, release, monkeypatch
):
    size = sum(map(len, release.values()))
    monkeypatch.setattr(ptbxl.release, "_MAX_RELEASE_BYTES", size - 1)
    with pytest.raises(ValueError, match=f"{size} bytes"):
        get(server, target)
    assert not target.exists()
    monkeypatch.setattr(ptbxl.release, "_MAX_RELEASE_BYTES", size)
    get(server, target)
    assert_release(target, release)


def test_files_unpacked_by_a_killed_call_are_not_used(server, target, release):
    unpacked = target.with_name("ptb-xl.download") / "unpacked"
    unpacked.mkdir(parents=True)
    (unpacked / "LICENSE.txt").write_text("half of it")
    (unpacked / "stray").write_text("")
    get(server, target)
    assert_release(target, release)


def test_a_disk_too_full_to_unpack_is_an_error_that_keeps_the_archive(
    server, target, release, monkeypatch
):
    needed = sum(map(len, release.values()))
    usage = shutil.disk_usage(FIXTURE)._replace(free=needed - 1)
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "disk_usage", lambda path: usage)
        with pytest.raises(OSError, match=f"{needed} bytes") as error:
            get(server, target)
    assert error.value.errno == errno.ENOSPC
    assert not target.exists()
    get(server, target)
    assert_release(target, release)
    assert len(server.requests) == 3


def test_progress_is_shown_while_downloading(server, target, capsys, release):
    ptbxl.load_data(target, "all", download=True)
    output = capsys.readouterr().out
    for text in (f"{server.url}{ARCHIVE}", "Unpacking", f"{len(release)}/"):
        assert text in output
