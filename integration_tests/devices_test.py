"""Training on several devices, here of one processor, ends as on one device."""

import json

import click
import pytest

from testing.example_runs import assert_usage_error
from testing.example_runs import epochs_of
from testing.example_runs import import_example
from testing.example_runs import read_rows
from testing.example_runs import run_example
from testing.paths import EXAMPLES
from testing.programs import run_program

BACKENDS = ("jax", "tensorflow", "torch")
EPOCHS = 3


@pytest.fixture
def train(tmp_path):
    """Trains a small model; a process may be killed in the second epoch."""

    def train(backend, *options, killed="none", folder=None):
        output_dir = tmp_path / (folder or "_".join(map(str, options)))
        result = run_program(
            "train_on_devices",
            *(output_dir, *options, killed),
            backend=backend,
            folders=[EXAMPLES],
            check=False,
        )
        return result, output_dir

    return train


def read_log(output_dir):
    rows = read_rows(output_dir)
    assert epochs_of(rows) == list(range(EPOCHS))
    return {
        name: [float(row[name]) for row in rows]
        for name in rows[0]
        if name != "seconds"
    }


@pytest.mark.parametrize(
    ("backend", "normalization", "dropout"),
    [
        # JAX normalises the whole batch and draws all masks of dropout.
        ("jax", "batch", 0.3),
        ("tensorflow", "layer", 0.0),
        ("torch", "layer", 0.0),
    ],
)
def test_two_devices_train_as_one(train, backend, normalization, dropout):
    logs, losses = [], []
    for devices in (1, 2):
        result, output_dir = train(backend, devices, normalization, dropout)
        assert result.returncode == 0, result.stderr[-3000:]
        logs.append(read_log(output_dir))
        losses.append(float(result.stdout.split()[-1]))
        metrics = json.loads((output_dir / "metrics.json").read_text())
        assert metrics["devices"] == devices
    expected, received = logs
    assert received.keys() == expected.keys()
    for name, values in expected.items():
        assert received[name] == pytest.approx(values, rel=1e-5), name
    # The saved models are the same, too.
    assert losses[1] == pytest.approx(losses[0], rel=1e-5)
    # The model learns, so the later epochs depend on the steps before.
    assert expected["loss"][-1] < 0.6 * expected["loss"][0]


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_run_fails_when_a_process_is_killed_and_can_be_resumed(
    train, backend
):
    # JAX and TensorFlow have a single process. In PyTorch this is the second
    # one, which the first would wait for.
    killed = 1 if backend == "torch" else 0
    result, output_dir = train(backend, 2, "batch", 0.3, killed=killed)
    # All processes have ended, otherwise a pipe would still be open.
    assert result.returncode not in (0, 2)
    before = read_rows(output_dir)
    assert epochs_of(before) == [0]
    if backend == "torch":
        assert "SIGKILL" in result.stderr

    result, output_dir = train(backend, 2, "batch", 0.3)
    assert result.returncode == 0, result.stderr[-3000:]
    # One process shows the epochs, and the first one is not trained again.
    for epoch in range(EPOCHS):
        times = result.stdout.count(f"Epoch {epoch + 1}/{EPOCHS}")
        assert times == (epoch > 0)
    assert read_rows(output_dir)[:1] == before
    # Bit by bit as without the interruption.
    whole, folder = train(backend, 2, "batch", 0.3, folder="whole")
    assert read_log(output_dir) == read_log(folder)
    assert result.stdout.split()[-1] == whole.stdout.split()[-1]
    # The saved model is the one that all devices have validated, with the same
    # statistics.
    best = min(read_log(output_dir)["val_loss"])
    assert float(result.stdout.split()[-1]) == pytest.approx(best, rel=1e-5)
    assert not (output_dir / "backup").exists()


def test_two_devices_of_tensorflow_keep_the_shape_of_an_image(tmp_path):
    result = run_example(
        *("density", "--preset", "smoke", "--devices", 2),
        *("--output-dir", tmp_path),
        backend="tensorflow",
    )
    assert result.returncode == 0, result.stderr[-3000:]
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    losses = [float(row["val_loss"]) for row in read_rows(tmp_path)]
    assert metrics["devices"] == 2
    assert losses[1] < losses[0]


def run_digits(backend, output_dir, devices, **variables):
    return run_example(
        "digits",
        *("--devices", devices, "--output-dir", output_dir),
        backend=backend,
        **variables,
    )


@pytest.mark.parametrize("backend", BACKENDS)
def test_more_devices_than_the_machine_has_are_a_usage_error(backend, tmp_path):
    result = run_digits(backend, tmp_path / "runs", devices=100_000)
    assert_usage_error(result, "--devices", "100000", "this machine has")
    assert not (tmp_path / "runs").exists()


def test_processes_without_the_option_are_a_usage_error(tmp_path):
    result = run_digits(
        "torch", tmp_path / "runs", devices=1, RANK="1", WORLD_SIZE="3"
    )
    assert_usage_error(result, "3 processes", "--devices 3")
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("num_sequences", "batch_size", "is_enough"),
    [(64, 16, True), (67, 16, True), (66, 16, False), (2, 16, False)],
)
def test_a_batch_with_too_few_sequences_is_a_usage_error(
    num_sequences, batch_size, is_enough
):
    devices = import_example("experiment.devices").Devices(3)
    if is_enough:
        devices.check_sizes(num_sequences, batch_size)
    else:
        with pytest.raises(click.UsageError, match="the last batch has 2"):
            devices.check_sizes(num_sequences, batch_size)


def test_each_device_of_jax_transforms_its_own_share():
    run_program(
        "share_fft",
        backend="jax",
        XLA_FLAGS="--xla_force_host_platform_device_count=2",
    )
