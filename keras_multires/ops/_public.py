"""The public functions: each checks its arguments and calls the mathematics."""

from keras.backend import standardize_dtype

from keras_multires._validation import check_integer
from keras_multires._validation import check_tensor
from keras_multires._validation import require
from keras_multires.ops import filter_bank
from keras_multires.ops.causal_conv import convolve
from keras_multires.ops.tree import Tree


def analysis(inputs, scaling_filter, wavelet_filter, depth):
    """Undecimated causal wavelet transform, level by level.

    Args:
        inputs: Tensor `(batch, length, channels)`.
        scaling_filter: Tensor `(K, channels)`, in lag order.
        wavelet_filter: Tensor `(K, channels)`, in lag order.
        depth: Integer, levels `J`.

    Returns:
        A generator of the approximation and the detail of each level, finest
        first, each of the shape of `inputs`. A caller who only accumulates
        need not hold all levels.

    Raises:
        ValueError: if the tensors do not fit each other, or `depth` is out of
            its range.
    """
    tensors = _check_bank(inputs, scaling_filter, wavelet_filter)
    levels = Tree.of(tensors[1].shape[0], depth).levels
    past = filter_bank.past_of_sequence
    return (
        (approximation, detail)
        for _, approximation, detail in filter_bank.analysis(
            *tensors, levels, past
        )
    )


def multires_memory(inputs, scaling_filter, wavelet_filter, tree):
    """The memory `z`: the tree's coefficients that each time step remembers.

    Args:
        inputs: Tensor `(batch, length, channels)`.
        scaling_filter: Tensor `(K, channels)`, in lag order.
        wavelet_filter: Tensor `(K, channels)`, in lag order.
        tree: A `Tree` of the same `K`.

    Returns:
        Tensor `(batch, length, channels, M)`, coarse to fine.

    Raises:
        ValueError: if the arguments do not fit each other.
    """
    tensors = _check_bank(inputs, scaling_filter, wavelet_filter)
    _check_tree(tree, tensors[1])
    return filter_bank.memory(*tensors, tree)


def tree_readout(inputs, scaling_filter, wavelet_filter, memory_weights, tree):
    """Readout of the memory by running the tree, without holding the memory.

    Exactly causal: no output depends on a later input, not even by rounding.

    Args:
        inputs: Tensor `(batch, length, channels)`.
        scaling_filter: Tensor `(K, channels)`, in lag order.
        wavelet_filter: Tensor `(K, channels)`, in lag order.
        memory_weights: Tensor `(M, channels)`, coarse to fine.
        tree: A `Tree` of the same `K` and `M`.

    Returns:
        Tensor `(batch, length, channels)`.

    Raises:
        ValueError: if the arguments do not fit each other.
    """
    tensors = _check_bank(inputs, scaling_filter, wavelet_filter)
    _check_tree(tree, tensors[1])
    weights = _check_memory_weights(memory_weights, tree, tensors[1])
    return filter_bank.tree_readout(*tensors, weights, tree)


def synthesis(scaling_filter, wavelet_filter, memory_weights, tree, length):
    """Kernel of the readout: the inverse transform of the memory weights.

    Costs `O(length * K)` per channel, since each level doubles the length, and
    nothing per sample of a batch.

    Args:
        scaling_filter: Tensor `(K, channels)`, in lag order.
        wavelet_filter: Tensor `(K, channels)`, in lag order.
        memory_weights: Tensor `(M, channels)`, coarse to fine.
        tree: A `Tree` of the same `K` and `M`.
        length: Integer, lags wanted.

    Returns:
        Tensor `(taps, channels)` with the lags `0 .. taps - 1`, where `taps` is
        `length`, or the receptive field if that is shorter.

    Raises:
        ValueError: if the arguments do not fit each other, or `length` is not
            a positive integer.
    """
    length = check_integer("length", length)
    filters = _check_filters(scaling_filter, wavelet_filter)
    _check_tree(tree, filters[0])
    weights = _check_memory_weights(memory_weights, tree, filters[0])
    return filter_bank.synthesis(*filters, weights, tree, length)


def causal_conv(inputs, kernel):
    """Causal depthwise convolution along time, by FFT.

    The gradient recomputes the spectra of `inputs` and `kernel`, so that a
    training step stores `O(length)` numbers per channel for this operation.

    Args:
        inputs: Tensor `(batch, length, channels)`, float32 or float64. The
            length must be known.
        kernel: Tensor `(taps, channels)` of the same dtype, in lag order, with
            at most `length` taps.

    Returns:
        Tensor `(batch, length, channels)`.

    Raises:
        ValueError: if the tensors have another shape or dtype, or do not fit
            each other.
    """
    inputs, dtype = _check_inputs(inputs)
    require(
        dtype in ("float32", "float64") and inputs.shape[1],
        "`inputs` must be float32 or float64, of a known length of at least 1.",
        f"inputs.shape={tuple(inputs.shape)}, of dtype {dtype}",
    )
    channels = inputs.shape[2]
    kernel = check_tensor("kernel", kernel, ("taps", channels), dtype, "inputs")
    shapes = tuple(kernel.shape), tuple(inputs.shape)
    require(
        1 <= kernel.shape[0] <= inputs.shape[1],
        "`kernel` must have at least one tap, and at most as many as `inputs` "
        "have steps.",
        f"kernel.shape={shapes[0]}, inputs.shape={shapes[1]}",
    )
    return convolve(inputs, kernel)


def _check_inputs(inputs):
    axes = ("batch", "length", "channels")
    inputs = check_tensor("inputs", inputs, axes, "float")
    return inputs, standardize_dtype(inputs.dtype)


def _check_bank(inputs, scaling_filter, wavelet_filter):
    inputs, dtype = _check_inputs(inputs)
    return inputs, *_check_filters(
        scaling_filter, wavelet_filter, inputs.shape[-1], dtype, "inputs"
    )


def _check_filters(
    scaling_filter,
    wavelet_filter,
    channels="channels",
    dtype="float",
    fits=None,
):
    axes = ("kernel_size", channels)
    first = check_tensor("scaling_filter", scaling_filter, axes, dtype, fits)
    axes, dtype = tuple(first.shape), standardize_dtype(first.dtype)
    require(
        axes[0] >= 2,
        "`scaling_filter` must have at least 2 taps.",
        f"scaling_filter.shape={axes}",
    )
    fits = "scaling_filter"
    second = check_tensor("wavelet_filter", wavelet_filter, axes, dtype, fits)
    return first, second


def _check_tree(tree, scaling_filter):
    taps = scaling_filter.shape[0]
    require(
        isinstance(tree, Tree) and tree.kernel_size == taps,
        f"`tree` must be a `Tree` of kernel_size={taps}, to fit "
        "`scaling_filter`.",
        tree=tree,
    )


def _check_memory_weights(memory_weights, tree, scaling_filter):
    axes = (tree.memory_size, scaling_filter.shape[1])
    dtype = standardize_dtype(scaling_filter.dtype)
    fits = "tree` and `scaling_filter"
    return check_tensor("memory_weights", memory_weights, axes, dtype, fits)
