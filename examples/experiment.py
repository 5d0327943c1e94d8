"""Tests a trained model beside a simple one, and draws what it learned."""

import itertools

import click
import keras
import numpy as np
from matplotlib.figure import Figure
from training import Measure

from keras_multires import metrics
from keras_multires import visualization


class SingleLabel:
    """One class a sequence, measured by the accuracy.

    Args:
        class_names: Strings, in the order of the logits.
    """

    measure = Measure("accuracy", "val_accuracy", "max", ".1%")

    def __init__(self, class_names):
        self.class_names = class_names
        self.loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)

    def check(self, targets):
        """Raises a ValueError if targets cannot be tested on."""
        if not len(targets):
            raise ValueError("is empty")

    def metric(self, targets):
        """Metric of Keras for a validation set of these targets."""
        return keras.metrics.SparseCategoricalAccuracy(name=self.measure.name)

    def score(self, targets, logits):
        """The score, and further results to be recorded."""
        return float((logits.argmax(axis=-1) == targets).mean()), {}

    def draw(self, targets, logits, axes):
        """Draws the results of a test."""
        visualization.plot_confusion_matrix(
            targets, logits.argmax(axis=-1), self.class_names, ax=axes
        )
        accuracy, _ = self.score(targets, logits)
        axes.set_title(f"Test set, accuracy {accuracy:.1%}")


class MultiLabel:
    """Any number of labels a sequence, measured by the macro AUROC.

    Labels that all or none of the tested sequences have are left out.

    Args:
        label_names: Strings, in the order of the logits.
    """

    measure = Measure("auroc", "val_auroc", "max", ".3f")

    def __init__(self, label_names):
        self.label_names = label_names
        self.loss = keras.losses.BinaryCrossentropy(from_logits=True)

    def check(self, targets):
        """Raises a ValueError if targets cannot be tested on."""
        if not self._is_present(targets).any():
            raise ValueError("has no label that some have and others have not")

    def _is_present(self, targets):
        return targets.any(axis=0) & ~targets.all(axis=0)

    def metric(self, targets):
        """Metric of Keras for a validation set of these targets.

        By thresholds, and so only an estimate of what `score` gives.
        """
        # Keras takes an area of zero for a label that is absent.
        is_present = self._is_present(targets)
        return metrics.LogitAUC(
            multi_label=True,
            num_labels=len(self.label_names),
            label_weights=is_present.astype("float32").tolist(),
            name=self.measure.name,
        )

    def score(self, targets, logits):
        """The score, and further results to be recorded."""
        macro, per_label = metrics.macro_auroc(targets, logits)
        pairs = list(zip(self.label_names, per_label, strict=True))
        return macro, {
            "auroc_per_label": {
                name: round(float(area), 4)
                for name, area in pairs
                if not np.isnan(area)
            },
            "labels_left_out": [name for name, area in pairs if np.isnan(area)],
        }

    def draw(self, targets, logits, axes):
        """Draws the results of a test."""
        visualization.plot_roc_curves(
            targets, logits, self.label_names, ax=axes
        )


def train_and_test(run, task, model, baseline, parts):
    """Trains a model and a baseline, and tests both.

    Args:
        run: The `Run` of the training.
        task: A `SingleLabel` or `MultiLabel`.
        model: A built `keras.Model` with a `MultiresClassifier` named
            `"classifier"`, made in the `scope` of the run.
        baseline: A built `keras.Model` whose name says what it is.
        parts: Training, validation and test set, `(inputs, targets)` each.

    Returns:
        `(model, log, results, figure)`: the model of the best epoch, a dict
        from names to one value an epoch, a dict of what was measured, and a
        picture of it.

    Raises:
        click.UsageError: if the validation or test set cannot be tested on.
    """
    training, validation, (inputs, targets) = parts
    for name, (_, part) in (("validation", validation), ("test", parts[2])):
        try:
            task.check(part)
        except ValueError as error:
            raise click.UsageError(f"The {name} set {error}.") from error
    with run.scope():
        metric = task.metric(validation[1])
    model, log = run.fit(
        model,
        training,
        validation,
        loss=task.loss,
        measure=task.measure,
        metrics=[metric],
    )
    _fit_baseline(baseline, training, validation, task.loss)
    batch_size = run.options.preset.batch_size
    logits = _predict(model, inputs, batch_size)
    score, details = task.score(targets, logits)
    baseline_score, _ = task.score(
        targets, _predict(baseline, inputs, batch_size)
    )
    results = report(
        task.measure, score, baseline.name, baseline_score, log, parts
    )
    left_out = details.get("labels_left_out")
    if left_out:
        click.echo(
            "Left out, since all or none of the tested sequences have them: "
            + ", ".join(left_out)
        )
    figure = _draw(log, task, model, targets, logits)
    return model, log, {**results, **details}, figure


