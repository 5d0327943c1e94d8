"""The public functions: each checks its arguments and calls the mathematics."""

from keras.backend import standardize_dtype

from keras_multires import backend
from keras_multires._validation import check_integer
from keras_multires._validation import check_tensor
from keras_multires._validation import require
from keras_multires.ops import filter_bank
from keras_multires.ops.tree import Tree

_AXES = ("batch", "length", "channels")  # of the inputs


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
    weights = _check_readout(memory_weights, tree, tensors[1])
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
    weights = _check_readout(memory_weights, tree, filters[0])
    return filter_bank.synthesis(*filters, weights, tree, length)


def causal_conv(inputs, kernel):
    """Causal depthwise convolution along time, by FFT.

    Causal up to rounding: some 1e-8 of a value, in float32, reaches the outputs
    before it, and a NaN or an infinity makes all outputs of its channel and
    sequence NaN.

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
    inputs = check_tensor("inputs", inputs, _AXES, "float")
    dtype = standardize_dtype(inputs.dtype)
    length, channels = inputs.shape[1:]
    is_right = dtype in ("float32", "float64") and length
    expected = "float32 or float64, of a known length of at least 1"
    shape = f"inputs.shape={tuple(inputs.shape)}"
    received = f"{shape}, of dtype {dtype}"
    require(is_right, f"`inputs` must be {expected}.", received)
    kernel = check_tensor("kernel", kernel, ("taps", channels), dtype, "inputs")
    fits = 1 <= kernel.shape[0] <= length
    expected = "at least one tap, and at most as many as `inputs` have steps"
    received = f"kernel.shape={tuple(kernel.shape)}, {shape}"
    require(fits, f"`kernel` must have {expected}.", received)
    return backend.fft_convolve(inputs, kernel)


def _check_bank(inputs, first, second):
    inputs = check_tensor("inputs", inputs, _AXES, "float")
    fits = inputs.shape[-1], standardize_dtype(inputs.dtype), "inputs"
    return inputs, *_check_filters(first, second, *fits)


def _check_filters(first, second, size="channels", dtype="float", fits=None):
    axes = ("kernel_size", size)
    first = check_tensor("scaling_filter", first, axes, dtype, fits)
    axes, dtype = tuple(first.shape), standardize_dtype(first.dtype)
    expected = "`scaling_filter` must have at least 2 taps."
    require(axes[0] >= 2, expected, f"scaling_filter.shape={axes}")
    fits = axes, dtype, "scaling_filter"
    return first, check_tensor("wavelet_filter", second, *fits)


def _check_tree(tree, scaling_filter):
    taps = scaling_filter.shape[0]
    is_right = isinstance(tree, Tree) and tree.kernel_size == taps
    expected = f"a `Tree` of kernel_size={taps}, to fit `scaling_filter`"
    require(is_right, f"`tree` must be {expected}.", tree=tree)


def _check_readout(memory_weights, tree, scaling_filter):
    _check_tree(tree, scaling_filter)
    axes = (tree.memory_size, scaling_filter.shape[1])
    fits = standardize_dtype(scaling_filter.dtype), "tree` and `scaling_filter"
    return check_tensor("memory_weights", memory_weights, axes, *fits)
