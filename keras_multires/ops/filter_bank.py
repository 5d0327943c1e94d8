r"""The multiresolution filter bank: analysis, memory, readout and synthesis.

Two filters of `K` taps, the scaling filter `h0` and the wavelet filter `h1`,
in lag order (`h[k]` multiplies the sample `k` steps back; PyWavelets' `dec_lo`
and `dec_hi`), are shared by all levels of an undecimated wavelet transform.
With `a_0 = x`, level `j = 1 .. J` is

    a_j[n] = sum_k h0[k] a_{j-1}[n - 2^(j-1) k]        approximation
    b_j[n] = sum_k h1[k] a_{j-1}[n - 2^(j-1) k]        detail

The readout `y[n] = sum_m w[m] z[m][n]` of the memory `z` (see `memory.py`) is
linear and time-invariant, so it is also one causal convolution `y = kappa * x`.
Its kernel is the synthesis (inverse transform) of the memory weights: with
`up2` the insertion of a zero between samples,

    g_J = w(a_J),   g_{j-1} = up2(g_j) * h0 + up2(w(b_j)) * h1,   kappa = g_0

Tensors are `(batch, length, channels)`, filters `(K, channels)`, memory weights
`(M, channels)`, kernels `(taps, channels)`.

Reference: Shi, Wang and Fox, "Sequence Modeling with Multiresolution
Convolutional Memory", ICML 2023, https://arxiv.org/abs/2305.01638
"""

import functools
import operator

from keras import ops
from keras.backend import standardize_dtype

from keras_multires._validation import INT32_MAX
from keras_multires._validation import INT64_MAX
from keras_multires._validation import check_function
from keras_multires._validation import check_integer
from keras_multires._validation import check_tensor
from keras_multires.ops.memory import check_counts
from keras_multires.ops.memory import check_tree


def default_depth(length, kernel_size):
    """Smallest depth whose receptive field covers a sequence.

    Args:
        length: Integer, time steps `N` of the sequence.
        kernel_size: Integer, taps `K` of the two filters.

    Returns:
        Integer, `ceil(log2((N - 1) / (K - 1) + 1))`, and at least 1.

    Raises:
        ValueError: if `length` is no integer from 1 to `2**63 - 1`, or
            `kernel_size` none from 2.
    """
    length = check_integer("length", length, maximum=INT64_MAX)
    kernel_size = check_integer("kernel_size", kernel_size, 2)
    depth = 1
    while _receptive_field(kernel_size, depth) < length:
        depth += 1
    return depth


def receptive_field(kernel_size, depth):
    """Time steps, the present one included, that an output depends on.

    Args:
        kernel_size: Integer, taps `K` of the two filters.
        depth: Integer, levels `J` of the tree.

    Returns:
        Integer, `(2^J - 1) (K - 1) + 1`.

    Raises:
        ValueError: if an argument is out of its range, or the receptive field
            goes back by more than `2**63 - 1` time steps.
    """
    return _receptive_field(*check_tree(kernel_size, depth))


def _receptive_field(kernel_size, depth):
    return (2**depth - 1) * (kernel_size - 1) + 1


def delays_from_zero(signal, lag, count):
    """Yields `signal` delayed by `0, lag, .., (count - 1) * lag` steps.

    What lies before the first step is zero. A delay beyond a known length
    leaves nothing else; it yields None and costs nothing.
    """
    length = signal.shape[1]
    for delay in range(0, count * lag, lag):
        if delay == 0:
            yield signal
        elif length is None:
            # Known when the graph runs, on TensorFlow.
            length_then = ops.shape(signal)[1]
            kept = ops.maximum(length_then - min(delay, INT32_MAX), 0)
            zeros = ops.zeros_like(signal[:, kept:])
            yield ops.concatenate([zeros, signal[:, :kept]], axis=1)
        elif not isinstance(length, int):
            # A symbol of an exporter, which may be less than the delay.
            padded = ops.pad(signal, [(0, 0), (delay, 0), (0, 0)])
            yield padded[:, :-delay]
        elif delay >= length:
            yield None
        else:
            zeros = ops.zeros_like(signal[:, :delay])
            yield ops.concatenate([zeros, signal[:, :-delay]], axis=1)


def _weighted_sum(tensors, weights):
    """`sum_k weights[k] * tensors[k]`; None among `tensors` counts as zero."""
    total = None
    for k, tensor in enumerate(tensors):
        if tensor is not None:
            term = tensor * weights[k]
            total = term if total is None else total + term
    return total


def _check_bank(inputs, scaling_filter, wavelet_filter):
    """Inputs and filters as tensors that fit each other."""
    inputs = check_tensor(
        "inputs", inputs, ("batch", "length", "channels"), "float"
    )
    channels, dtype = inputs.shape[-1], standardize_dtype(inputs.dtype)
    filters = _check_filters(
        scaling_filter, wavelet_filter, channels, dtype, "inputs"
    )
    return inputs, *filters


