"""First and second derivatives of a scalar function, on the running backend."""

import functools

from keras import ops

from testing.backends import BACKEND
from testing.backends import run_function


def gradient_of(function):
    """The gradient of a scalar function of one tensor, differentiable again."""
    if BACKEND == "jax":
        import jax

        return jax.grad(function)
    if BACKEND == "tensorflow":
        return functools.partial(_tensorflow_gradient, function)
    return functools.partial(_torch_gradient, function)


def product_with_hessian(function, direction, mode="eager"):
    """Function of a tensor: the Hessian of `function` times a direction."""
    gradient = gradient_of(function)
    slope = gradient_of(lambda point: ops.sum(gradient(point) * direction))
    return run_function(slope, mode)


def jvp_of_gradient(function, direction):
    """The same product, in forward mode over the gradient."""
    transforms = _functional_transforms()
    slope = transforms.grad(function)
    return lambda point: transforms.jvp(slope, (point,), (direction,))[1]


def hessian(function, direction):
    """The same product, by the whole Hessian."""
    matrix = _functional_transforms().hessian(function)
    return lambda point: ops.tensordot(
        matrix(point), direction, axes=len(direction.shape)
    )


def jvp_of_gradients_of_sequences(function, direction):
    """The same product, if each sequence has a gradient of its own."""
    transforms = _functional_transforms()
    slopes = transforms.vmap(
        transforms.grad(lambda sequence: function(sequence[None]))
    )
    return lambda point: transforms.jvp(slopes, (point,), (direction,))[1]


FUNCTIONAL = {
    "jvp of grad": jvp_of_gradient,
    "hessian": hessian,
    "jvp of vmap of grad": jvp_of_gradients_of_sequences,
}
if BACKEND == "tensorflow":  # which has no such functions
    FUNCTIONAL = {}


def _functional_transforms():
    if BACKEND == "jax":
        import jax

        return jax
    import torch

    return torch.func


def _tensorflow_gradient(function, point):
    import tensorflow as tf

    with tf.GradientTape() as tape:
        tape.watch(point)
        value = function(point)
    return tape.gradient(value, point)


def _torch_gradient(function, point):
    import torch

    if not point.requires_grad:
        point = point.detach().requires_grad_()
    (slope,) = torch.autograd.grad(function(point), point, create_graph=True)
    return slope
