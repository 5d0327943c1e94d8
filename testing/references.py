"""Slow implementations of the definitions, to compare the library with."""

import numpy as np
from keras import ops

from keras_multires.distributions import DiscretizedLogisticMixture
from keras_multires.distributions import draw_noise


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


def slow_images(model, num_samples, temperature=1.0, *, seed):
    """Images of a density model, which sees each as a whole at each pixel."""
    length, channels = model.built_shape[1:]
    numbers = model.num_mixtures + channels
    noise = draw_noise((length, num_samples, 1, numbers), seed)
    images = np.zeros((num_samples, length, channels), "float32")
    for index in range(length):
        outputs = model(images)[:, index : index + 1]
        mixture = DiscretizedLogisticMixture(outputs, channels)
        drawn = mixture.sample_by_noise(noise[index], temperature)
        images[:, index : index + 1] = ops.convert_to_numpy(drawn)
    return images