def _check_tree(inputs, scaling_filter, wavelet_filter, counts):
    """As `_check_bank`, with the counts of the details of each level."""
    tensors = _check_bank(inputs, scaling_filter, wavelet_filter)
    return *tensors, check_counts(int(tensors[1].shape[0]), counts)


def _check_filters(
    scaling_filter,
    wavelet_filter,
    channels="channels",
    dtype="float",
    fits=None,
):
    scaling_filter = check_tensor(
        "scaling_filter",
        scaling_filter,
        ("kernel_size", channels),
        dtype,
        fits,
    )
    shape = tuple(scaling_filter.shape)
    if shape[0] < 2:
        raise ValueError(
            "`scaling_filter` must have at least 2 taps. "
            f"Received: scaling_filter.shape={shape}"
        )
    wavelet_filter = check_tensor(
        "wavelet_filter",
        wavelet_filter,
        shape,
        standardize_dtype(scaling_filter.dtype),
        "scaling_filter",
    )
    return scaling_filter, wavelet_filter


def _check_memory_weights(memory_weights, counts, scaling_filter):
    return check_tensor(
        "memory_weights",
        memory_weights,
        (1 + sum(counts), scaling_filter.shape[1]),
        standardize_dtype(scaling_filter.dtype),
        "counts` and `scaling_filter",
    )


def analysis(
    inputs, scaling_filter, wavelet_filter, depth, delays=delays_from_zero
):
    """Undecimated causal wavelet transform, level by level.

    Args:
        inputs: Tensor `(batch, length, channels)`.
        scaling_filter: Tensor `(K, channels)`, in lag order.
        wavelet_filter: Tensor `(K, channels)`, in lag order.
        depth: Integer, levels `J`.
        delays: Function of a signal, a lag and a count that gives the signal
            delayed by the multiples of the lag; see `delays_from_zero`.

    Returns:
        A generator of the approximation and the detail of each level, finest
        first, each of the shape of `inputs`: a caller who only accumulates
        need not hold all levels.

    Raises:
        ValueError: if the tensors do not fit each other, or `depth` is out of
            its range.
    """
    tensors = _check_bank(inputs, scaling_filter, wavelet_filter)
    _, depth = check_tree(tensors[1].shape[0], depth)
    check_function("delays", delays)
    return _analysis(*tensors, depth, delays)


def _analysis(inputs, scaling_filter, wavelet_filter, depth, delays):
    taps = scaling_filter.shape[0]
    approximation = inputs
    for level in range(1, depth + 1):
        delayed = list(delays(approximation, 2 ** (level - 1), taps))
        approximation = _weighted_sum(delayed, scaling_filter)
        yield approximation, _weighted_sum(delayed, wavelet_filter)


def multires_memory(inputs, scaling_filter, wavelet_filter, counts):
    """The memory `z`: the tree's coefficients that each time step remembers.

    Args:
        inputs: Tensor `(batch, length, channels)`.
        scaling_filter: Tensor `(K, channels)`, in lag order.
        wavelet_filter: Tensor `(K, channels)`, in lag order.
        counts: Detail coefficients of each level, coarsest first, as
            `memory.detail_counts` gives them.

    Returns:
        Tensor `(batch, length, channels, M)`, coarse to fine.

    Raises:
        ValueError: if the tensors do not fit each other, or `counts` are none
            of a tree.
    """
    inputs, scaling_filter, wavelet_filter, counts = _check_tree(
        inputs, scaling_filter, wavelet_filter, counts
    )
    depth = len(counts)
    coefficients = []
    levels = _analysis(
        inputs, scaling_filter, wavelet_filter, depth, delays_from_zero
    )
    for level, (approximation, detail) in enumerate(levels, start=1):
        delayed = delays_from_zero(detail, 2**level, counts[depth - level])
        coefficients = [
            ops.zeros_like(inputs) if tensor is None else tensor
            for tensor in delayed
        ] + coefficients
    return ops.stack([approximation, *coefficients], axis=-1)


def level_slices(counts):
    """Which memory weights belong to the detail coefficients of each level.

    Args:
        counts: Detail coefficients of each level, coarsest first.

    Returns:
        List of slices of the first axis of the memory weights, coarsest level
        first. The weight of the approximation stands before them, at 0.
    """
    slices, start = [], 1
    for count in counts:
        slices.append(slice(start, start + count))
        start += count
    return slices


