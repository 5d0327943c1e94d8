"""Pictures of a training and of what the model learned."""

import itertools

from matplotlib.figure import Figure  # without pyplot, which opens windows

from keras_multires import visualization


def draw_training(model, log, metric):
    """Draws how a classifier was trained and what it learned.

    Args:
        model: A trained `MultiresClassifier`.
        log: Dict from names to one value per epoch.
        metric: String, the metric of the log to draw beside the loss.

    Returns:
        `(figure, axes)`: the picture, and the axes left empty in it for the
        results of the test.
    """
    figure = Figure(figsize=(15, 9), layout="constrained")
    (loss, score, test), layers = figure.subplots(2, 3)
    visualization.plot_learning_curves(log, "loss", ax=loss)
    loss.set_title("Loss")
    visualization.plot_learning_curves(log, metric, ax=score)
    score.set_title(f"Training and validation, {metric}")
    _draw_layers(model.backbone, layers)
    return figure, test


def draw_overview(model, log, score, unit, baselines):
    """Draws how a model that generates was trained and what it learned.

    Args:
        model: A trained model with a backbone.
        log: Dict from names to one value per epoch, with the loss in `unit`.
        score: Float, of the test set.
        unit: String, unit of the score and the loss.
        baselines: Dict from names to scores in this unit.

    Returns:
        The figure.
    """
    figure = Figure(figsize=(11, 9), layout="constrained")
    curves, *layers = figure.subplots(2, 2).flat
    visualization.plot_learning_curves(log, "loss", ax=curves)
    styles = itertools.cycle(("dashed", "dotted", "dashdot"))
    for style, (name, score) in zip(styles, baselines.items(), strict=False):
        curves.axhline(score, color="black", linestyle=style, label=name)
    curves.set_title(f"Test set, {score:.3f} {unit}")
    curves.set_ylabel(unit)
    curves.legend()
    _draw_layers(model.backbone, layers)
    return figure


def _draw_layers(backbone, axes):
    """Draws the kernels, filters and receptive fields on three axes."""
    kernels, responses, fields = axes
    length = backbone.length
    layers = [block.multires_layer for block in backbone.blocks]
    visualization.plot_kernels(layers[0], min(length, 64), ax=kernels)
    kernels.set_title("Kernels of the first layer")
    visualization.plot_frequency_responses(layers[0], ax=responses)
    responses.set_title("Filters of the first layer")
    visualization.plot_effective_receptive_fields(layers, length, ax=fields)
    fields.set_title("How far the layers look back")
