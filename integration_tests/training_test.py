"""What the examples share: optimiser, learning rate and settings of a run."""

import dataclasses
import json
from pathlib import Path

import click
import keras
import numpy as np
import pytest
from click.testing import CliRunner

EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.fixture
def preset(monkeypatch):
    monkeypatch.syspath_prepend(str(EXAMPLES))
    from command_line import Preset

    return Preset(
        model={},
        learning_rate=0.5,
        weight_decay=0.06,
        epochs=4,
        batch_size=8,
        warmup_epochs=1,
    )


@pytest.fixture
def make_options(preset, tmp_path):
    """Options of the command line, with changes."""
    from command_line import TrainingOptions

    defaults = TrainingOptions(
        backend=keras.backend.backend(),
        preset_name="small",
        preset=preset,
        output_dir=tmp_path,
        seed=0,
        dtype_policy="float32",
        jit_compile="auto",
        resume=True,
    )
    return lambda **changes: dataclasses.replace(defaults, **changes)


def test_a_tilde_is_the_home_folder(preset, monkeypatch, tmp_path):
    from command_line import training_options

    monkeypatch.setenv("HOME", str(tmp_path))
    received = []

    @click.command()
    @training_options("runs/test", {"small": preset}, data="Folder.")
    def command(options):
        received.append(options)

    result = CliRunner().invoke(command, ["--data-dir=~/a", "--output-dir=~/b"])
    assert result.exit_code == 0, result.output
    (options,) = received
    assert (options.data_dir, options.output_dir) == (
        tmp_path / "a",
        tmp_path / "b",
    )


@pytest.mark.parametrize("warmup_epochs", [0, 0.5, 1])
def test_the_learning_rate_rises_in_a_line_and_falls_in_a_cosine(
    preset, warmup_epochs
):
    import training

    preset = dataclasses.replace(preset, warmup_epochs=warmup_epochs)
    rate = training._learning_rate(preset, steps_per_epoch=10)
    received = [float(rate(step)) for step in range(41)]
    warmup = int(10 * warmup_epochs)
    rising = 0.5 * np.arange(warmup) / max(warmup, 1)
    falling = 0.25 + 0.25 * np.cos(np.linspace(0, np.pi, 41 - warmup))
    np.testing.assert_allclose(received, [*rising, *falling], atol=1e-6)


def test_a_run_trains_with_the_published_optimiser(make_options):
    import training

    options = make_options(jit_compile="off")
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    parts = [(np.ones((20, 3), "float32"), np.ones(20)) for _ in range(2)]
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    measure = training.Measure("accuracy", "val_loss", "min", ".1%")
    _, log = training.Run("test", options).fit(model, *parts, loss, measure)
    optimizer = model.optimizer
    assert isinstance(optimizer, keras.optimizers.AdamW)
    assert optimizer.epsilon == 1e-8
    assert optimizer.weight_decay == 0.06
    # Of every weight: biases, too.
    assert all(map(optimizer._use_weight_decay, model.trainable_variables))
    assert int(optimizer.iterations) == 4 * 3
    assert model.jit_compile is False
    assert len(log["seconds"]) == 4


@pytest.mark.parametrize("mode", ["max", "min"])
def test_the_model_of_the_highest_or_of_the_lowest_epoch_is_kept(
    make_options, mode
):
    import training

    keras.utils.set_random_seed(0)
    inputs = np.random.default_rng(0).normal(size=(2, 20, 3))
    parts = [(part, part[:, :1]) for part in inputs.astype("float32")]
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    loss = keras.losses.MeanSquaredError()
    measure = training.Measure("error", "val_loss", mode, ".3f")
    model, log = training.Run("test", make_options()).fit(
        model, *parts, loss, measure
    )
    values = log["val_loss"]
    best = {"max": max, "min": min}[mode](values)
    assert measure.best_epoch(log) == values.index(best) + 1
    model.compile(loss=loss)
    received = model.evaluate(*parts[1], verbose=0)
    assert received == pytest.approx(best, rel=1e-4)
    # The other mode keeps another model.
    assert len(set(values)) > 1


