import keras
import numpy as np
import pytest
from keras import ops

from keras_multires.layers import MultiresLayer
from keras_multires.layers import kernel_bank
from keras_multires.layers.kernel_bank import KernelBank
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
def test_each_layer_finds_the_kernel_that_its_tree_computes(options):
    several = layers(3, **options)
    impulse = np.zeros((1, 40, 3), "float32")
    impulse[:, 0] = 1
    bank = KernelBank(several)
    for layer in several:
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

        kernel = ops.convert_to_numpy(bank.kernel(layer, 40))

        assert kernel.dtype == np.float32
        np.testing.assert_allclose(kernel, expected[: len(kernel)], atol=1e-6)
        assert not np.any(expected[len(kernel) :])


@pytest.mark.parametrize(("together", "number"), [(9, 1), (3, 2), (1, 4)])
def test_a_model_synthesises_as_many_kernels_at_once_as_are_small(
    monkeypatch, together, number
):
    monkeypatch.setattr(kernel_bank, "LARGEST_SIZE", together * 30 * 5)
    calls = []
    synthesis = kernel_bank.synthesis

    def counted(*arguments):
        calls.append(arguments)
        return synthesis(*arguments)

    monkeypatch.setattr(kernel_bank, "synthesis", counted)
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


def test_a_model_of_trees_synthesises_nothing(monkeypatch):
    monkeypatch.setattr(kernel_bank, "synthesis", None)
    net = MultiresNet(5, 2, algorithm="tree")
    assert net(np.ones((2, 30, 2))).shape == (2, 30, 5)
