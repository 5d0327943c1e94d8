"""Causal convolution by a real FFT of zero-padded signals, for PyTorch.

PyTorch's real FFT is fast, and nothing fuses its operations, so that a
"twisted" one (see `twisted_fft.py`) gains nothing. What takes the time on a CPU
is memory. One group of channels after the other, so few that all that belongs
to them stays in the cache, takes half the time of all at once, and next to no
room.
"""

import torch

from keras_multires.ops.fft_lengths import fast_length

# Numbers of a padded group on a CPU: 1 MiB in float32.
GROUP_SIZE = 2**18
# Of fewer channels, 64 bytes in float32, each line of the cache would be
# fetched for several groups; but of more numbers than these, 16 MiB, PyTorch
# gets and gives back the memory at each operation, which takes longer.
SMALLEST_GROUP = 16
LARGEST_SIZE = 2**22


def convolve(inputs, kernel):
    """Causal convolution; see `causal_conv`."""
    outputs = torch.empty_like(inputs)
    if not inputs.numel():  # PyTorch knows no FFT of nothing
        return outputs
    padded = _room(inputs)
    for taps, *signals in _by_channels(padded, kernel, inputs, outputs):
        by_kernel = _spectrum(taps, padded, inputs.shape[1])
        for group, target in _by_sequences(padded, *signals):
            product = _padded_spectrum(group, padded).mul_(by_kernel)
            target.copy_(_signal(product, padded, target.shape[1]))
    return outputs


def gradients(cotangent, inputs, kernel):
    """Gradients of the convolution by its two inputs."""
    by_inputs, by_kernel = map(torch.zeros_like, (inputs, kernel))
    if not inputs.numel():
        return by_inputs, by_kernel
    padded = _room(inputs)
    for taps, by_taps, *signals in _by_channels(
        padded, kernel, by_kernel, cotangent, inputs, by_inputs
    ):
        # PyTorch's `conj` only notes that a tensor is conjugate, and products
        # are slow then.
        conjugate = _spectrum(taps, padded, inputs.shape[1])
        conjugate.conj_physical_()
        correlation = torch.zeros_like(conjugate)
        for by_outputs, group, target in _by_sequences(padded, *signals):
            spectrum = _padded_spectrum(by_outputs, padded)
            other = _padded_spectrum(group, padded).conj_physical_()
            correlation += other.mul_(spectrum).sum(0)
            product = spectrum.mul_(conjugate)
            target.copy_(_signal(product, padded, target.shape[1]))
        by_taps.copy_(_signal(correlation, padded, by_taps.shape[0]))
    return by_inputs, by_kernel


def _room(inputs):
    """Zeros for a padded group, `(sequences, channels, 2 L)`."""
    batch_size, length, channels = inputs.shape
    fft_length = 2 * fast_length(length)
    if inputs.device.type == "cpu":
        smallest = min(SMALLEST_GROUP, max(1, LARGEST_SIZE // fft_length))
        fitting = GROUP_SIZE // (batch_size * fft_length)
        fitting -= fitting % smallest
        channels = min(channels, max(smallest, fitting))
        fitting = GROUP_SIZE // (channels * fft_length)
        batch_size = min(batch_size, max(1, fitting))
    return inputs.new_zeros((batch_size, channels, fft_length))


def _by_channels(padded, *tensors):
    return zip(*(t.split(padded.shape[1], -1) for t in tensors), strict=True)


def _by_sequences(padded, *tensors):
    return zip(*(t.split(padded.shape[0]) for t in tensors), strict=True)


def _padded_spectrum(group, padded):
    """`(sequences, steps, channels)` to `(.., channels, frequencies)`."""
    sequences, steps, channels = group.shape
    padded = padded[:sequences, :channels]
    # A copy of its own is turned in half the time: its lines are neighbours.
    padded[..., :steps] = group.contiguous().transpose(1, 2)
    return torch.fft.rfft(padded)


def _spectrum(kernel, padded, steps):
    """`(taps, channels)` to `(channels, frequencies)`."""
    taps, channels = kernel.shape
    padded = padded[0, :channels]
    padded[:, :taps] = kernel.contiguous().transpose(0, 1)
    if taps < steps:  # where a sequence may have stood
        padded[:, taps:steps] = 0
    return torch.fft.rfft(padded)


def _signal(spectrum, padded, steps):
    signal = torch.fft.irfft(spectrum, padded.shape[-1])
    return signal[..., :steps].transpose(-1, -2)
