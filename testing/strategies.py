"""Random options of layers, for Hypothesis."""

from hypothesis import strategies as st


def tree_size(kernel_size, depth):
    """Number of coefficients in the whole dependency tree.

    Level `j` has `c_j` details: `c_J = 1` and `c_{j-1} = 2 (c_j - 1) + K`.
    """
    size, count = 1, 1
    for _ in range(depth):
        size += count
        count = 2 * (count - 1) + kernel_size
    return size


@st.composite
def tree_options(draw, max_kernel_size, max_depth, max_memory_size):
    """Draws the options of a layer that determine its tree."""
    kernel_size = draw(st.integers(2, max_kernel_size))
    depth = draw(st.integers(1, max_depth))
    options = {"kernel_size": kernel_size, "depth": depth}
    if draw(st.booleans()):
        largest = min(tree_size(kernel_size, depth), max_memory_size)
        options["memory"] = "uniform"
        options["memory_size"] = draw(st.integers(1, largest))
    return options
