"""Downloads by several processes, and by processes that are killed."""

import json
import signal
import time

import pytest

from testing.example_runs import read_rows
from testing.paths import EXAMPLES
from testing.programs import run_program
from testing.programs import start_program
from testing.ptbxl_release import ARCHIVE
from testing.ptbxl_release import FIXTURE
from testing.ptbxl_release import LIST
from testing.ptbxl_release import serve
from testing.web_server import WebServer

FILES = {
    path.relative_to(FIXTURE).as_posix(): path.read_bytes()
    for path in FIXTURE.rglob("*")
    if path.is_file() and path.name != "SHA256SUMS.txt"
}


@pytest.fixture
def server(monkeypatch, tmp_path):
    # The server is on this machine, so no proxy of the user may be asked.
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "home"))
    with WebServer({}) as server:
        serve(server, FILES)
        server.is_slow = True
        yield server


def assert_release(directory):
    found = {
        path.relative_to(directory).as_posix(): path.read_bytes()
        for path in directory.rglob("*")
        if path.is_file()
    }
    del found["SHA256SUMS.txt"]
    assert found == FILES
    assert list(directory.parent.iterdir()) == [directory]


def test_a_process_that_waits_for_a_killed_one_continues_its_download(
    server, tmp_path
):
    directory = tmp_path / "data" / "ptb-xl"
    part = tmp_path / "data/ptb-xl.download/archive.zip.part"
    server.is_paused = True
    with start_program("download_release", server.url, directory) as first:
        while not part.exists() or part.stat().st_size < 20_000:
            assert first.poll() is None
            time.sleep(0.01)
        size = part.stat().st_size
        with start_program("download_release", server.url, directory) as second:
            assert second.stdout.readline().startswith("Waiting for")
            first.send_signal(signal.SIGKILL)
            server.is_paused = False
            second.communicate()
    assert second.returncode == 0
    assert_release(directory)
    assert [request[:2] for request in server.requests] == [
        (LIST, None),
        (ARCHIVE, None),
        (LIST, None),
        (ARCHIVE, f"bytes={size}-"),
    ]


def test_the_example_on_two_devices_downloads_once(server, tmp_path):
    directory, output_dir = tmp_path / "data" / "ptb-xl", tmp_path / "run"
    result = run_program(
        *("run_ptbxl_example", server.url, "--preset", "smoke"),
        *("--devices", 2, "--download", "--data-dir", directory),
        *("--output-dir", output_dir),
        backend="torch",
        folders=[EXAMPLES],
        check=False,
    )
    assert result.returncode == 0, result.stderr[-3000:]
    assert [request.path for request in server.requests] == [LIST, ARCHIVE]
    assert_release(directory)
    assert len(read_rows(output_dir)) == 2
    metrics = json.loads((output_dir / "metrics.json").read_text())
    assert metrics["devices"] == 2
