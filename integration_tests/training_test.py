"""What the examples share: options, learning rate, and the files of a run."""

import json

import click
import keras
import numpy as np
import pytest
from click.testing import CliRunner

from testing.example_runs import import_example
from testing.example_runs import make_options

backend = import_example("experiment.backend")
callbacks = import_example("experiment.callbacks")
command_line = import_example("experiment.command_line")
schedule = import_example("experiment.schedule")
Run = import_example("experiment.run").Run

SMALL = {"learning_rate": 0.5, "epochs": 4, "batch_size": 8}


def parse(*arguments, presets=None):
    """Options as a lesson with a data folder gets them."""
    received = []

    @click.command()
    @command_line.training_options("runs/test", presets or {"small": SMALL})
    @command_line.data_dir_option("Folder.")
    def main(options):
        received.append(options)

    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    return received[0]


def test_a_tilde_is_the_home_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    options = parse("--data-dir=~/a", "--output-dir=~/b")
    assert options.data_dir == tmp_path / "a"
    assert options.output_dir == tmp_path / "b"


def test_options_replace_hyperparameters_of_the_preset():
    presets = {"small": SMALL, "paper": {**SMALL, "learning_rate": 0.25}}
    options = parse("--preset", "paper", "--epochs", "7", presets=presets)
    assert options.preset_name == "paper"
    assert vars(options.preset) == {
        "learning_rate": 0.25,
        "epochs": 7,
        "batch_size": 8,
    }
    assert presets["paper"]["epochs"] == 4


@pytest.mark.parametrize(
    ("installed", "expected"),
    [
        (["torch", "tensorflow"], "tensorflow"),
        (["torch"], "torch"),
        (["jax", "torch"], "jax"),
    ],
)
def test_the_first_installed_backend_is_chosen_and_shown(
    monkeypatch, capsys, installed, expected
):
    monkeypatch.delitem(backend.sys.modules, "keras")
    monkeypatch.setenv("KERAS_BACKEND", "")
    monkeypatch.setattr(backend, "_is_installed", installed.__contains__)
    assert backend.choose_backend() == expected
    assert backend.os.environ["KERAS_BACKEND"] == expected
    assert capsys.readouterr().out == (
        f"Backend: {expected}. Set KERAS_BACKEND to choose another.\n"
    )
    # Nothing is shown about a backend that the user has chosen.
    assert backend.choose_backend() == expected
    assert capsys.readouterr().out == ""


def test_a_program_without_a_backend_ends_with_an_error(monkeypatch, capsys):
    monkeypatch.delitem(backend.sys.modules, "keras")
    monkeypatch.setenv("KERAS_BACKEND", "")
    monkeypatch.setattr(backend, "_is_installed", lambda name: False)
    with pytest.raises(SystemExit, match="2"):
        backend.choose_backend()
    assert "pip install jax" in capsys.readouterr().err


@pytest.mark.parametrize("warmup_epochs", [0, 0.5, 1])
def test_the_learning_rate_rises_in_a_line_and_falls_in_a_cosine(
    tmp_path, warmup_epochs
):
    preset = make_options(
        tmp_path, learning_rate=0.5, warmup_epochs=warmup_epochs
    ).preset
    # Ten steps in an epoch, the last one with fewer sequences.
    rate = schedule.warmup_then_cosine(preset, num_sequences=75)
    received = [float(rate(step)) for step in range(41)]
    warmup = int(10 * warmup_epochs)
    rising = 0.5 * np.arange(warmup) / max(warmup, 1)
    falling = 0.25 + 0.25 * np.cos(np.linspace(0, np.pi, 41 - warmup))
    np.testing.assert_allclose(received, [*rising, *falling], atol=1e-6)


def test_a_run_may_end_within_its_warm_up(tmp_path):
    preset = make_options(tmp_path, epochs=1, warmup_epochs=2).preset
    rate = schedule.warmup_then_cosine(preset, num_sequences=80)
    received = [float(rate(step)) for step in range(10)]
    np.testing.assert_allclose(received, 0.1 * np.arange(10) / 20, atol=1e-7)


def make_model():
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    model.compile("adam", "mse")
    return model


def fit(options, parts, mode="min"):
    """Trains a model of three inputs as the lessons do: `(run, log)`."""
    run = Run("test", options)
    model = make_model()
    model.fit(
        run.batches(parts[0]),
        epochs=options.preset.epochs,
        shuffle=False,
        validation_data=parts[1],
        validation_batch_size=options.preset.batch_size,
        callbacks=run.start(model, [*parts, parts[1]], "val_loss", mode),
        verbose=run.verbose,
    )
    return run, run.end_training()


PARTS = [(np.ones((8, 3), "float32"), np.ones((8, 1)))] * 2


