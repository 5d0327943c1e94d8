import numpy as np
import pytest
import pywt
from keras import ops

from keras_multires.ops import Tree
from keras_multires.ops import analysis
from keras_multires.ops import default_depth
from keras_multires.ops import multires_memory
from keras_multires.ops import synthesis
from keras_multires.ops import tree_readout
from testing.references import slow_tree


def wavelet_filters(wavelet):
    """Scaling and wavelet filter as tensors of one channel."""
    return tuple(
        ops.convert_to_tensor(np.c_[taps], dtype="float32")
        for taps in (wavelet.dec_lo, wavelet.dec_hi)
    )


@pytest.mark.parametrize("kernel_size", [2, 3, 5, 8])
def test_default_depth_is_the_fewest_levels_that_cover_the_length(kernel_size):
    for length in range(2, 400):
        exact = np.log2((length - 1) / (kernel_size - 1) + 1)
        assert default_depth(length, kernel_size) == max(1, np.ceil(exact))
    assert default_depth(1, kernel_size) == 1


@pytest.mark.parametrize("name", ["haar", "db2", "sym4", "bior2.2"])
def test_analysis_is_that_of_pywavelets_at_the_decimated_positions(name):
    wavelet = pywt.Wavelet(name)
    signal = np.random.default_rng(0).normal(size=64)
    depth = 3

    levels = analysis(
        ops.convert_to_tensor(signal[None, :, None], dtype="float32"),
        *wavelet_filters(wavelet),
        depth,
    )

    expected = signal
    first = 0
    for level, (approximation, detail) in enumerate(levels, start=1):
        expected, expected_detail = pywt.dwt(expected, wavelet, mode="zero")
        # A coefficient of PyWavelets is the output of the filter at the odd
        # positions 1, 3, ..: in samples of the signal, at first + i * 2**level.
        first += 2 ** (level - 1)
        positions = np.arange(first, len(signal), 2**level)
        for ours, theirs in (
            (approximation, expected),
            (detail, expected_detail),
        ):
            ours = ops.convert_to_numpy(ours)[0, positions, 0]
            np.testing.assert_allclose(
                ours, theirs[: len(positions)], atol=1e-5
            )


@pytest.mark.parametrize("name", ["haar", "db2", "sym4", "bior2.2"])
def test_kernel_is_the_inverse_transform_of_pywavelets(name):
    wavelet = pywt.Wavelet(name)
    taps, depth = wavelet.dec_len, 3
    tree = Tree.of(taps, depth, "uniform", 2 + 3 * taps)
    weights = np.random.default_rng(1).normal(size=2 + 3 * taps)

    kernel = synthesis(
        *wavelet_filters(wavelet),
        ops.convert_to_tensor(weights[:, None], dtype="float32"),
        tree,
        tree.receptive_field,
    )

    # The synthesis filters are the analysis filters in lag order.
    inverse = pywt.Wavelet(
        "reversed",
        filter_bank=[
            wavelet.rec_lo,
            wavelet.rec_hi,
            wavelet.dec_lo,
            wavelet.dec_hi,
        ],
    )
    expected, start = weights[:1], 1
    for count in tree.counts:
        detail = np.zeros(len(expected))
        detail[:count] = weights[start : start + count]
        start += count
        # Zeros around, since `idwt` cuts `taps - 2` samples at both ends.
        padded = [np.pad(c, taps) for c in (expected, detail)]
        whole = pywt.idwt(*padded, inverse, mode="zero")
        begin = 2 * taps - (taps - 2)
        expected = whole[begin : begin + 2 * (len(expected) - 1) + taps]
    assert kernel.shape == (tree.receptive_field, 1)
    kernel = ops.convert_to_numpy(kernel)[:, 0]
    np.testing.assert_allclose(kernel, expected, atol=1e-5)


@pytest.mark.parametrize(
    ("memory", "memory_size"), [("fading", None), ("uniform", 9)]
)
def test_the_memory_follows_the_definition(memory, memory_size):
    kernel_size, depth, length = 3, 3, 20
    rng = np.random.default_rng(2)
    signal = rng.normal(size=length)
    filters = rng.normal(size=(2, kernel_size))
    tree = Tree.of(kernel_size, depth, memory, memory_size)

    outputs = multires_memory(
        ops.convert_to_tensor(signal[None, :, None], dtype="float32"),
        *(ops.convert_to_tensor(f[:, None], dtype="float32") for f in filters),
        tree,
    )

    approximation, details = slow_tree(
        signal[None, :, None], *filters[..., None], depth
    )
    expected = [approximation[0, :, 0]]
    for level, count in zip(range(depth, 0, -1), tree.counts, strict=True):
        for i in range(count):
            delay = i * 2**level
            detail = details[level - 1][0, :, 0]
            delayed = np.pad(detail, (delay, 0))[:length]
            expected.append(delayed)
    outputs = ops.convert_to_numpy(outputs)[0, :, 0]
    np.testing.assert_allclose(outputs, np.stack(expected, -1), atol=1e-5)


@pytest.mark.parametrize("memory_size", [1, 4, 12])
def test_the_readout_is_the_weighted_sum_of_the_memory(memory_size):
    rng = np.random.default_rng(3)
    tree = Tree.of(3, 3, "uniform", memory_size)
    inputs, *filters, weights = (
        ops.convert_to_tensor(rng.normal(size=shape), dtype="float32")
        for shape in ((2, 17, 3), (3, 3), (3, 3), (memory_size, 3))
    )

    outputs = tree_readout(inputs, *filters, weights, tree)

    memory = ops.convert_to_numpy(multires_memory(inputs, *filters, tree))
    expected = np.einsum("blcm,mc->blc", memory, ops.convert_to_numpy(weights))
    outputs = ops.convert_to_numpy(outputs)
    np.testing.assert_allclose(outputs, expected, atol=1e-5)
