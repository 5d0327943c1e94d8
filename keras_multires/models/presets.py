"""Configurations of the published experiments.

A task's preset holds the arguments of the task, with those of its backbone
under `"backbone"`.

Source: Shi, Wang and Fox, "Sequence Modeling with Multiresolution Convolutional
Memory", ICML 2023, https://arxiv.org/abs/2305.01638, and the code published
with it.
"""

__all__ = ["BACKBONE_PRESETS", "CLASSIFIER_PRESETS", "DENSITY_PRESETS"]

_SCIFAR = {
    "hidden_dim": 256,
    "num_layers": 10,
    "length": 1024,
    "input_channels": 3,
    "kernel_size": 2,
    "normalization": "layer",
    "dropout": 0.25,
}
_LISTOPS = {
    "hidden_dim": 128,
    "num_layers": 10,
    "length": 2048,
    "vocabulary_size": 18,
    "kernel_size": 4,
    "independent_skip": True,
    "normalization": "batch",
    "dropout": 0.1,
}
_PTBXL = {
    "hidden_dim": 128,
    "num_layers": 6,
    "length": 1000,
    "input_channels": 12,
    "kernel_size": 2,
    "normalization": "layer",
    "dropout": 0.2,
}
_CIFAR10_DENSITY = {
    "hidden_dim": 512,
    "num_layers": 48,
    "length": 1024,
    "input_channels": 3,
    "kernel_size": 4,
    "independent_skip": True,
    "normalization": "layer",
    "dropout": 0.1,
    "output_projection": True,
}

CLASSIFIER_PRESETS = {
    "scifar": {"backbone": _SCIFAR, "num_classes": 10},
    "listops": {"backbone": _LISTOPS, "num_classes": 10},
    "ptbxl_all": {"backbone": _PTBXL, "num_classes": 71},
    "ptbxl_diagnostic": {"backbone": _PTBXL, "num_classes": 44},
    "ptbxl_subdiagnostic": {"backbone": _PTBXL, "num_classes": 23},
    "ptbxl_superdiagnostic": {"backbone": _PTBXL, "num_classes": 5},
    "ptbxl_form": {"backbone": _PTBXL, "num_classes": 19},
    "ptbxl_rhythm": {"backbone": _PTBXL, "num_classes": 12},
}
DENSITY_PRESETS = {
    "cifar10_density": {"backbone": _CIFAR10_DENSITY, "num_mixtures": 10},
}
BACKBONE_PRESETS = {
    name: preset["backbone"]
    for name, preset in {**CLASSIFIER_PRESETS, **DENSITY_PRESETS}.items()
}
