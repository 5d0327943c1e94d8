"""A training that is interrupted, in whatever way and place, continues.

It ends with the weights and the log that it has without an interruption, to the
last bit.
"""

import errno
import json
import shutil
import signal

import click
import pytest
from filelock import FileLock

from testing.backends import BACKENDS
from testing.example_runs import import_example
from testing.faults import full_disk
from testing.file_operations import before_each_change
from testing.paths import EXAMPLES
from testing.programs import run_program
from testing.small_runs import make_parts
from testing.small_runs import outcome
from testing.small_runs import train

callbacks = import_example("experiment.callbacks")


def run_or_die(backend, change, *folders):
    """The process, and the outcome of each run that it finished."""
    result = run_program(
        *("run_or_die", change, *folders),
        backend=backend,
        folders=[EXAMPLES],
        check=False,
    )
    lines = filter(lambda line: line[0] == "{", result.stdout.splitlines())
    return result, list(map(json.loads, lines))


# While it backs up an epoch: before the backup has its name, after that, and
# when the best model gets its place.
@pytest.mark.parametrize(
    ("backend", "change"), list(zip(BACKENDS, (27, 28, 30), strict=True))
)
def test_a_killed_run_ends_as_one_that_was_not_killed(
    backend, change, tmp_path
):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    result, (expected,) = run_or_die(backend, change, whole, killed)
    assert result.returncode == -signal.SIGKILL, result.stderr[-3000:]
    result, (received,) = run_or_die(backend, 0, killed)
    assert result.returncode == 0, result.stderr[-3000:]
    assert received == expected


def test_tensorflow_trains_on_the_batches_of_each_epoch():
    # After a seed is set, Keras's own order would be that of the first epoch.
    result = run_program(
        "record_batches", backend="tensorflow", folders=[EXAMPLES]
    )
    (inputs, targets), _ = make_parts()
    batches = import_example("experiment.batches").Batches(
        inputs, targets, batch_size=8, seed=0
    )
    expected = []
    for epoch in range(4):
        batches.shuffle(epoch)
        expected += [float(batches[index][0][0, 0]) for index in range(3)]
    assert len(set(expected[::3])) > 1
    assert json.loads(result.stdout.splitlines()[-1]) == expected


def test_a_run_continues_from_each_state_that_a_kill_can_leave(tmp_path):
    # The files are the same on each backend, and this one starts fastest.
    result = run_program(
        *("continue_from_each_kill", tmp_path, "eagerly"),
        backend="torch",
        folders=[EXAMPLES],
    )
    assert int(result.stdout.split()[-1]) > 30


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The folder of a run that was interrupted after its training."""
    folder = tmp_path_factory.mktemp("runs") / "run"
    return folder, outcome(*train(folder))


@pytest.fixture
def copy(trained, tmp_path):
    """A copy of that folder, and its outcome."""
    folder, expected = trained
    return shutil.copytree(folder, tmp_path / "copy"), expected


def flip(path, position):
    content = bytearray(path.read_bytes())
    content[position] ^= 1
    path.write_bytes(content)


def test_a_run_that_was_interrupted_after_its_training_is_not_trained_again(
    copy, monkeypatch
):
    folder, expected = copy
    monkeypatch.setattr(callbacks.BackUp, "on_epoch_end", None)
    assert outcome(*train(folder)) == expected


@pytest.mark.parametrize("damage", ["flip", "delete"])
def test_a_damaged_backup_is_replaced_by_the_one_before(copy, damage, capfd):
    folder, expected = copy
    path = folder / "backup" / "epoch_4"
    if damage == "flip":
        flip(path, path.stat().st_size // 2)
    else:
        path.unlink()
    # They come from the training, not from the backup.
    (folder / "log.csv").write_text("epoch,loss\n0,1")
    shutil.rmtree(folder / "tensorboard")
    assert outcome(*train(folder)) == expected
    assert list((folder / "tensorboard").iterdir())
    assert (str(path) in capfd.readouterr().err) == (damage == "flip")


def test_each_flipped_byte_of_a_backup_is_noticed(copy):
    folder, _ = copy
    path = folder / "backup" / "epoch_4"
    size = path.stat().st_size
    read = import_example("experiment.backup").Backup
    read(path)
    for position in [*range(0, size, size // 100), size - 1]:
        flip(path, position)
        with pytest.raises(ValueError, match="checksum"):
            read(path)
        flip(path, position)
    content = path.read_bytes()
    for length in (0, 10, size - 1):
        path.write_bytes(content[:length])
        with pytest.raises(ValueError, match="checksum"):
            read(path)


def files_of(folder):
    return {
        path: path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("backup", None),
        ("backup/epoch_*", None),
        ("backup/epoch_*", b"{}\n"),
        ("model.keras", None),
        ("model.keras", b"PK"),
    ],
)
def test_a_run_without_a_whole_backup_is_refused_with_a_remedy(
    copy, name, content
):
    folder, _ = copy
    for path in list(folder.glob(name)):
        if content is not None:
            path.write_bytes(content)
        elif path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
    before = files_of(folder)
    with pytest.raises(click.UsageError, match="--no-resume") as error:
        train(folder)
    assert str(folder / "backup") in str(error.value)
    assert files_of(folder) == before


@pytest.mark.parametrize(
    ("changes", "reason"),
    [({"data_seed": 1}, "the data are not"), ({"units": 7}, "another model")],
)
def test_a_run_of_other_data_or_of_another_model_is_refused(
    copy, changes, reason
):
    folder, _ = copy
    before = files_of(folder)
    with pytest.raises(click.UsageError, match=f"{reason}.*--no-resume"):
        train(folder, **changes)
    assert files_of(folder) == before


def test_a_folder_in_which_another_process_trains_is_refused(copy):
    folder, expected = copy
    # To the system, this is another process.
    with (
        FileLock(folder / ".lock"),
        pytest.raises(click.UsageError, match="Another process"),
    ):
        train(folder)
    assert outcome(*train(folder)) == expected


@pytest.mark.parametrize("name", ["epoch_0", "epoch_2", "log", "model_of"])
def test_a_run_continues_when_a_full_disk_has_space_again(
    trained, tmp_path, name
):
    _, expected = trained

    def fill(operation, path):
        if operation == "open" and name in path:
            raise OSError(errno.ENOSPC, "No space left on device")

    with (
        before_each_change(tmp_path, fill),
        pytest.raises(click.ClickException, match="No space left"),
    ):
        train(tmp_path)
    assert outcome(*train(tmp_path)) == expected


def test_a_full_disk_leaves_no_part_of_a_backup(tmp_path):
    with (
        full_disk(),
        pytest.raises(click.ClickException, match="epoch_0"),
    ):
        train(tmp_path)
    assert not list((tmp_path / "backup").iterdir())
