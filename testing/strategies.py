"""Random options of layers, for Hypothesis."""

from hypothesis import strategies as st

from keras_multires.ops.memory import tree_size


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