def tree_readout(
    inputs,
    scaling_filter,
    wavelet_filter,
    memory_weights,
    counts,
    delays=delays_from_zero,
):
    """Readout of the memory by running the tree, without holding the memory.

    Exactly causal: no output depends on a later input, not even by rounding.

    Args:
        inputs: Tensor `(batch, length, channels)`.
        scaling_filter: Tensor `(K, channels)`, in lag order.
        wavelet_filter: Tensor `(K, channels)`, in lag order.
        memory_weights: Tensor `(M, channels)`, coarse to fine.
        counts: Detail coefficients of each level, coarsest first.
        delays: As in `analysis`; it is called level by level, finest first,
            for the input of a level and then for its remembered details.

    Returns:
        Tensor `(batch, length, channels)`.

    Raises:
        ValueError: if the tensors do not fit each other, or `counts` are none
            of a tree.
    """
    inputs, scaling_filter, wavelet_filter, counts = _check_tree(
        inputs, scaling_filter, wavelet_filter, counts
    )
    memory_weights = _check_memory_weights(
        memory_weights, counts, scaling_filter
    )
    check_function("delays", delays)
    depth = len(counts)
    slices = level_slices(counts)

    def terms():
        bank = _analysis(inputs, scaling_filter, wavelet_filter, depth, delays)
        for level, (approximation, detail) in enumerate(bank, start=1):
            count = counts[depth - level]
            if count:
                delayed = delays(detail, 2**level, count)
                weights = memory_weights[slices[depth - level]]
                yield _weighted_sum(delayed, weights)
        yield approximation * memory_weights[0]

    return functools.reduce(operator.add, terms())


def _phases(kernel):
    """Even and odd taps of a kernel, two lists of `(channels,)`."""
    taps = ops.unstack(kernel)
    return taps[::2], taps[1::2]


def _first(tensor, count):
    # A slice of all is work too, above all in the gradient on PyTorch.
    return tensor if tensor.shape[0] <= count else tensor[:count]


def _upsample_and_convolve(coefficients, phases):
    """`up2(coefficients) * kernel` by the phases of the kernel.

    Output `2 i + phase` is `sum_p coefficients[i - p] kernel[2 p + phase]`, so
    that no zero of the upsampling is stored or multiplied.
    `(count, channels)` gives `(2 * (count + pairs - 1), channels)`.
    """
    pairs, channels = len(phases[0]), coefficients.shape[1]
    delayed = [
        ops.pad(coefficients, [(p, pairs - 1 - p), (0, 0)])
        if pairs > 1
        else coefficients
        for p in range(pairs)
    ]
    # One phase after the other: of one product for both, XLA computes the
    # gradient slowly and in more memory. An odd number of taps leaves the last
    # delay to the even ones.
    both = [_weighted_sum(delayed[: len(taps)], taps) for taps in phases]
    return ops.reshape(ops.stack(both, axis=1), (-1, channels))


def synthesis(scaling_filter, wavelet_filter, memory_weights, counts, length):
    """Kernel of the readout: the inverse transform of the memory weights.

    Costs `O(length * K)` per channel, since each level doubles the length, and
    nothing per sample of a batch.

    Args:
        scaling_filter: Tensor `(K, channels)`, in lag order.
        wavelet_filter: Tensor `(K, channels)`, in lag order.
        memory_weights: Tensor `(M, channels)`, coarse to fine.
        counts: Detail coefficients of each level, coarsest first.
        length: Integer, lags wanted.

    Returns:
        Tensor `(taps, channels)` with the lags `0 .. taps - 1`, where `taps` is
        `length`, or the receptive field where that is shorter.

    Raises:
        ValueError: if the tensors do not fit each other, `counts` are none of
            a tree, or `length` is not a positive integer.
    """
    length = check_integer("length", length)
    scaling_filter, wavelet_filter = _check_filters(
        scaling_filter, wavelet_filter
    )
    taps = scaling_filter.shape[0]
    counts = check_counts(taps, counts)
    memory_weights = _check_memory_weights(
        memory_weights, counts, scaling_filter
    )
    scaling_phases = _phases(scaling_filter)
    wavelet_phases = _phases(wavelet_filter)
    level = len(counts)
    # One operation, where a slice a level would be many for a compiler.
    starts = [weights.start for weights in level_slices(counts)]
    approximation, *details = ops.split(memory_weights, starts)
    for detail in details:
        # Coefficient i of a level acts on lags from i * 2**level on.
        reached = -(-length // 2**level)
        level -= 1
        approximation = _first(approximation, reached)
        detail = _first(detail, reached)
        finer = _upsample_and_convolve(approximation, scaling_phases)
        if detail.shape[0]:
            detail = _upsample_and_convolve(detail, wavelet_phases)
            missing = finer.shape[0] - detail.shape[0]
            finer += ops.pad(detail, [(0, missing), (0, 0)])
        approximation = _first(finer, 2 * (approximation.shape[0] - 1) + taps)
    return _first(approximation, length)
