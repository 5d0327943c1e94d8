r"""The multiresolution filter bank: analysis, memory, readout and synthesis.

It is an undecimated wavelet transform (also called stationary, or "a trous"),
computed by dilated causal convolutions. Two filters of `K` taps, the scaling
filter `h0` and the wavelet filter `h1`, are shared by all levels. They are in
lag order (`h[k]` multiplies the sample `k` steps back), which is the order of
PyWavelets' `dec_lo` and `dec_hi`. With `a_0 = x`, level `j = 1 .. J` is

    a_j[n] = sum_k h0[k] a_{j-1}[n - 2^(j-1) k]        approximation
    b_j[n] = sum_k h1[k] a_{j-1}[n - 2^(j-1) k]        detail

The readout `y[n] = sum_m w[m] z[m][n]` of the memory `z` (see `tree.py`) is
linear and time-invariant, so it is also one causal convolution `y = kappa * x`.
Its kernel is the synthesis (inverse transform) of the memory weights: with
`up2` the insertion of a zero between samples,

    g_J = w(a_J),   g_{j-1} = up2(g_j) * h0 + up2(w(b_j)) * h1,   kappa = g_0

Tensors are `(batch, length, channels)`, filters `(K, channels)`, memory weights
`(M, channels)`, kernels `(taps, channels)`. Nothing is checked here; the public
functions are in `_public.py`.

Reference: Shi, Wang and Fox, "Sequence Modeling with Multiresolution
Convolutional Memory", ICML 2023, https://arxiv.org/abs/2305.01638
"""

from keras import ops

from keras_multires._validation import INT32_MAX

__all__ = [
    "analysis",
    "memory",
    "past_of_sequence",
    "synthesis",
    "tree_readout",
    "weighted_sum",
]


def past_of_sequence(signal, look_back):
    """The past of a whole sequence, one tensor for each lag.

    Steps before the first are zero. A lag beyond a known length leaves only
    zeros; it gives None and costs nothing.
    """
    length = signal.shape[1]
    past = []
    for lag in look_back.lags:
        if length is None:
            # TensorFlow knows the length when the graph runs.
            length_then = ops.shape(signal)[1]
            kept = ops.maximum(length_then - min(lag, INT32_MAX), 0)
            zeros = ops.zeros_like(signal[:, kept:])
            past.append(ops.concatenate([zeros, signal[:, :kept]], axis=1))
        elif not isinstance(length, int):
            # An exporter's symbol, which may be less than the lag.
            padded = ops.pad(signal, [(0, 0), (lag, 0), (0, 0)])
            past.append(padded[:, :-lag])
        elif lag >= length:
            past += [None] * (len(look_back.lags) - len(past))
            break
        else:
            zeros = ops.zeros_like(signal[:, :lag])
            past.append(ops.concatenate([zeros, signal[:, :-lag]], axis=1))
    return past


def weighted_sum(tensors, weights):
    """`sum_k weights[k] * tensors[k]`; None among `tensors` counts as zero."""
    total = tensors[0] * weights[0]
    for k in range(1, len(tensors)):
        if tensors[k] is not None:
            total = total + tensors[k] * weights[k]
    return total


def analysis(inputs, scaling_filter, wavelet_filter, levels, past):
    """Yields each level with its approximation and detail, finest first.

    Args:
        inputs: Tensor `(batch, length, channels)`.
        scaling_filter: Tensor `(K, channels)`.
        wavelet_filter: Tensor `(K, channels)`.
        levels: `Tree.levels`, or the first few of them.
        past: Function of a signal and a `LookBack` that returns the signal's
            past at its lags, such as `past_of_sequence`.
    """
    approximation = inputs
    for level in levels:
        signals = [approximation, *past(approximation, level.inputs)]
        approximation = weighted_sum(signals, scaling_filter)
        yield level, approximation, weighted_sum(signals, wavelet_filter)


def memory(inputs, scaling_filter, wavelet_filter, tree):
    """The memory of every time step, `(batch, length, channels, M)`."""
    coefficients = []
    for level, approximation, detail in analysis(
        inputs, scaling_filter, wavelet_filter, tree.levels, past_of_sequence
    ):
        remembered = [detail][: level.count]
        if level.details is not None:
            remembered += past_of_sequence(detail, level.details)
        coefficients = [
            ops.zeros_like(inputs) if tensor is None else tensor
            for tensor in remembered
        ] + coefficients
    return ops.stack([approximation, *coefficients], axis=-1)