@pytest.mark.parametrize("mode", ["max", "min"])
@pytest.mark.parametrize("restart", [None, 1, 2])
def test_no_epoch_of_nan_is_the_best(make_options, tmp_path, mode, restart):
    make_options()
    import training
    from callbacks import KeepBest

    values = [np.nan, np.nan, 0.5, 1.0, np.nan]
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    path = tmp_path / "model.keras"
    best = KeepBest(path, "val_loss", mode)
    for epoch, value in enumerate(values):
        if epoch == restart:
            best = KeepBest(path, "val_loss", mode)
            best.know(values[:epoch])
        best.set_model(model)
        model.layers[0].bias.assign([epoch])
        best.on_epoch_begin(epoch)
        best.on_epoch_end(epoch, {"val_loss": value})
    best.on_train_end()

    measure = training.Measure("error", "val_loss", mode, ".3f")
    expected = {"max": 4, "min": 3}[mode]
    assert measure.best_epoch({"val_loss": values}) == expected
    kept = keras.models.load_model(path)
    assert float(kept.layers[0].bias[0]) == expected - 1


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("log.csv", None),
        ("log.csv", b"\xff\x00"),
        ("log.csv", b"name\nvalue\n"),
        ("log.csv", b"epoch,loss\n0,1.0\n"),
        ("backup/training_metadata.json", b"{"),
        ("backup/training_metadata.json", b"{}"),
    ],
)
def test_damaged_progress_is_an_error_before_any_work(
    make_options, preset, tmp_path, name, content
):
    import training

    preset = dataclasses.replace(preset, epochs=2)
    parts = [(np.ones((8, 3), "float32"), np.ones((8, 1)))] * 2
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    measure = training.Measure("error", "val_loss", "min", ".3f")
    training.Run("test", make_options(preset=preset)).fit(
        model, *parts, keras.losses.MeanSquaredError(), measure
    )
    path = tmp_path / name
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content)

    with pytest.raises(click.UsageError, match="--no-resume") as error:
        training.Run("test", make_options(preset=preset))
    assert str(path) in str(error.value)


@pytest.mark.parametrize("name", ["overview.png", "labels.json", "log.csv"])
def test_files_of_no_run_are_not_overwritten(make_options, tmp_path, name):
    import training

    (tmp_path / name).write_text("mine")
    with pytest.raises(click.UsageError, match=f"{name}.*of no known run"):
        training.Run("test", make_options())
    assert (tmp_path / name).read_text() == "mine"


def test_a_new_run_replaces_all_of_an_earlier_one_when_it_begins(
    make_options, preset, tmp_path
):
    import training

    parts = [(np.ones((8, 3), "float32"), np.ones((8, 1)))] * 2
    measure = training.Measure("error", "val_loss", "min", ".3f")
    preset = dataclasses.replace(preset, epochs=1)

    class StoppedModel(keras.Sequential):
        def fit(self, *args, **kwargs):
            raise KeyboardInterrupt

    def begin(labels, **changes):
        run = training.Run("test", make_options(preset=preset, **changes))
        run.put_beside_model("labels.json", labels)
        model = StoppedModel([keras.Input((3,)), keras.layers.Dense(1)])
        with pytest.raises(KeyboardInterrupt):
            run.fit(model, *parts, keras.losses.MeanSquaredError(), measure)

    begin(["a"])
    (tmp_path / "overview.png").write_text("of the earlier run")
    begin(["a", "b"], resume=False)

    assert json.loads((tmp_path / "labels.json").read_text()) == ["a", "b"]
    assert not (tmp_path / "overview.png").exists()


def test_a_run_without_decay_trains_as_by_adam(make_options, preset):
    import training

    inputs = np.random.default_rng(0).normal(size=(32, 3)).astype("float32")
    parts = [(inputs, inputs.sum(axis=1, keepdims=True))] * 2

    def make_model():
        keras.utils.set_random_seed(0)
        return keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])

    # All in one step an epoch, so that the order is of no account.
    preset = dataclasses.replace(preset, weight_decay=0, batch_size=32)
    model, expected = make_model(), make_model()
    training.Run("test", make_options(preset=preset)).fit(
        *(model, *parts, keras.losses.MeanSquaredError()),
        training.Measure("error", "val_loss", "min", ".3f"),
    )
    rate = training._learning_rate(preset, steps_per_epoch=1)
    expected.compile(keras.optimizers.Adam(rate, epsilon=1e-8), "mse")
    expected.fit(*parts[0], batch_size=32, epochs=4, verbose=0)
    for weights, other in zip(
        model.get_weights(), expected.get_weights(), strict=True
    ):
        np.testing.assert_allclose(weights, other, rtol=1e-5)


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
def test_a_run_sets_the_policy_of_the_layers(make_options, policy):
    import training

    earlier = keras.config.dtype_policy()
    try:
        training.Run("test", make_options(dtype_policy=policy))
        assert keras.layers.Dense(1).dtype_policy.name == policy
    finally:
        keras.config.set_dtype_policy(earlier)
