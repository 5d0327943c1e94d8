"""Slow implementations of the definitions, to compare the library with."""

import numpy as np


def slow_tree(inputs, scaling_filter, wavelet_filter, depth):
    """The analysis by its definition, step by step and tap by tap.

    Args:
        inputs: Array `(batch, length, channels)`.
        scaling_filter: Array `(kernel_size, channels)`.
        wavelet_filter: As `scaling_filter`.
        depth: Integer, number of levels.

    Returns:
        The approximation of the last level, and a list of the details of each
        level, finest first. All have the shape and dtype of `inputs`.
    """
    approximation, details = inputs, []
    for level in range(1, depth + 1):
        dilation = 2 ** (level - 1)
        coarser = np.zeros_like(inputs)
        detail = np.zeros_like(inputs)
        for step in range(inputs.shape[1]):
            for tap, (low, high) in enumerate(
                zip(scaling_filter, wavelet_filter, strict=True)
            ):
                if step - dilation * tap >= 0:
                    past = approximation[:, step - dilation * tap]
                    coarser[:, step] += low * past
                    detail[:, step] += high * past
        approximation = coarser
        details.append(detail)
    return approximation, details


def slow_convolution(inputs, kernel):
    """`sum_k kernel[k] inputs[n - k]`, lag by lag.

    Args:
        inputs: Array `(batch, length, channels)`.
        kernel: Array `(taps, channels)`, of at most as many taps as steps.

    Returns:
        Array like `inputs`.
    """
    length = inputs.shape[1]
    outputs = np.zeros_like(inputs)
    for lag, tap in enumerate(kernel):
        outputs[:, lag:] += tap * inputs[:, : length - lag]
    return outputs
