import keras
import numpy as np
import pytest

if keras.backend.backend() != "torch":
    pytest.skip("Only PyTorch pads.", allow_module_level=True)

import torch

from keras_multires.backend import _padded_fft as padded_fft

correlate = padded_fft._Correlations.apply


@pytest.mark.parametrize("smallest", [1, 2, 5])
@pytest.mark.parametrize("size", [1, 40, 100, 200, 1000])
@pytest.mark.parametrize("taps", [1, 4, 7])
def test_the_size_of_the_groups_changes_no_result(
    monkeypatch, smallest, size, taps
):
    random = torch.Generator().manual_seed(0)
    inputs, cotangent = torch.randn(2, 5, 7, 3, generator=random)
    kernel = torch.randn(taps, 3, generator=random)
    expected = padded_fft.convolve(inputs, kernel)
    expected_gradients = correlate(cotangent, inputs, kernel)
    monkeypatch.setattr(padded_fft, "GROUP_NUMBERS", size)
    monkeypatch.setattr(padded_fft, "MIN_GROUP_CHANNELS", smallest)

    outputs = padded_fft.convolve(inputs, kernel)
    gradients = correlate(cotangent, inputs, kernel)

    np.testing.assert_allclose(outputs, expected, atol=1e-5)
    for gradient, other in zip(gradients, expected_gradients, strict=True):
        np.testing.assert_allclose(gradient, other, atol=1e-5)


def test_groups_have_the_expected_sizes_on_a_cpu():
    for shape, expected in (
        ((8, 1024, 256), (8, 16, 2048)),
        ((64, 1024, 256), (8, 16, 2048)),
        ((2, 64, 48), (2, 48, 128)),
        ((1, 2**18, 64), (1, 8, 2**19)),
        ((1, 2**23, 4), (1, 1, 2**24)),
    ):
        room = padded_fft._zeros_for_group(torch.zeros(()).expand(shape))
        assert tuple(room.shape) == expected


@pytest.mark.parametrize("shape", [(0, 5, 3), (2, 5, 0)])
def test_empty_inputs_give_empty_outputs_and_zero_gradients(shape):
    inputs, kernel = torch.zeros(shape), torch.ones(shape[1:])
    assert padded_fft.convolve(inputs, kernel).shape == shape
    by_inputs, by_kernel = correlate(inputs, inputs, kernel)
    assert by_inputs.shape == shape
    assert by_kernel.shape == shape[1:]
    assert not by_kernel.any()
