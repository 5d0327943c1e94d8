"""Configurations of the published experiments.

Source: Shi, Wang and Fox, "Sequence Modeling with Multiresolution Convolutional
Memory", ICML 2023, https://arxiv.org/abs/2305.01638, and the code published
with it.
"""


def _ptbxl(num_classes):
    return {
        "num_classes": num_classes,
        "length": 1000,
        "input_channels": 12,
        "hidden_dim": 128,
        "num_layers": 6,
        "kernel_size": 2,
        "normalization": "layer",
        "dropout": 0.2,
    }


CLASSIFIER_PRESETS = {
    "scifar": {
        "num_classes": 10,
        "length": 1024,
        "input_channels": 3,
        "hidden_dim": 256,
        "num_layers": 10,
        "kernel_size": 2,
        "normalization": "layer",
        "dropout": 0.25,
    },
    "listops": {
        "num_classes": 10,
        "length": 2048,
        "vocabulary_size": 18,
        "hidden_dim": 128,
        "num_layers": 10,
        "kernel_size": 4,
        "independent_skip": True,
        "normalization": "batch",
        "dropout": 0.1,
    },
    "ptbxl_all": _ptbxl(71),
    "ptbxl_diagnostic": _ptbxl(44),
    "ptbxl_subdiagnostic": _ptbxl(23),
    "ptbxl_superdiagnostic": _ptbxl(5),
    "ptbxl_form": _ptbxl(19),
    "ptbxl_rhythm": _ptbxl(12),
}
