"""Padding is taken out before anything multiplies it."""

from keras import ops


def without_padding(inputs, mask):
    """Inputs with zeros at the time steps that are padding.

    Padding may hold anything. Zero times NaN is NaN, so a product of padding
    would spread to the gradients of weights, even where its result is not used.

    Args:
        inputs: Tensor `(batch, length, ..)`.
        mask: None, or boolean tensor `(batch, length)`, False at padding.
    """
    if mask is None:
        return inputs
    while len(mask.shape) < len(inputs.shape):
        mask = ops.expand_dims(mask, -1)
    return ops.where(mask, inputs, ops.zeros_like(inputs))
