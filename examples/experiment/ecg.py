"""What the lesson on electrocardiograms shows of its data and model."""

import json

import click
import numpy as np
from keras import ops
from matplotlib.figure import Figure

from experiment.command_line import data_dir_option
from experiment.command_line import usage_errors
from experiment.prediction import predict_classes
from keras_multires import metrics
from keras_multires import visualization
from keras_multires.datasets import ptbxl


def data_options(function):
    """Decorator, below `training_options`, with the options of the data set."""
    for option in (
        click.option(
            "--download",
            is_flag=True,
            help="Download the release into --data-dir if it is not there.",
        ),
        click.option(
            "--task",
            type=click.Choice(ptbxl.TASKS),
            default="superdiagnostic",
            show_default=True,
            help="Which labels the model learns.",
        ),
        data_dir_option("Folder of the release of PTB-XL."),
    ):
        function = option(function)
    return function


def check_labels(**parts):
    """Raises a click.UsageError if no label of a part can be tested.

    Args:
        **parts: Targets of parts of the data set, `(n, labels)` each.
    """
    for name, targets in parts.items():
        if not _is_mixed(targets).any():
            raise click.UsageError(
                f"The {name} set has no label that some records have and "
                "others lack."
            )


def label_weights(targets):
    """1.0 for each label that can be tested and 0.0 for the others, a list.

    Keras takes an area of zero for a label that no record has.

    Args:
        targets: Array `(n, labels)` of 0 and 1.
    """
    return _is_mixed(targets).astype("float32").tolist()


def _is_mixed(targets):
    # Only a label that some records have and others lack has an area under the
    # ROC curve.
    return targets.any(axis=0) & ~targets.all(axis=0)


def score(labels, targets, logits):
    """Areas under the ROC curves: their mean, and that of each label.

    Args:
        labels: List of strings, the names of the labels.
        targets: Array `(n, labels)` of 0 and 1.
        logits: Float array `(n, labels)`.

    Returns:
        `(mean, details)`: a float and a dict of results.
    """
    mean, areas = metrics.macro_auroc(targets, logits)
    pairs = list(zip(labels, areas, strict=True))
    return mean, {
        "auroc_per_label": {
            name: round(float(area), 4)
            for name, area in pairs
            if not np.isnan(area)
        },
        "labels_left_out": [name for name, area in pairs if np.isnan(area)],
    }


def draw_scalogram(model, signal):
    """The memory of the first layer, under lead II of a record.

    Args:
        model: A trained `MultiresClassifier` of millivolts.
        signal: Array `(1000, 12)`, millivolts.

    Returns:
        The figure.
    """
    backbone = model.backbone
    encoded = backbone.encoder(model.preprocessing(signal[np.newaxis]))
    lead = ptbxl.LEADS.index("II")
    # The channel with the largest weight for the lead that is drawn above it.
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


def predict(path, records):
    """Shows the likeliest labels of records.

    Args:
        path: `pathlib.Path` of a trained model.
        records: Strings, paths of WFDB records.
    """
    labels = _read_labels(path.with_name("labels.json"))
    with usage_errors("--predict"):
        inputs = np.stack(
            [ptbxl.read_record(record, 100) for record in records]
        )
    probabilities = predict_classes(path, inputs, len(labels), ops.sigmoid)
    for record, row in zip(records, probabilities, strict=True):
        likely = [
            f"{labels[index]} {row[index]:.0%}"
            for index in row.argsort()[::-1][:5]
        ]
        click.echo(f"{record}: {', '.join(likely)}")


def _read_labels(path):
    try:
        labels = json.loads(path.read_text())
    except (OSError, ValueError, RecursionError):
        labels = None
    if not isinstance(labels, list):
        raise click.UsageError(
            "--model: the names of its labels are missing or damaged: "
            f"{str(path)!r}. The training wrote this file beside the model."
        )
    return labels
