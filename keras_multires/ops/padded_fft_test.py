import keras
import numpy as np
import pytest

if keras.backend.backend() != "torch":
    pytest.skip("Others twist.", allow_module_level=True)

import torch

from keras_multires.ops import padded_fft


@pytest.mark.parametrize("size", [1, 3, 5, 100])
def test_groups_of_any_size_give_the_same(monkeypatch, size):
    random = torch.Generator().manual_seed(0)
    inputs, cotangent = torch.randn(2, 5, 7, 3, generator=random)
    kernel = torch.randn(6, 3, generator=random)
    expected = padded_fft.convolve(inputs, kernel)
    expected_gradients = padded_fft.gradients(cotangent, inputs, kernel)
    monkeypatch.setattr(padded_fft, "GROUP_SIZE", size * 3 * 2 * 8)

    outputs = padded_fft.convolve(inputs, kernel)
    gradients = padded_fft.gradients(cotangent, inputs, kernel)

    np.testing.assert_array_equal(outputs, expected)
    for gradient, other in zip(gradients, expected_gradients, strict=True):
        np.testing.assert_allclose(gradient, other, atol=1e-5)
