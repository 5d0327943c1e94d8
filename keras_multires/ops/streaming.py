"""The tree as a recurrence: new outputs from new inputs and a state.

The tree looks back at its own signals, as `Tree.look_backs` lists: at the input
of level `j` by up to `(K - 1) 2^(j-1)` steps, and at its details by
`(count - 1) 2^j` if it remembers several. The state holds that past of every
signal in a ring: the value of time `t` is at slot `t mod size` of its ring. All
rings lie side by side in one tensor. One position serves them all, because
every size is `K - 1` times a power of two and so divides the largest.

Nothing is checked here; the layers are the public door.
"""

import numpy as np
from keras import ops

from keras_multires import backend
from keras_multires.ops.filter_bank import tree_readout

__all__ = ["chunk", "initial_state", "step", "transition_matrices"]


def initial_state(batch_size, channels, tree, dtype):
    """State before the first time step: a past of zeros.

    Returns:
        A dict of tensors: `"history"`, `(batch_size, size, channels)`, and
        `"position"`, an int32 scalar.
    """
    shape = (batch_size, tree.history_size, channels)
    return {
        "history": ops.zeros(shape, dtype=dtype),
        "position": ops.zeros((), dtype="int32"),
    }


def transition_matrices(scaling_filter, wavelet_filter, memory_weights, tree):
    """What one time step does, as one linear map of each channel.

    A step computes the readout and a new value for each ring from the input
    and from the past values that the tree looks back at. All are linear, so
    running the tree once on the unit vectors of input and past values gives
    the map, and no step need run through the levels again.

    Args:
        scaling_filter: Tensor `(K, channels)`, in lag order.
        wavelet_filter: Tensor `(K, channels)`, in lag order.
        memory_weights: Tensor `(M, channels)`, coarse to fine.
        tree: The `Tree`.

    Returns:
        Tensor `(rings + 1, 1 + past values, channels)`, for `step`. A row for
        each ring gives its new value; the last row gives the readout.
    """
    channels = scaling_filter.shape[1]
    size = 1 + tree.num_past_values
    units = np.broadcast_to(np.eye(size)[..., None], (size, size, channels))
    units = ops.convert_to_tensor(units, dtype=scaling_filter.dtype)
    pasts, row = [], 1
    for ring in tree.look_backs:
        end = row + len(ring.lags)
        pasts.append([units[None, unit] for unit in range(row, end)])
        row = end
    new_values = [None] * len(pasts)

    def past_as_units(signal, ring):
        new_values[ring.index] = signal[0]
        return pasts[ring.index]

    readout = tree_readout(
        units[:1],
        scaling_filter,
        wavelet_filter,
        memory_weights,
        tree,
        past_as_units,
    )
    return ops.stack([*new_values, readout[0]])


def step(inputs, state, transition, tree, in_place=False):
    """Readout of the next time step of a sequence.

    Reads the past values that the tree looks back at, maps them, and writes one
    new value into each ring. The time does not depend on the length of the
    past, except for the copy of the rings that some backends make. After an
    input that is not finite, all outputs are NaN: the map multiplies it by
    zeros.

    Args:
        inputs: Tensor `(batch, 1, channels)`, the next step.
        state: The state after the steps before; see `initial_state`.
        transition: The result of `transition_matrices`.
        tree: The `Tree`.
        in_place: Whether `state` may be overwritten. PyTorch then makes no copy
            of it.

    Returns:
        `(outputs, state)`: the output `(batch, 1, channels)` of the whole
        sequence at this step, and the state after it.
    """
    start, size, lag = tree.places
    position, history = state["position"], state["history"]
    # No lag is longer than its ring, so no operand is negative: tf2onnx would
    # compute another remainder.
    slots = _slots(start, position + _integers(size - lag), size)
    past = backend.read_slots(history, slots[: tree.num_past_values])
    values = ops.concatenate([inputs, past], axis=1)
    results = backend.apply_transition(transition, values)
    history = backend.write_slots(
        history, slots[tree.num_past_values :], results[:, :-1], in_place
    )
    position = (position + 1) % tree.period
    return results[:, -1:], {"history": history, "position": position}


def chunk(inputs, state, scaling_filter, wavelet_filter, memory_weights, tree):
    """Readout of the next time steps of a sequence.

    Args:
        inputs: Tensor `(batch, steps, channels)`, the next steps, at least one.
        state: The state after the steps before; see `initial_state`.
        scaling_filter: Tensor `(K, channels)`, in lag order.
        wavelet_filter: Tensor `(K, channels)`, in lag order.
        memory_weights: Tensor `(M, channels)`, coarse to fine.
        tree: The `Tree`.

    Returns:
        `(outputs, state)`: the outputs `(batch, steps, channels)`, those of
        the whole sequence at these steps, and the state after them.
    """
    sizes = [ring.size for ring in tree.look_backs]
    starts = [ring.start for ring in tree.look_backs]
    start, size = np.repeat(starts, sizes), np.repeat(sizes, sizes)
    slot = _integers(np.arange(len(start)) - start)

    position = state["position"]
    oldest_first = _slots(start, position + slot, size)
    history = ops.take(state["history"], oldest_first, axis=1)
    new_pasts = [None] * len(sizes)

    def past_of_stream(signal, ring):
        ring_history = history[:, ring.start : ring.start + ring.size]
        extended = ops.concatenate([ring_history, signal], axis=1)
        new_pasts[ring.index] = extended[:, -ring.size :]
        return [extended[:, ring.size - lag : -lag] for lag in ring.lags]

    outputs = tree_readout(
        inputs,
        scaling_filter,
        wavelet_filter,
        memory_weights,
        tree,
        past_of_stream,
    )
    position = (position + ops.shape(inputs)[1]) % tree.period
    by_slot = _slots(start, slot - position, size)
    history = ops.take(ops.concatenate(new_pasts, axis=1), by_slot, axis=1)
    return outputs, {"history": history, "position": position}


def _slots(start, time, size):
    """Slots of times in the rings that begin at `start` and have `size`."""
    return _integers(start) + time % _integers(size)


def _integers(array):
    """An array as an int32 tensor.

    Without the dtype, Keras makes floats of integers on JAX if its `floatx` is
    bfloat16. So do its functions `add` and `mod`, unlike the operators.
    """
    return ops.convert_to_tensor(array, dtype="int32")
