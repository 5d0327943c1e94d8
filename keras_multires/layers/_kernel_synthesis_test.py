import keras
import numpy as np
import pytest
from keras import ops

from keras_multires import backend
from keras_multires.layers import MultiresLayer
from keras_multires.layers import _kernel_synthesis
from keras_multires.layers._kernel_synthesis import synthesize
from keras_multires.models import MultiresNet


def layers(number, **options):
    keras.utils.set_random_seed(0)
    made = [MultiresLayer(**options) for _ in range(number)]
    for layer in made:
        layer.build((None, 40, 3))
    return made


@pytest.mark.parametrize(
    "options",
    [
        {"algorithm": "fft"},
        {"kernel_size": 3, "depth": 3},  # shorter than the sequence
        {"memory": "uniform", "memory_size": 9, "kernel_size": 4},
        {"dtype": "mixed_bfloat16"},
    ],
)
def test_kernels_synthesized_together_are_the_impulse_responses_of_trees(
    options,
):
    several = layers(2, **options)
    impulse = np.zeros((1, 40, 3), "float32")
    impulse[:, 0] = 1
    for layer, kernel in zip(several, synthesize(several, 40), strict=True):
        tree = MultiresLayer.from_config(
            {
                **layer.get_config(),
                "algorithm": "tree",
                "activation": None,
                "dtype": "float32",
            }
        )
        tree.build(impulse.shape)
        tree.set_weights(layer.get_weights())
        expected = ops.convert_to_numpy(tree(impulse))[0]

        kernel = ops.convert_to_numpy(kernel)

        assert kernel.dtype == np.float32
        np.testing.assert_allclose(kernel, expected[: len(kernel)], atol=1e-6)
        assert not np.any(expected[len(kernel) :])


@pytest.mark.parametrize(("together", "number"), [(9, 1), (3, 2)])
def test_a_model_synthesizes_kernels_together_up_to_a_size_limit(
    monkeypatch, together, number
):
    monkeypatch.setattr(_kernel_synthesis, "MAX_NUMBERS", together * 30 * 5)
    calls = []
    synthesis = _kernel_synthesis.synthesis

    def counted(*arguments):
        calls.append(arguments)
        return synthesis(*arguments)

    monkeypatch.setattr(_kernel_synthesis, "synthesis", counted)
    net = MultiresNet(5, 4, algorithm="fft")
    inputs = np.random.default_rng(0).normal(size=(2, 30, 2)).astype("float32")
    net.build(inputs.shape)

    outputs = net(inputs)

    assert len(calls) == number
    expected = net.encoder(inputs)
    for block in net.blocks:
        expected = block(expected)
    outputs, expected = map(ops.convert_to_numpy, (outputs, expected))
    np.testing.assert_allclose(outputs, expected, atol=1e-6)
    assert len(calls) == number + 4


def test_a_model_of_trees_synthesizes_no_kernel(monkeypatch):
    monkeypatch.setattr(_kernel_synthesis, "synthesis", None)
    net = MultiresNet(5, 2, algorithm="tree")
    assert net(np.ones((2, 30, 2))).shape == (2, 30, 5)


def test_the_kernel_stays_in_float32_in_half_precision(monkeypatch):
    kernels = []
    convolve = backend.fft_convolve

    def noted(inputs, kernel):
        kernels.append(ops.convert_to_numpy(ops.stop_gradient(kernel)))
        return convolve(inputs, kernel)

    monkeypatch.setattr(backend, "fft_convolve", noted)
    net = MultiresNet(5, 2, algorithm="fft", dtype="mixed_bfloat16")
    net(np.ones((2, 30, 2), "float32"))
    for block, kernel in zip(net.blocks, kernels, strict=True):
        (expected,) = synthesize([block.multires_layer], 30)
        expected = ops.convert_to_numpy(ops.stop_gradient(expected))
        np.testing.assert_allclose(kernel, expected, rtol=1e-6, atol=1e-6)


def test_recomputed_activations_give_the_same_gradients(gradients):
    if keras.backend.backend() == "jax":
        return  # where Keras's scope takes no layer of two arguments
    inputs, cotangent = np.random.default_rng(0).normal(size=(2, 2, 30, 4))
    results = []
    for mode in (None, "full"):
        keras.utils.set_random_seed(0)
        with keras.RematScope(mode=mode):
            net = MultiresNet(4, 2, algorithm="fft")
        net.build(inputs.shape)
        results.append(gradients(net, inputs, cotangent))

    (outputs, by_inputs, by_weights), expected = results
    np.testing.assert_allclose(outputs, expected[0], atol=1e-5)
    np.testing.assert_allclose(by_inputs, expected[1], atol=1e-5)
    # Those of the last block, of many weights of a name.
    for name, value in by_weights.items():
        np.testing.assert_allclose(value, expected[2][name], atol=1e-4)


def test_a_net_shares_no_kernels_with_other_calls_of_its_layers():
    net = MultiresNet(4, 2, algorithm="fft")
    net.build((None, 30, 3))
    inputs = np.random.default_rng(0).normal(size=(2, 30, 4)).astype("float32")
    first, second = (block.multires_layer for block in net.blocks)
    expected = [
        ops.convert_to_numpy(layer(inputs)) for layer in (first, second)
    ]
    with _kernel_synthesis.synthesized_together([first, second], 30):
        # In another order than announced, and once too often.
        received = [second(inputs), first(inputs), second(inputs)]
    for outputs, same in zip(
        received, (expected[1], expected[0], expected[1]), strict=True
    ):
        np.testing.assert_allclose(
            ops.convert_to_numpy(outputs), same, atol=1e-6
        )
