"""Causal convolution by a real FFT of zero-padded signals, for PyTorch.

PyTorch's real FFT is fast, and nothing fuses its operations, so that a
"twisted" one (see `twisted_fft.py`) gains nothing. What takes the time on a CPU
is memory: one group of sequences after the other, small enough for the cache,
takes half the time of all at once, and next to no room.
"""

import torch

from keras_multires.ops.fft_lengths import fast_length

# Numbers of a padded group of sequences on a CPU: 2 MiB in float32.
GROUP_SIZE = 2**19


def convolve(inputs, kernel):
    """Causal convolution; see `causal_conv`."""
    outputs = torch.empty_like(inputs)
    padded, groups = _groups(inputs, outputs)
    by_kernel = _spectrum(kernel, padded)
    for group, target in groups:
        product = _padded_spectrum(group, padded) * by_kernel
        target.copy_(_signal(product, padded, target.shape[1]))
    return outputs


def gradients(cotangent, inputs, kernel):
    """Gradients of the convolution by its two inputs."""
    by_inputs = torch.empty_like(inputs)
    padded, groups = _groups(inputs, cotangent, by_inputs)
    # PyTorch only notes that a tensor is conjugate, and multiplies slowly then.
    conjugate = _spectrum(kernel, padded).conj().resolve_conj()
    by_kernel = conjugate.new_zeros((padded.shape[0], *conjugate.shape))
    for group, by_outputs, target in groups:
        spectrum = _padded_spectrum(by_outputs, padded)
        other = _padded_spectrum(group, padded).conj_physical()
        by_kernel[: group.shape[0]].addcmul_(spectrum, other)
        product = spectrum * conjugate
        target.copy_(_signal(product, padded, target.shape[1]))
    return by_inputs, _signal(by_kernel.sum(0), padded, kernel.shape[0])


def _groups(*tensors):
    """Room for a padded group, `(sequences, channels, 2 L)`, and the groups."""
    batch_size, length, channels = tensors[0].shape
    fft_length = 2 * fast_length(length)
    size = batch_size
    if tensors[0].device.type == "cpu":
        fitting = GROUP_SIZE // max(1, channels * fft_length)
        size = min(size, max(1, fitting))
    padded = tensors[0].new_zeros((size, channels, fft_length))
    return padded, zip(*(t.split(size) for t in tensors), strict=True)


def _padded_spectrum(group, padded):
    padded = padded[: group.shape[0]]
    padded[..., : group.shape[1]] = group.transpose(1, 2)
    return torch.fft.rfft(padded)


def _spectrum(kernel, padded):
    return torch.fft.rfft(kernel.transpose(0, 1), padded.shape[-1])


def _signal(spectrum, padded, steps):
    signal = torch.fft.irfft(spectrum, padded.shape[-1])
    return signal[..., :steps].transpose(-1, -2)
