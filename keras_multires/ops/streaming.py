"""The tree as a recurrence: new outputs from new inputs and a state.

The tree looks back at its own signals: at the input of level `j` by
`(K - 1) 2^(j-1)` steps, and at its details by `(count - 1) 2^j` where more than
one is remembered. The state holds that past of every signal in a ring: the
value of time `t` is at slot `t mod size` of its ring, all rings lie side by
side in one tensor, and one position serves them all, because every size is
`K - 1` times a power of two and so divides the largest.
"""

import numpy as np
from keras import ops

from keras_multires.ops.filter_bank import tree_readout


def _ring_sizes(kernel_size, counts):
    """Sizes of the rings, in the order in which `tree_readout` looks back."""
    depth = len(counts)
    sizes = []
    for level in range(1, depth + 1):
        sizes.append((kernel_size - 1) * 2 ** (level - 1))
        reach = (counts[depth - level] - 1) * 2**level
        if reach > 0:
            size = kernel_size - 1
            while size < reach:
                size *= 2
            sizes.append(size)
    return sizes


def history_size(kernel_size, counts):
    """Past values per channel that the state holds.

    Args:
        kernel_size: Integer, taps `K` of the two filters.
        counts: Detail coefficients of each level, coarsest first.

    Returns:
        Integer.
    """
    return sum(_ring_sizes(kernel_size, counts))


def initial_state(batch_size, channels, kernel_size, counts, dtype):
    """State before the first time step: a past of zeros.

    Args:
        batch_size: Integer.
        channels: Integer.
        kernel_size: Integer, taps `K` of the two filters.
        counts: Detail coefficients of each level, coarsest first.
        dtype: Dtype of the signals.

    Returns:
        A dict of tensors: `"history"`, `(batch_size, size, channels)`, and
        `"position"`, an int32 scalar.
    """
    size = history_size(kernel_size, counts)
    return {
        "history": ops.zeros((batch_size, size, channels), dtype=dtype),
        "position": ops.zeros((), dtype="int32"),
    }


def step(inputs, state, scaling_filter, wavelet_filter, memory_weights, counts):
    """Readout of the next time steps of a sequence.

    Args:
        inputs: Tensor `(batch, steps, channels)`, the next steps, at least one.
        state: The state after the steps before; see `initial_state`.
        scaling_filter: Tensor `(K, channels)`, in lag order.
        wavelet_filter: Tensor `(K, channels)`, in lag order.
        memory_weights: Tensor `(M, channels)`, coarse to fine.
        counts: Detail coefficients of each level, coarsest first.

    Returns:
        `(outputs, state)`: the outputs `(batch, steps, channels)`, those of
        the whole sequence at these steps, and the state after them.
    """
    sizes = _ring_sizes(scaling_filter.shape[0], counts)
    ends = np.cumsum(sizes)
    start = np.repeat(ends - sizes, sizes).astype("int32")
    size = np.repeat(sizes, sizes).astype("int32")
    slot = np.arange(ends[-1], dtype="int32") - start

    position = state["position"]
    oldest_first = ops.add(start, ops.mod(ops.add(position, slot), size))
    history = ops.take(state["history"], oldest_first, axis=1)
    pasts = iter(zip(ends - sizes, ends, strict=True))
    updated = []

    def delays_from_history(signal, lag, count):
        if count == 1:
            return [signal]
        begin, end = next(pasts)
        extended = ops.concatenate([history[:, begin:end], signal], axis=1)
        updated.append(extended[:, begin - end :])
        present = int(end - begin)
        return [
            extended[:, present - delay : -delay or None]
            for delay in range(0, count * lag, lag)
        ]

    outputs = tree_readout(
        inputs,
        scaling_filter,
        wavelet_filter,
        memory_weights,
        counts,
        delays_from_history,
    )
    position = ops.mod(position + ops.shape(inputs)[1], max(sizes))
    by_slot = ops.add(start, ops.mod(ops.subtract(slot, position), size))
    history = ops.take(ops.concatenate(updated, axis=1), by_slot, axis=1)
    return outputs, {"history": history, "position": position}
