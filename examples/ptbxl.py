"""Reads electrocardiograms: the labels of PTB-XL.

Ten seconds of twelve leads are a sequence of 1,000 steps, and `--task` says
which of its 71 labels are to be told. `--download` gets the data set (1.8 GB)
into `--data-dir` if it is not there:

    python -m pip install ".[jax,examples]"
    python examples/ptbxl.py --data-dir ptb-xl --download

`--preset paper` is the paper's experiment. A trained model takes WFDB records:

    python examples/ptbxl.py --model runs/ptbxl/model.keras \\
        --predict ptb-xl/records100/00000/00001_lr
"""

import json

import click
from command_line import Preset
from command_line import prediction_options
from command_line import training_options
from command_line import usage_errors

PRESETS = {
    "paper": Preset(
        model={},
        learning_rate=0.0045,
        weight_decay=0.06,
        epochs=100,
        warmup_epochs=5,
        batch_size=50,
    ),
    "small": Preset(
        model={"hidden_dim": 32, "num_layers": 4},
        learning_rate=0.0045,
        weight_decay=0.06,
        epochs=80,
        warmup_epochs=4,
        batch_size=8,
    ),
    "smoke": Preset(
        model={"hidden_dim": 8, "num_layers": 2},
        learning_rate=0.0045,
        weight_decay=0.06,
        epochs=2,
        batch_size=8,
    ),
}
# As in `keras_multires.datasets.ptbxl`, which would import Keras too early.
TASKS = (
    "all",
    "diagnostic",
    "subdiagnostic",
    "superdiagnostic",
    "form",
    "rhythm",
)
LABELS = "labels.json"


@click.command()
@training_options(
    "runs/ptbxl", PRESETS, data="Folder of the release of PTB-XL."
)
@click.option(
    "--task",
    type=click.Choice(TASKS),
    default="superdiagnostic",
    show_default=True,
    help="Which labels are told.",
)
@click.option(
    "--download",
    is_flag=True,
    help="Download the release into --data-dir if it is not there.",
)
@prediction_options("RECORD", "Path of a WFDB record of 100 Hz")
def main(options, task, download, model, predict):
    """Train a classifier of electrocardiograms, or predict with one."""
    if predict:
        show_predictions(model, predict)
    elif options.data_dir is None:
        raise click.UsageError("--data-dir is needed to train.")
    else:
        train(options, task, download)


def train(options, task, download):
    import keras
    from experiment import MultiLabel
    from experiment import train_and_test
    from training import Run

    from keras_multires.datasets import ptbxl

    run = Run(f"ptbxl_{task}", options)
    with usage_errors("--data-dir"):
        # In millivolts: the model, which takes raw records, standardises.
        parts = ptbxl.load_data(
            options.data_dir, task, standardize=False, download=download
        )
        labels = ptbxl.label_names(task, options.data_dir)
    run.put_beside_model(LABELS, labels)
    (signals, _), _, (test_signals, _) = parts
    normalization = keras.layers.Normalization(
        axis=None, mean=signals.mean(), variance=signals.var()
    )
    with run.scope():
        model = build_model(task, normalization, options.preset.model)
    model, log, results, figure = train_and_test(
        run,
        MultiLabel(labels),
        model,
        build_baseline(normalization, len(labels)),
        parts,
    )
    source = f"PTB-XL, {sum(len(inputs) for inputs, _ in parts):,} records"
    run.finish(
        model,
        log,
        source,
        results,
        {
            "overview.png": figure,
            "scalogram.png": draw_scalogram(model, test_signals[0]),
        },
    )


def build_model(task, normalization, settings):
    """A model from millivolts `(batch, 1000, 12)` to logits of the labels.

    Args:
        task: One of `TASKS`.
        normalization: Layer that standardises.
        settings: Dict of arguments of `MultiresClassifier` that replace those
            of the paper.
    """
    import keras

    from keras_multires.models import MultiresClassifier

    signals = keras.Input((1000, 12), name="millivolts")
    classifier = MultiresClassifier.from_preset_config(
        f"ptbxl_{task}", **settings, name="classifier"
    )
    return keras.Model(signals, classifier(normalization(signals)))


def build_baseline(normalization, num_labels):
    """A model that is linear in the samples of the record."""
    import keras

    signals = keras.Input((1000, 12), name="millivolts")
    samples = keras.layers.Flatten()(normalization(signals))
    logits = keras.layers.Dense(num_labels, dtype="float32")(samples)
    return keras.Model(signals, logits, name="linear_in_the_samples")


def draw_scalogram(model, signal):
    """The memory of the first layer, under lead II of a record.

    Args:
        model: A trained model of `build_model`.
        signal: Array `(1000, 12)`, millivolts.
    """
    import numpy as np
    from keras import ops
    from matplotlib.figure import Figure

    from keras_multires import visualization
    from keras_multires.datasets import ptbxl

    backbone = model.get_layer("classifier").backbone
    (normalization,) = (
        layer for layer in model.layers if layer.name.startswith("normal")
    )
    encoded = backbone.encoder(normalization(signal[np.newaxis]))
    lead = ptbxl.LEADS.index("II")
    # The channel that listens most to the lead that is drawn above it.
    kernel = ops.convert_to_numpy(backbone.encoder.kernel)
    channel = int(np.abs(kernel[lead]).argmax())
    figure = Figure(figsize=(12, 7), layout="constrained")
    return visualization.plot_scalogram(
        backbone.blocks[0].multires_layer,
        ops.convert_to_numpy(encoded)[0],
        channel=channel,
        trace=signal[:, lead],
        trace_label="lead II (mV)",
        sampling_rate=100,
        axes=figure.subplots(2, sharex=True, height_ratios=(1, 2)),
    )


def show_predictions(path, records):
    import keras
    import numpy as np
    from prediction import predict

    from keras_multires.datasets import ptbxl

    labels = read_labels(path.with_name(LABELS))
    with usage_errors("--predict"):
        inputs = np.stack(
            [ptbxl.read_record(record, sampling_rate=100) for record in records]
        )
    probabilities = predict(path, inputs, len(labels), keras.ops.sigmoid)
    for record, row in zip(records, probabilities, strict=True):
        likely = [
            f"{labels[index]} {row[index]:.0%}"
            for index in row.argsort()[::-1][:5]
        ]
        click.echo(f"{record}: {', '.join(likely)}")


def read_labels(path):
    try:
        labels = json.loads(path.read_text())
    except (OSError, ValueError):
        labels = None
    if not isinstance(labels, list):
        raise click.UsageError(
            "--model: the names of its labels are missing or damaged: "
            f"{str(path)!r}. The training wrote this file beside the model."
        )
    return labels


if __name__ == "__main__":
    main()
