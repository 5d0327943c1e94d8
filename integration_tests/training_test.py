"""What the examples share: optimiser, learning rate and settings of a run."""

import dataclasses
from pathlib import Path

import keras
import numpy as np
import pytest

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
    metric = keras.metrics.SparseCategoricalAccuracy(name="accuracy")
    _, log = training.Run("test", options).fit(
        model, *parts, loss, metric, "val_accuracy"
    )
    optimizer = model.optimizer
    assert isinstance(optimizer, keras.optimizers.AdamW)
    assert optimizer.epsilon == 1e-8
    assert optimizer.weight_decay == 0.06
    # Of every weight: biases, too.
    assert all(map(optimizer._use_weight_decay, model.trainable_variables))
    assert int(optimizer.iterations) == 4 * 3
    assert model.jit_compile is False
    assert len(log["seconds"]) == 4


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
def test_a_run_sets_the_policy_of_the_layers(make_options, policy):
    import training

    earlier = keras.config.dtype_policy()
    try:
        training.Run("test", make_options(dtype_policy=policy))
        assert keras.layers.Dense(1).dtype_policy.name == policy
    finally:
        keras.config.set_dtype_policy(earlier)