@pytest.mark.parametrize("mode", ["max", "min"])
def test_the_model_of_the_highest_or_of_the_lowest_epoch_is_kept(
    tmp_path, mode
):
    inputs = np.random.default_rng(0).normal(size=(2, 20, 3))
    parts = [(part, part[:, :1]) for part in inputs.astype("float32")]
    run, log = fit(make_options(tmp_path), parts, mode)
    values = log["val_loss"]
    assert len(values) == len(log["seconds"]) == 4
    best = {"max": max, "min": min}[mode](values)
    model = keras.models.load_model(run.model_path)
    received = model.evaluate(*parts[1], verbose=0)
    assert received == pytest.approx(best, rel=1e-4)
    run.finish(model, "random numbers", {"score": 1 / 3}, {})
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert metrics["best_epoch"] == values.index(best) + 1
    assert metrics["score"] == 0.3333
    assert metrics["num_train"] == metrics["num_test"] == 20
    # The other mode keeps another model.
    assert len(set(values)) > 1


def test_each_epoch_has_its_own_order_of_all_sequences():
    inputs, targets = np.arange(10), -np.arange(10)
    batches = import_example("experiment.batches").Batches
    orders = []
    for epoch in (0, 1, 2, 1):
        # Of another run, whose earlier epochs were not trained by this process.
        others = batches(inputs, targets, batch_size=4, seed=3)
        others.shuffle(epoch)
        parts = [others[index] for index in range(len(others))]
        assert [len(part) for part, _ in parts] == [4, 4, 2]
        order, outputs = map(np.concatenate, zip(*parts, strict=True))
        np.testing.assert_array_equal(outputs, -order)
        np.testing.assert_array_equal(np.sort(order), inputs)
        orders.append(tuple(order))
    assert len(set(orders)) == 3
    assert orders[3] == orders[1]


@pytest.mark.parametrize("mode", ["max", "min"])
@pytest.mark.parametrize("restart", [None, 1, 2])
def test_an_epoch_with_nan_is_never_the_best(tmp_path, mode, restart):
    values = [np.nan, np.nan, 0.5, 1.0, np.nan]
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    path = tmp_path / "model.keras"
    arguments = path, tmp_path / "backup", "val_loss", mode
    best = callbacks.KeepBest(*arguments)
    for epoch, value in enumerate(values):
        if epoch == restart:
            best = callbacks.KeepBest(*arguments, values[:epoch])
        best.set_model(model)
        model.layers[0].bias.assign([epoch])
        best.on_epoch_begin(epoch)
        best.on_epoch_end(epoch, {"val_loss": value})
    best.on_train_end()

    expected = {"max": 3, "min": 2}[mode]
    assert callbacks.best_of(values, mode) == expected
    kept = keras.models.load_model(path)
    assert float(kept.layers[0].bias[0]) == expected


@pytest.mark.parametrize("name", ["overview.png", "labels.json", "log.csv"])
def test_files_that_come_from_no_run_are_not_overwritten(tmp_path, name):
    (tmp_path / name).write_text("mine")
    with pytest.raises(click.UsageError, match=f"{name}.*no settings of a run"):
        Run("test", make_options(tmp_path))
    assert (tmp_path / name).read_text() == "mine"


def test_a_new_run_replaces_all_files_of_an_earlier_one_when_it_begins(
    tmp_path,
):
    def start(labels, **changes):
        run = Run("test", make_options(tmp_path, **changes))
        files = {"labels.json": labels}
        parts = [*PARTS, PARTS[0]]
        run.start(make_model(), parts, "val_loss", "min", files)

    start(["a"])
    (tmp_path / "overview.png").write_text("of the earlier run")
    start(["a", "b"], resume=False)

    assert json.loads((tmp_path / "labels.json").read_text()) == ["a", "b"]
    assert not (tmp_path / "overview.png").exists()


@pytest.mark.parametrize("name", ["train", "validation", "test"])
def test_an_empty_part_is_a_usage_error_before_the_training(tmp_path, name):
    parts = {part: PARTS[0] for part in ("train", "validation", "test")}
    parts[name] = (np.ones((0, 3)), np.ones((0, 1)))
    run = Run("test", make_options(tmp_path))
    with pytest.raises(click.UsageError, match=f"The {name} set is empty"):
        run.start(make_model(), [*parts.values()], "val_loss", "min")
    assert not list(tmp_path.glob("[!.]*"))


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
def test_a_run_sets_the_policy_of_the_layers(tmp_path, policy):
    earlier = keras.config.dtype_policy()
    try:
        Run("test", make_options(tmp_path, dtype_policy=policy))
        assert keras.layers.Dense(1).dtype_policy.name == policy
    finally:
        keras.config.set_dtype_policy(earlier)
