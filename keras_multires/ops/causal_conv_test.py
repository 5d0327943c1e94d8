import gc

import keras
import numpy as np
import pytest
from keras import ops

from keras_multires.ops import causal_conv


class Convolve(keras.layers.Layer):
    """Gives the operation a weight, for the fixture of gradients."""

    def __init__(self, taps, **kwargs):
        super().__init__(**kwargs)
        self.taps = taps

    def build(self, input_shape):
        self.filter = self.add_weight(
            name="filter", shape=(self.taps, input_shape[-1])
        )

    def call(self, inputs):
        return causal_conv(inputs, 1.0 * self.filter)


@pytest.mark.parametrize(("length", "taps"), [(1, 1), (23, 23), (32, 5)])
def test_outputs_and_gradients_are_those_of_a_slow_sum(
    gradients, length, taps, mode
):
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(3, length, 2))
    cotangent = rng.normal(size=inputs.shape)
    kernel = rng.normal(size=(taps, 2))
    layer = Convolve(taps)
    layer.build(inputs.shape)
    layer.filter.assign(kernel)

    outputs, by_inputs, by_weights = gradients(layer, inputs, cotangent, mode)

    expected = np.zeros_like(inputs)
    expected_by_inputs = np.zeros_like(inputs)
    expected_by_kernel = np.zeros_like(kernel)
    for n in range(length):
        for k in range(min(taps, n + 1)):
            expected[:, n] += kernel[k] * inputs[:, n - k]
            expected_by_inputs[:, n - k] += kernel[k] * cotangent[:, n]
            product = inputs[:, n - k] * cotangent[:, n]
            expected_by_kernel[k] += product.sum(axis=0)
    np.testing.assert_allclose(outputs, expected, atol=1e-5)
    np.testing.assert_allclose(by_inputs, expected_by_inputs, atol=1e-5)
    np.testing.assert_allclose(
        by_weights["filter"], expected_by_kernel, atol=1e-4
    )


def stored_for_gradient(inputs, kernel):
    """Number of floats that the backend keeps from forward to backward."""
    backend = keras.backend.backend()
    if backend == "jax":
        import jax

        _, pull_back = jax.vjp(causal_conv, inputs, kernel)
        return sum(leaf.size for leaf in jax.tree.leaves(pull_back))
    if backend == "torch":
        import torch

        storages = {}

        def note(tensor):
            storages[tensor.untyped_storage().data_ptr()] = tensor.numel()
            return tensor

        inputs.requires_grad_()
        with torch.autograd.graph.saved_tensors_hooks(note, lambda x: x):
            outputs = causal_conv(inputs, kernel)
        # What the function holds beside them would be seen here.
        function = outputs.grad_fn
        by_forward_mode = function.saved_for_forward or ()
        for held in (*vars(function).values(), *by_forward_mode):
            if torch.is_tensor(held):
                note(held)
        return sum(storages.values())
    import tensorflow as tf

    def alive():
        gc.collect()
        return {
            id(thing): thing
            for thing in gc.get_objects()
            if issubclass(type(thing), tf.Tensor) and thing.dtype.is_floating
        }

    before = alive()
    with tf.GradientTape() as tape:
        tape.watch([inputs, kernel])
        outputs = causal_conv(inputs, kernel)
    new = [thing for key, thing in alive().items() if key not in before]
    # The outputs have two names here for one buffer, and belong to the caller.
    sizes = [int(tf.size(t)) for t in new if t.shape != outputs.shape]
    return sum(sizes) + int(tf.size(inputs) + tf.size(kernel))


@pytest.mark.parametrize("taps", [0, 6, 11])
def test_kernels_without_taps_or_longer_than_the_inputs_are_refused(taps):
    with pytest.raises(ValueError, match="at most as many"):
        causal_conv(
            np.ones((2, 5, 3), "float32"), np.ones((taps, 3), "float32")
        )


def test_gradient_keeps_only_the_inputs_and_the_kernel():
    inputs = ops.ones((4, 100, 30))
    kernel = ops.ones((100, 30))

    kept = stored_for_gradient(inputs, kernel)

    # JAX counts constants too: each of five FFTs has a cosine and a sine.
    constants = 5 * 2 * 100
    assert 0 < kept <= 4 * 100 * 30 + 100 * 30 + constants