def report(measure, score, baseline_name, baseline_score, log, parts):
    """Shows what a test gave.

    Args:
        measure: The `Measure` of the scores.
        score: Float, of the model.
        baseline_name: String that says what the baseline is.
        baseline_score: Float.
        log: Dict from names to one value an epoch.
        parts: Training, validation and test set, `(inputs, targets)` each.

    Returns:
        A dict of it, to be recorded.
    """
    num_train, num_validation, num_test = (len(inputs) for inputs, _ in parts)
    click.echo(
        f"Test {measure.name} of {num_test:,} sequences: "
        f"{score:{measure.score_format}} "
        f"({baseline_name}: {baseline_score:{measure.score_format}})"
    )
    return {
        f"test_{measure.name}": round(score, 4),
        "baseline": baseline_name,
        f"baseline_test_{measure.name}": round(baseline_score, 4),
        "best_epoch": measure.best_epoch(log),
        "num_train": num_train,
        "num_validation": num_validation,
        "num_test": num_test,
    }


def _fit_baseline(model, training, validation, loss):
    """Trains a linear model, and keeps its best epoch.

    In its own way whatever the options, so that results compare, and long
    enough on few data, too.
    """
    batch_size = 256
    steps_per_epoch = -(-len(training[0]) // batch_size)
    epochs = max(30, 2000 // steps_per_epoch)
    steps = epochs * steps_per_epoch
    schedule = keras.optimizers.schedules.CosineDecay(1e-3, steps)
    model.compile(keras.optimizers.Adam(schedule), loss)
    model.fit(
        *training,
        batch_size=batch_size,
        epochs=epochs,
        validation_data=validation,
        verbose=0,
        callbacks=[
            keras.callbacks.EarlyStopping(
                patience=50, restore_best_weights=True
            )
        ],
    )


def _predict(model, inputs, batch_size):
    # What is half precision in Keras is no number in scikit-learn.
    return model.predict(inputs, batch_size, verbose=0).astype("float32")


def _draw(log, task, model, targets, logits):
    # Without pyplot, so that no window can open.
    figure = Figure(figsize=(15, 9), layout="constrained")
    axes = figure.subplots(2, 3)
    (loss, metric, test), lower = axes
    visualization.plot_learning_curves(log, "loss", ax=loss)
    loss.set_title("Loss")
    name = task.measure.name
    visualization.plot_learning_curves(log, name, ax=metric)
    metric.set_title(f"Training and validation, {name}")
    task.draw(targets, logits, test)
    classifier = model.get_layer("classifier")
    draw_layers(classifier.backbone, classifier.length, lower)
    return figure


def draw_layers(backbone, length, axes):
    """Draws what a model learned, whatever for.

    Args:
        backbone: A built `MultiresNet`.
        length: Integer, time steps of a sequence.
        axes: Three axes to draw on.
    """
    kernels, responses, fields = axes
    layers = [block.multires_layer for block in backbone.blocks]
    visualization.plot_kernels(layers[0], min(length, 64), ax=kernels)
    kernels.set_title("Kernels of the first layer")
    visualization.plot_frequency_responses(layers[0], ax=responses)
    responses.set_title("Filters of the first layer")
    visualization.plot_effective_receptive_fields(layers, length, ax=fields)
    fields.set_title("How far the layers look back")


def draw_overview(model, log, title, unit, baselines):
    """Draws how a model that generates was trained, and what it learned.

    Args:
        model: A trained model with a backbone and a length.
        log: Dict from names to one value an epoch, with the loss in `unit`.
        title: String, of the learning curves.
        unit: String, what low values are good of.
        baselines: Dict from names to scores in this unit.
    """
    figure = Figure(figsize=(11, 9), layout="constrained")
    curves, *layers = figure.subplots(2, 2).flat
    visualization.plot_learning_curves(log, "loss", ax=curves)
    styles = itertools.cycle(("dashed", "dotted", "dashdot"))
    for style, (name, score) in zip(styles, baselines.items(), strict=False):
        curves.axhline(score, color="black", linestyle=style, label=name)
    curves.set_title(title)
    curves.set_ylabel(unit)
    curves.legend()
    draw_layers(model.backbone, model.length, layers)
    return figure
