"""Training on several devices, here of one processor, ends as on one device."""

import json
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest
from examples_test import assert_usage_error
from resume_test import epochs_of
from resume_test import read_rows

EXAMPLES = Path(__file__).parents[1] / "examples"
BACKENDS = ("jax", "tensorflow", "torch")
EPOCHS = 3

# Trains a small model. Two devices cannot have equal shares of the last batch
# of either set.
TRAIN = """
import os
import signal
import sys
from pathlib import Path

from command_line import Preset
from command_line import TrainingOptions

output_dir, backend, devices, normalization, dropout, killed = sys.argv[1:]
options = TrainingOptions(
    backend=backend,
    preset_name="small",
    preset=Preset({}, 0.02, 0.01, epochs=3, batch_size=16),
    output_dir=Path(output_dir),
    seed=0,
    dtype_policy="float32",
    jit_compile="auto",
    resume=True,
    devices=int(devices),
)

import keras
import numpy as np
import training

from keras_multires.models import MultiresClassifier


class Kill(keras.callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        if self.epoch == 1 and os.environ.get("RANK", "0") == killed:
            os.kill(os.getpid(), signal.SIGKILL)


def fit(self, *arguments, callbacks, **options):
    callbacks = [*callbacks, Kill()]
    return keras_fit(self, *arguments, callbacks=callbacks, **options)


keras_fit, keras.Model.fit = keras.Model.fit, fit

run = training.Run("test", options)
random = np.random.default_rng(0)
targets = random.integers(2, size=45 + 21, dtype="uint8")
inputs = random.normal(2.0 * targets[:, None, None] - 1, size=(45 + 21, 16, 1))
inputs = inputs.astype("float32")
validation = inputs[45:], targets[45:]
with run.scope():
    model = MultiresClassifier(
        num_classes=2,
        length=16,
        input_channels=1,
        hidden_dim=8,
        num_layers=1,
        normalization=normalization,
        dropout=float(dropout),
    )
    metric = keras.metrics.SparseCategoricalAccuracy(name="accuracy")
shapes = set()
if backend == "jax":
    import jax

    def watched_loss(x, *arguments, **options):
        # Of the part of it that a device has, known when it is compiled.
        jax.debug.inspect_array_sharding(
            x, callback=lambda layout: shapes.add(layout.shard_shape(x.shape))
        )
        return compute_loss(x, *arguments, **options)

    compute_loss, model.compute_loss = model.compute_loss, watched_loss
loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
model, log = run.fit(
    model,
    (inputs[:45], targets[:45]),
    validation,
    loss,
    training.Measure("accuracy", "val_loss", "min", ".1%"),
    [metric],
)
if backend == "jax":
    assert {shape[0] for shape in shapes} == (
        {8, 13, 5} if devices == "2" else {16, 13, 5}
    ), shapes
run.finish(model, log, "random numbers", {}, {})
model.compile(loss=loss)
print(model.evaluate(*validation, verbose=0))
"""


def environment(**changes):
    path = os.pathsep.join([*sys.path, str(EXAMPLES)])
    # A process would use as many threads as there are cores, otherwise.
    threads = {"OMP_NUM_THREADS": "1"}
    return {**os.environ, "PYTHONPATH": path, **threads, **changes}


def run(*arguments, **changes):
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        env=environment(**changes),
        capture_output=True,
        text=True,
        # Ends a test of what must not hang.
        timeout=180,
    )


