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
    if torch.compiler.is_compiling():  # which refuses a `jvp`
        return _Convolution.apply(inputs, kernel)
    return _ForwardConvolution.apply(inputs, kernel)


class _Convolution(torch.autograd.Function):
    """`y = k * x`, whose gradients are two correlations.

    PyTorch could not record the writes into memory that save the time below. So
    each of the two functions here states its derivatives, which consist of the
    same two.
    """

    @staticmethod
    def forward(inputs, kernel):
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

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx, cotangent):
        return _Correlations.apply(cotangent, *ctx.saved_tensors)

    @staticmethod
    def vmap(info, in_dims, inputs, kernel):
        arguments = _as_channels(info.batch_size, in_dims, inputs, kernel)
        outputs = convolve(*arguments)
        return outputs.unflatten(-1, (info.batch_size, -1)), 2


class _ForwardConvolution(_Convolution):
    """The same with a derivative in forward mode."""

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(*inputs)
        ctx.save_for_forward(*inputs)

    @staticmethod
    def jvp(ctx, by_inputs, by_kernel):
        inputs, kernel = ctx.saved_tensors
        first = _ForwardConvolution.apply(by_inputs, kernel)
        return first + _ForwardConvolution.apply(inputs, by_kernel)


class _Correlations(torch.autograd.Function):
    """Gradients of the convolution by `x` and `k`, from the cotangent `g`.

    If `a` and `b` are the cotangents of the two, the function to differentiate
    is `<g, k * a> + <g, b * x>`.
    """

    @staticmethod
    def forward(cotangent, inputs, kernel):
        by_inputs, by_kernel = map(torch.zeros_like, (inputs, kernel))
        if not inputs.numel():
            return by_inputs, by_kernel
        padded = _zeros_for_group(inputs)
        for taps, by_taps, *signals in _by_channels(
            padded, kernel, by_kernel, cotangent, inputs, by_inputs
        ):
            # PyTorch's `conj` only marks a tensor as conjugate. Products with
            # it are slow.
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

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(*inputs)
        ctx.save_for_forward(*inputs)

    @staticmethod
    def backward(ctx, a, b):
        cotangent, inputs, kernel = ctx.saved_tensors
        by_cotangent = convolve(a, kernel) + convolve(inputs, b)
        return by_cotangent, *_Correlations.apply(cotangent, a, b)

    @staticmethod
    def jvp(ctx, by_cotangent, by_inputs, by_kernel):
        cotangent, inputs, kernel = ctx.saved_tensors
        first = _Correlations.apply(by_cotangent, inputs, kernel)
        second = _Correlations.apply(cotangent, by_inputs, by_kernel)
        return first[0] + second[0], first[1] + second[1]

    @staticmethod
    def vmap(info, in_dims, *tensors):
        arguments = _as_channels(info.batch_size, in_dims, *tensors)
        outputs = _Correlations.apply(*arguments)
        size = (info.batch_size, -1)
        by_inputs, by_kernel = (part.unflatten(-1, size) for part in outputs)
        return (by_inputs, by_kernel), (2, 1)


def _as_channels(batch_size, in_dims, *tensors):
    """Tensors that `vmap` batches, with the batch in the axis of channels."""
    for tensor, axis in zip(tensors, in_dims, strict=True):
        if axis is None:
            tensor = tensor.unsqueeze(-2)
            tensor = tensor.expand(*tensor.shape[:-2], batch_size, -1)
        else:
            tensor = tensor.movedim(axis, -2)
        yield tensor.flatten(-2)


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
