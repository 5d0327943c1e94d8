"""Second derivatives, as gradient penalties and force fields need them."""

import functools

import keras
import numpy as np
import pytest
from keras import ops

from keras_multires import backend
from keras_multires import layers
from keras_multires.models import MultiresClassifier
from keras_multires.models import MultiresDensityModel
from keras_multires.models import MultiresNet
from testing.backends import MODES
from testing.backends import double_precision
from testing.second_derivatives import FUNCTIONAL
from testing.second_derivatives import gradient_of
from testing.second_derivatives import product_with_hessian

SHAPE = (2, 16, 6)
# PyTorch's compiler does not differentiate a gradient again.
SECOND_ORDER_MODES = [mode for mode in MODES if mode != "compile"]


def layer_norm(inputs):
    scale = ops.linspace(0.5, 1.5, SHAPE[-1], dtype=inputs.dtype)
    return backend.layer_norm(inputs, scale, scale - 1, 1e-5)


def multires_layer(algorithm):
    return layers.MultiresLayer(depth=3, algorithm=algorithm, dtype="float64")


def multires_block(algorithm):
    return layers.MultiresBlock(
        kernel_size=2, depth=3, algorithm=algorithm, dtype="float64"
    )


def multires_net(algorithm, input_channels=SHAPE[2]):
    return MultiresNet(
        hidden_dim=6,
        num_layers=2,
        length=SHAPE[1],
        input_channels=input_channels,
        algorithm=algorithm,
        dtype="float64",
    )


def density_model():
    model = MultiresDensityModel(multires_net("fft", input_channels=3), 2)
    # Three colours in [-1, 1].
    return lambda inputs: model(ops.tanh(inputs[..., :3]))


FUNCTIONS = {
    "gelu": lambda: backend.gelu,
    "layer norm": lambda: layer_norm,
    "layer by FFT": lambda: multires_layer("fft"),
    "layer by tree": lambda: multires_layer("tree"),
    "block by FFT": lambda: multires_block("fft"),
    "block by tree": lambda: multires_block("tree"),
    "net by FFT": lambda: multires_net("fft"),
    "net by tree": lambda: multires_net("tree"),
    "classifier": lambda: MultiresClassifier(multires_net("fft"), 3),
    "density model": density_model,
}


def check(name, product):
    """Compares a product with the Hessian with differences of the gradient."""
    keras.utils.set_random_seed(0)
    draw = np.random.default_rng(0).normal
    with double_precision():
        function = FUNCTIONS[name]()
        if isinstance(function, keras.layers.Layer):
            function.build(SHAPE)
        point, direction = (
            ops.convert_to_tensor(draw(size=SHAPE), dtype="float64")
            for _ in range(2)
        )

        def energy(point):
            return ops.sum(function(point) ** 3)

        found = product(energy, direction)(point)

        slope, step = gradient_of(energy), 1e-3
        above, below = (
            ops.convert_to_numpy(
                ops.stop_gradient(slope(point + sign * step * direction))
            )
            for sign in (1, -1)
        )
        expected = (above - below) / (2 * step)
        found = ops.convert_to_numpy(ops.stop_gradient(found))
        scale = np.abs(expected).max()
        np.testing.assert_allclose(found / scale, expected / scale, atol=1e-4)


@pytest.mark.parametrize("mode", SECOND_ORDER_MODES)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_second_derivatives_are_differences_of_the_first(name, mode):
    check(name, functools.partial(product_with_hessian, mode=mode))


@pytest.mark.parametrize("transform", FUNCTIONAL)
@pytest.mark.parametrize("name", ["layer by FFT", "block by tree"])
def test_functional_transforms_give_the_same(name, transform):
    check(name, FUNCTIONAL[transform])
