"""The tree as a recurrence: new outputs from new inputs and a state.

The tree looks back at its own signals: at the input of level `j` by
`(K - 1) 2^(j-1)` steps, and at its details by `(count - 1) 2^j` where more than
one is remembered. The state holds that past of every signal in a ring: the
value of time `t` is at slot `t mod size` of its ring, all rings lie side by
side in one tensor, and one position serves them all, because every size is
`K - 1` times a power of two and so divides the largest.
"""

import functools

import keras
import numpy as np
from keras import ops

from keras_multires._validation import INT32_MAX
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

    Raises:
        ValueError: if the state is so large that an int32 cannot count it.
    """
    size = history_size(kernel_size, counts)
    if size > INT32_MAX:
        raise ValueError(
            f"`depth` must be less for a state: the layer would look up {size} "
            f"past values a channel, and their places are counted in int32. "
            f"Received: depth={len(counts)}"
        )
    return {
        "history": ops.zeros((batch_size, size, channels), dtype=dtype),
        "position": ops.zeros((), dtype="int32"),
    }


@functools.lru_cache
def transition_shape(kernel_size, counts):
    """Sizes of the first two axes of a `transition`.

    Args:
        kernel_size: Integer, taps `K` of the two filters.
        counts: Tuple, detail coefficients of each level, coarsest first.

    Returns:
        `(rings + 1, 1 + past values)`.
    """
    lags = _lags(kernel_size, counts)
    return len(lags) + 1, 1 + sum(map(len, lags))


def transition(scaling_filter, wavelet_filter, memory_weights, counts):
    """What one time step does, as one linear map of each channel.

    A step computes the readout and a new value for each ring from the input
    and from the past values that the tree looks back at. All are linear, so
    the tree, run once on the unit vectors of input and past values, gives the
    map; no step need run through the levels again.

    Args:
        scaling_filter: Tensor `(K, channels)`, in lag order.
        wavelet_filter: Tensor `(K, channels)`, in lag order.
        memory_weights: Tensor `(M, channels)`, coarse to fine.
        counts: Detail coefficients of each level, coarsest first.

    Returns:
        Tensor `(rings + 1, 1 + past values, channels)`, for `step`. The last
        row gives the readout.
    """
    taps, channels = scaling_filter.shape
    lags = _lags(taps, counts)
    size = 1 + sum(map(len, lags))
    units = np.broadcast_to(np.eye(size)[..., None], (size, size, channels))
    units = ops.convert_to_tensor(units, dtype=scaling_filter.dtype)
    rows = iter(range(1, size))
    updates = []

    def delays_from_units(signal, lag, count):
        if count == 1:
            return [signal]
        updates.append(signal[0])
        past = [units[None, next(rows)] for _ in range(1, count)]
        return [signal, *past]

    readout = tree_readout(
        units[:1],
        scaling_filter,
        wavelet_filter,
        memory_weights,
        counts,
        delays_from_units,
    )
    return ops.stack([*updates, readout[0]])


def _lags(kernel_size, counts):
    """How far back the tree looks into each ring, one array a ring."""
    depth = len(counts)
    lags = []
    for level in range(1, depth + 1):
        lags.append(2 ** (level - 1) * np.arange(1, kernel_size))
        count = counts[depth - level]
        if count > 1:
            lags.append(2**level * np.arange(1, count))
    return lags


def step(inputs, state, transition, kernel_size, counts, in_place=False):
    """Readout of the next time step of a sequence.

    Gathers the past values that the tree looks back at, maps them, and writes
    one new value into each ring: the time does not depend on the length of the
    past, but for the copy of the rings where a backend makes one. An input that
    is not finite makes all later outputs NaN: the map multiplies it by zeros.

    Args:
        inputs: Tensor `(batch, 1, channels)`, the next step.
        state: The state after the steps before; see `initial_state`.
        transition: What `transition` returned.
        kernel_size: Integer, taps `K` of the two filters.
        counts: Detail coefficients of each level, coarsest first.
        in_place: Whether `state` may be overwritten. PyTorch then makes no copy
            of it.

    Returns:
        `(outputs, state)`: the output `(batch, 1, channels)` of the whole
        sequence at this step, and the state after it.
    """
    start, size, lag = _places(kernel_size, tuple(counts))
    position, history = state["position"], state["history"]
    # No lag is longer than its ring, so nothing is negative: of that, tf2onnx
    # takes another remainder.
    places = ops.add(start, ops.mod(ops.add(position, size - lag), size))
    num_past = transition.shape[1] - 1
    past = _read(history, places[:num_past])
    values = ops.concatenate([inputs, past], axis=1)
    results = _map(transition, values)
    history = _write(history, places[num_past:], results[:, :-1], in_place)
    position = ops.mod(position + 1, int(size.max()))
    return results[:, -1:], {"history": history, "position": position}


def _map(transition, values):
    """`(batch, values, channels)` to `(batch, rows of the map, channels)`.

    So small a map is faster by hand than as one product a channel.
    """
    if keras.backend.backend() == "jax":
        # As one sum, XLA on a CPU computes each number by itself, and took most
        # of the time of a step that way.
        return sum(
            values[:, i : i + 1] * transition[:, i]
            for i in range(transition.shape[1])
        )
    return ops.sum(ops.expand_dims(values, 1) * transition, axis=2)


@functools.lru_cache
def _places(kernel_size, counts):
    """Start and size of its ring, and lag, of each value that a step touches.

    First those that the tree looks back at, then the new one of each ring.
    """
    sizes = _ring_sizes(kernel_size, counts)
    starts = np.cumsum(sizes) - sizes
    lags = _lags(kernel_size, counts)
    lengths = [len(ring) for ring in lags]
    places = (
        np.concatenate([np.repeat(starts, lengths), starts]),
        np.concatenate([np.repeat(sizes, lengths), sizes]),
        np.concatenate([*lags, np.zeros_like(starts)]),
    )
    return tuple(array.astype("int32") for array in places)


def _read(history, slots):
    """`history` at `slots` of its second axis."""
    if keras.backend.backend() == "torch":
        # Keras's `take` also squeezes, which exporters to ONNX take literally.
        return history.index_select(1, slots)
    return ops.take(history, slots, axis=1)


def _write(history, slots, values, in_place):
    """`history` with `values` at `slots` of its second axis."""
    if keras.backend.backend() == "torch":
        copy = history.index_copy_ if in_place else history.index_copy
        return copy(1, ops.cast(slots, "int64"), values)
    batch_size, _, channels = ops.shape(history)
    rows = ops.arange(0, batch_size, dtype="int32")  # jax2onnx needs the 0
    rows = ops.repeat(rows, slots.shape[0])
    columns = ops.tile(slots, (batch_size,))
    return ops.scatter_update(
        history,
        ops.stack([rows, columns], axis=1),
        ops.reshape(values, (-1, channels)),
    )


def chunk(
    inputs, state, scaling_filter, wavelet_filter, memory_weights, counts
):
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