def tree_readout(
    inputs,
    scaling_filter,
    wavelet_filter,
    memory_weights,
    tree,
    past=past_of_sequence,
):
    """Readout of the memory by running the tree, without holding the memory.

    Args:
        inputs: Tensor `(batch, length, channels)`.
        scaling_filter: Tensor `(K, channels)`.
        wavelet_filter: Tensor `(K, channels)`.
        memory_weights: Tensor `(M, channels)`.
        tree: The `Tree`.
        past: As in `analysis`. It is called for each of `tree.look_backs`.

    Returns:
        Tensor `(batch, length, channels)`.
    """
    total = None
    for level, approximation, detail in analysis(
        inputs, scaling_filter, wavelet_filter, tree.levels, past
    ):
        if level.count == 0:
            continue
        if level.details is None:
            term = detail * memory_weights[level.weights.start]
        else:
            signals = [detail, *past(detail, level.details)]
            term = weighted_sum(signals, memory_weights[level.weights])
        total = term if total is None else total + term
    term = approximation * memory_weights[0]
    return term if total is None else total + term


def _upsample_and_convolve(coefficients, phases):
    """`up2(coefficients) * kernel` by the phases of the kernel.

    Output `2 i + phase` is `sum_p coefficients[i - p] kernel[2 p + phase]`, so
    that no zero of the upsampling is stored or multiplied.
    `(count, channels)` gives `(2 * (count + pairs - 1), channels)`.
    """
    pairs, channels = len(phases[0]), coefficients.shape[1]
    delayed = [coefficients]
    if pairs > 1:
        delayed = [
            ops.pad(coefficients, [(p, pairs - 1 - p), (0, 0)])
            for p in range(pairs)
        ]
    # One phase after the other: XLA computes the gradient of one product for
    # both slowly and in more memory. If the number of taps is odd, the last
    # delay belongs to the even phase alone.
    both = []
    for taps in phases:
        total = delayed[0] * taps[0]
        for p in range(1, len(taps)):
            total += delayed[p] * taps[p]
        both.append(total)
    return ops.reshape(ops.stack(both, axis=1), (-1, channels))


def synthesis(scaling_filter, wavelet_filter, memory_weights, tree, length):
    """Kernel of the readout: the inverse transform of the memory weights.

    Costs `O(length * K)` per channel, since each level doubles the length, and
    nothing per sample of a batch.

    Args:
        scaling_filter: Tensor `(K, channels)`.
        wavelet_filter: Tensor `(K, channels)`.
        memory_weights: Tensor `(M, channels)`.
        tree: The `Tree`.
        length: Integer, lags wanted.

    Returns:
        Tensor `(taps, channels)` with the lags `0 .. taps - 1`, where `taps` is
        `length`, or the receptive field if that is shorter.
    """
    taps_of_scaling = ops.unstack(scaling_filter)
    taps_of_wavelet = ops.unstack(wavelet_filter)
    scaling_phases = taps_of_scaling[::2], taps_of_scaling[1::2]
    wavelet_phases = taps_of_wavelet[::2], taps_of_wavelet[1::2]
    # One split for all levels: compilers take long for many slices.
    starts = []
    for level in reversed(tree.levels):
        starts.append(level.weights.start)
    kernel, *details = ops.split(memory_weights, starts)
    for level, detail in zip(reversed(tree.levels), details, strict=True):
        # Coefficient i of a level acts on lags from i * 2^j on. (PyTorch also
        # computes a slice that takes everything, and its gradient.)
        reached = -(-length // level.spacing)
        if kernel.shape[0] > reached:
            kernel = kernel[:reached]
        if detail.shape[0] > reached:
            detail = detail[:reached]
        count = 2 * (kernel.shape[0] - 1) + tree.kernel_size
        kernel = _upsample_and_convolve(kernel, scaling_phases)
        if detail.shape[0]:
            detail = _upsample_and_convolve(detail, wavelet_phases)
            missing = kernel.shape[0] - detail.shape[0]
            kernel += ops.pad(detail, [(0, missing), (0, 0)])
        if kernel.shape[0] > count:
            kernel = kernel[:count]
    return kernel if kernel.shape[0] <= length else kernel[:length]
