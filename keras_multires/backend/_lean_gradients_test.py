import keras
import numpy as np
from scipy import stats

from keras_multires.backend import gelu
from keras_multires.backend import layer_norm


class OwnNorm(keras.layers.LayerNormalization):
    def call(self, inputs):
        # Tensors: the function takes no variables.
        weights = 1.0 * self.gamma, 1.0 * self.beta
        return layer_norm(inputs, *weights, self.epsilon)


class Gelu(keras.layers.Layer):
    """Gives the function a weight, for the fixture of gradients."""

    def build(self, input_shape):
        self.scale = self.add_weight(name="scale", initializer="ones")

    def call(self, inputs):
        return gelu(self.scale * inputs)


def test_gelu_and_its_gradient_are_those_of_the_normal_distribution(
    gradients, mode
):
    inputs = np.linspace(-6, 6, 25).reshape(1, 25, 1)
    layer = Gelu()
    layer.build(inputs.shape)

    outputs, by_inputs, _ = gradients(layer, inputs, np.ones_like(inputs), mode)

    expected = stats.norm.cdf(inputs) + inputs * stats.norm.pdf(inputs)
    np.testing.assert_allclose(
        outputs, inputs * stats.norm.cdf(inputs), atol=1e-6
    )
    np.testing.assert_allclose(by_inputs, expected, atol=1e-6)


def test_layer_norm_and_its_gradients_are_those_of_keras(gradients, mode):
    rng = np.random.default_rng(0)
    inputs, cotangent = rng.normal(2, 3, size=(2, 2, 5, 7))
    weights = rng.normal(size=(2, 7))
    results = []
    for norm in (OwnNorm, keras.layers.LayerNormalization):
        layer = norm(epsilon=0.1)
        layer.build(inputs.shape)
        layer.set_weights(list(weights))
        results.append(gradients(layer, inputs, cotangent, mode))

    (outputs, by_inputs, by_weights), expected = results
    np.testing.assert_allclose(outputs, expected[0], atol=1e-5)
    np.testing.assert_allclose(by_inputs, expected[1], atol=1e-5)
    assert by_weights.keys() == expected[2].keys() == {"gamma", "beta"}
    for name, value in by_weights.items():
        np.testing.assert_allclose(value, expected[2][name], atol=1e-4)
