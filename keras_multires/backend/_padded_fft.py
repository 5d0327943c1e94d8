"""Causal convolution by a real FFT of zero-padded signals, for PyTorch.

PyTorch's real FFT is fast, and nothing fuses its operations, so a "twisted"
FFT (see `_twisted_fft.py`) gains nothing. On a CPU, memory takes most of the
time. Computing one group of channels after another, small enough to stay in the
cache, takes half the time of all channels at once, and hardly any memory.
"""

import torch

from keras_multires.backend._fft_lengths import fast_length

# A padded group on a CPU: 1 MiB in float32.
GROUP_NUMBERS = 2**18
# With fewer channels than a line of the cache holds, 64 bytes in float32, each
# line would be fetched for several groups.
MIN_GROUP_CHANNELS = 16
# Above 16 MiB in float32, PyTorch gets and gives back the memory at each
# operation, which takes longer than fetching lines twice.
MAX_GROUP_NUMBERS = 2**22


def convolve(inputs, kernel):
    """Causal convolution; see the contract of `fft_convolve`."""
    outputs = torch.empty_like(inputs)
    if not inputs.numel():  # PyTorch has no FFT of empty tensors
        return outputs
    padded = _zeros_for_group(inputs)
    for taps, *signals in _by_channels(padded, kernel, inputs, outputs):
        by_kernel = _spectrum(taps, padded, inputs.shape[1])
        for group, target in _by_sequences(padded, *signals):
            product = _padded_spectrum(group, padded).mul_(by_kernel)
            target.copy_(_signal(product, padded, target.shape[1]))
    return outputs


def gradients(cotangent, inputs, kernel):
    """Gradients of the convolution with respect to its two inputs."""
    if torch.is_grad_enabled():
        return _differentiable_gradients(cotangent, inputs, kernel)
    by_inputs, by_kernel = map(torch.zeros_like, (inputs, kernel))
    if not inputs.numel():
        return by_inputs, by_kernel
    padded = _zeros_for_group(inputs)
    for taps, by_taps, *signals in _by_channels(
        padded, kernel, by_kernel, cotangent, inputs, by_inputs
    ):
        # PyTorch's `conj` only marks a tensor as conjugate. Products with it
        # are slow.
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


def _differentiable_gradients(cotangent, inputs, kernel):
    """The same for higher derivatives: PyTorch records each operation.

    It cannot record the writes into memory that save the time above.
    """
    if not inputs.numel():
        return inputs * cotangent, kernel * 0
    length, taps = inputs.shape[1], kernel.shape[0]
    padded_length = 2 * fast_length(length)
    by_outputs, past, filters = (
        torch.fft.rfft(tensor, padded_length, dim=-2)
        for tensor in (cotangent, inputs, kernel)
    )
    by_inputs = by_outputs * filters.conj()
    by_kernel = (by_outputs * past.conj()).sum(0)
    return (
        torch.fft.irfft(by_inputs, padded_length, dim=-2)[:, :length],
        torch.fft.irfft(by_kernel, padded_length, dim=-2)[:taps],
    )


def _zeros_for_group(inputs):
    """Zeros for a padded group, `(sequences, channels, 2 L)`."""
    batch_size, length, channels = inputs.shape
    fft_length = 2 * fast_length(length)
    if inputs.device.type == "cpu":
        smallest = min(
            MIN_GROUP_CHANNELS, max(1, MAX_GROUP_NUMBERS // fft_length)
        )
        fitting = GROUP_NUMBERS // (batch_size * fft_length)
        fitting -= fitting % smallest
        channels = min(channels, max(smallest, fitting))
        fitting = GROUP_NUMBERS // (channels * fft_length)
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
    # Transposing a contiguous copy takes half the time.
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
