"""The golden files: what the published code computed, in float64."""

import json

import numpy as np

from testing.paths import GOLDEN


def read_golden(name):
    """Reads a golden file: `(config, arrays)`."""
    with np.load(GOLDEN / f"{name}.npz") as file:
        arrays = dict(file)
    return json.loads(str(arrays.pop("config"))), arrays


def set_published_weights(model, name):
    """Sets the weights of a model to those of a golden file, each by hand.

    It is independent of `keras_multires.checkpoints`, which does so too.
    """
    with np.load(GOLDEN / f"{name}_weights.npz") as file:
        weights = dict(file)

    def dense(layer, key):
        layer.kernel.assign(np.squeeze(weights[f"{key}.weight"]).T)
        layer.bias.assign(weights[f"{key}.bias"])

    if model.backbone.vocabulary_size is None:
        dense(model.backbone.encoder, "encoder")
    else:
        model.backbone.encoder.embeddings.assign(weights["encoder.weight"])
    for index, block in enumerate(model.backbone.blocks):
        layer = block.multires_layer
        # Published filters are in the order of a correlation.
        for weight, key in (("scaling_filter", "h0"), ("wavelet_filter", "h1")):
            taps = weights[f"seq_layers.{index}.{key}"][:, 0, ::-1].T
            getattr(layer, weight).assign(taps)
        readout = weights[f"seq_layers.{index}.w"].T
        layer.memory_weights.assign(readout[:-1])
        layer.skip_weights.assign(readout[-1])
        dense(block.mixing, f"mixing_layers.{index}.0")
        if block.output_projection:
            dense(block.projection, f"mixing_layers.{index}.3")
        block.norm.gamma.assign(weights[f"norms.{index}.weight"])
        block.norm.beta.assign(weights[f"norms.{index}.bias"])
        if block.normalization == "batch":
            mean = weights[f"norms.{index}.running_mean"]
            variance = weights[f"norms.{index}.running_var"]
            block.norm.moving_mean.assign(mean)
            block.norm.moving_variance.assign(variance)
    heads = ("output_mapping.weight", "decoder.weight")
    (head,) = (key for key in heads if key in weights)
    dense(model.head, head.removesuffix(".weight"))