@pytest.fixture
def train(tmp_path):
    """Trains a small model; a process may be killed in the second epoch."""
    script = tmp_path / "train.py"
    script.write_text(TRAIN)

    def train(backend, *options, killed="none"):
        output_dir = tmp_path / "_".join(map(str, options))
        arguments = (script, output_dir, backend, *options, killed)
        result = run(*arguments, KERAS_BACKEND=backend)
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
        # JAX normalises the whole batch, and draws all its masks.
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
    # Of the models that are saved.
    assert losses[1] == pytest.approx(losses[0], rel=1e-5)
    # It learns, so that the later epochs tell of the steps before.
    assert expected["loss"][-1] < 0.6 * expected["loss"][0]


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_run_with_a_killed_process_fails_and_goes_on(train, backend):
    # In JAX and TensorFlow the only process. In PyTorch the second, which the
    # first would wait for.
    killed = 1 if backend == "torch" else 0
    result, output_dir = train(backend, 2, "batch", 0.3, killed=killed)
    # All have ended, or a pipe would be open.
    assert result.returncode not in (0, 2)
    before = read_rows(output_dir)
    assert epochs_of(before) == [0]
    if backend == "torch":
        assert "SIGKILL" in result.stderr

    result, output_dir = train(backend, 2, "batch", 0.3)
    assert result.returncode == 0, result.stderr[-3000:]
    # By one process, and not from the beginning.
    for epoch in range(EPOCHS):
        times = result.stdout.count(f"Epoch {epoch + 1}/{EPOCHS}")
        assert times == (epoch > 0)
    assert read_rows(output_dir)[:1] == before
    # The model that is saved is the one that all devices have validated, with
    # the same statistics.
    best = min(read_log(output_dir)["val_loss"])
    assert float(result.stdout.split()[-1]) == pytest.approx(best, rel=1e-5)
    assert not (output_dir / "backup").exists()


def digits(backend, output_dir, devices):
    return (
        *(EXAMPLES / "digits.py", "--backend", backend, "--devices", devices),
        *("--output-dir", output_dir),
    )


@pytest.mark.parametrize("backend", BACKENDS)
def test_more_devices_than_there_are_is_a_usage_error(backend, tmp_path):
    result = run(*digits(backend, tmp_path / "runs", devices=100_000))
    assert_usage_error(result, "--devices", "100000", "this machine has")
    assert not (tmp_path / "runs").exists()


def test_processes_without_the_option_are_a_usage_error(tmp_path):
    result = run(
        *digits("torch", tmp_path / "runs", devices=1), RANK="1", WORLD_SIZE="3"
    )
    assert_usage_error(result, "3 processes", "--devices 3")
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("num_sequences", "batch_size", "is_enough"),
    [(64, 16, True), (67, 16, True), (66, 16, False), (2, 16, False)],
)
def test_a_batch_with_too_few_sequences_is_a_usage_error(
    monkeypatch, num_sequences, batch_size, is_enough
):
    monkeypatch.syspath_prepend(str(EXAMPLES))
    from devices import Devices

    if is_enough:
        Devices(3).check_sizes(num_sequences, batch_size)
    else:
        with pytest.raises(click.UsageError, match="the last batch has 2"):
            Devices(3).check_sizes(num_sequences, batch_size)


SHARED_FFT = """
import jax
import keras
import numpy as np
from jax.sharding import NamedSharding
from jax.sharding import PartitionSpec

from keras_multires.ops import causal_conv

devices = keras.distribution.list_devices()
assert len(devices) == 2
keras.distribution.set_distribution(
    keras.distribution.DataParallel(devices=devices)
)
mesh = jax.sharding.Mesh(jax.devices(), ("batch",))
inputs = np.random.default_rng(0).normal(size=(4, 64, 3)).astype("float32")
kernel = inputs[0]


def both(inputs, kernel):
    outputs, gradient = jax.vjp(causal_conv, inputs, kernel)
    return outputs, *gradient(outputs)


compiled = jax.jit(both).lower(
    jax.device_put(inputs, NamedSharding(mesh, PartitionSpec("batch"))),
    jax.device_put(kernel, NamedSharding(mesh, PartitionSpec())),
).compile()
assert "all-gather" not in compiled.as_text()
assert "c64[2,3,64]" in compiled.as_text()  # half of the batch on each
"""


def test_jax_devices_compute_the_ffts_of_their_own_share():
    result = subprocess.run(
        [sys.executable, "-c", SHARED_FFT],
        env={
            **os.environ,
            "KERAS_BACKEND": "jax",
            "XLA_FLAGS": "--xla_force_host_platform_device_count=2",
        },
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr[-3000:]
