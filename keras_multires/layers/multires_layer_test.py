from pathlib import Path

import keras
import numpy as np
import pytest
from keras import ops

from keras_multires.layers.multires_layer import MultiresLayer

GOLDEN_LAYERS = sorted(
    path.stem
    for path in Path(__file__).parents[2].glob("golden/layer_*.npz")
)
WEIGHTS = ("scaling_filter", "wavelet_filter", "memory_weights", "skip_weights")


def golden_layer(config, arrays, **options):
    layer = MultiresLayer(**config, **options)
    layer.build(arrays["inputs"].shape)
    for name in WEIGHTS:
        getattr(layer, name).assign(arrays[name])
    return layer


def relative_error(actual, expected):
    return np.abs(actual - expected).max() / np.abs(expected).max()


@pytest.mark.parametrize("algorithm", ["tree", "fft"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", GOLDEN_LAYERS)
def test_outputs_and_gradients_are_those_of_the_published_layer(
    golden, gradients, double_precision, name, dtype, algorithm, mode
):
    config, arrays = golden(name)
    output_tolerance, gradient_tolerance = {
        "float32": (1e-5, 1e-4),
        "float64": (1e-10, 1e-10),
    }[dtype]
    options = {"algorithm": algorithm, "dtype": dtype}
    with double_precision():
        layer = golden_layer(config, arrays, **options)
        outputs, by_inputs, by_weights = gradients(
            layer, arrays["inputs"], arrays["cotangent"], mode
        )
        linear = golden_layer(config, arrays, **options, activation=None)
        preactivation = ops.convert_to_numpy(linear(arrays["inputs"]))

    assert outputs.dtype == dtype
    assert relative_error(outputs, arrays["outputs"]) < output_tolerance
    error = relative_error(preactivation, arrays["preactivation"])
    assert error < output_tolerance
    error = relative_error(by_inputs, arrays["grad_inputs"])
    assert error < gradient_tolerance
    for weight in WEIGHTS:
        error = relative_error(by_weights[weight], arrays[f"grad_{weight}"])
        assert error < gradient_tolerance, weight
