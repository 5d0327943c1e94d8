"""The two memories: which coefficients of the tree a time step remembers.

The tree has levels `1` (finest) to `depth` (coarsest). Each time step `n` keeps
the approximation `a_J[n]` of the coarsest level and, level by level from the
coarsest to the finest, `count` detail coefficients `b_j[n - i * 2**j]`,
`i = 0 .. count - 1`, most recent first. The memories differ in the counts:

- `"fading"` keeps one coefficient of every level: the resolution fades with
  the distance to the past.
- `"uniform"` keeps whole levels of the dependency tree of `a_J[n]`, coarse to
  fine, until `memory_size` coefficients are taken: the resolution is the same
  over the whole receptive field.
"""

import numbers

from keras_multires._validation import INT64_MAX
from keras_multires._validation import check_choice
from keras_multires._validation import check_integer

MEMORIES = ("fading", "uniform")


def _dependency_count(level, kernel_size, depth):
    """Coefficients of a level in the dependency tree of one of level `depth`.

    Solves `c_J = 1`, `c_{j-1} = 2 (c_j - 1) + K`.
    """
    return (2 ** (depth - level) - 1) * (kernel_size - 1) + 1


def check_tree(kernel_size, depth):
    """Checks of a tree that its time steps can be counted.

    Args:
        kernel_size: Integer, taps `K` of the two filters.
        depth: Integer, levels `J` of the tree.

    Returns:
        `(kernel_size, depth)` as `int`.

    Raises:
        ValueError: if one is not an integer, `kernel_size` is below 2 or
            `depth` below 1, or an output looks back further than an int64
            counts: by `(2^J - 1) (K - 1)` time steps.
    """
    kernel_size = check_integer("kernel_size", kernel_size, 2)
    depth = check_integer("depth", depth)
    deepest = (INT64_MAX // (kernel_size - 1) + 1).bit_length() - 1
    if depth > deepest:
        raise ValueError(
            f"`depth` must be at most {deepest} for kernel_size={kernel_size}: "
            "a deeper tree would look back by more than 2**63 - 1 time steps, "
            f"which an int64 cannot count. Received: depth={depth}"
        )
    return kernel_size, depth


def check_counts(kernel_size, counts):
    """Checks numbers of detail coefficients, as `detail_counts` gives them.

    Args:
        kernel_size: Integer, taps `K` of the two filters.
        counts: Integers, coarsest level first.

    Returns:
        A tuple of `int`.

    Raises:
        ValueError: if `counts` are not integers, none for each level and none
            beyond the tree.
    """
    problem = (
        "`counts` must be a tuple of integers, for each level from the "
        "coarsest on, as `detail_counts` gives them. "
        f"Received: counts={counts!r}"
    )
    if not isinstance(counts, (tuple, list)) or not counts:
        raise ValueError(problem)
    try:
        _, depth = check_tree(kernel_size, len(counts))
    except ValueError as error:
        raise ValueError(problem) from error
    for level, count in zip(range(depth, 0, -1), counts, strict=True):
        if (
            isinstance(count, bool)
            or not isinstance(count, numbers.Integral)
            or not 0 <= count <= _dependency_count(level, kernel_size, depth)
        ):
            raise ValueError(problem)
    return tuple(map(int, counts))


def check_memory(memory, memory_size):
    """Checks what can be checked of a memory before its depth is known.

    Args:
        memory: As in `detail_counts`.
        memory_size: As in `detail_counts`.

    Returns:
        `memory_size` as an `int`, or None.

    Raises:
        ValueError: if an argument is out of its range.
    """
    check_choice("memory", memory, MEMORIES)
    if memory == "uniform" and memory_size is None:
        raise ValueError(
            "`memory_size` must be given for memory='uniform'. "
            "Received: memory_size=None"
        )
    if memory_size is None:
        return None
    return check_integer("memory_size", memory_size)


def tree_size(kernel_size, depth):
    """Number of coefficients that one dependency tree holds.

    Args:
        kernel_size: Integer, taps `K` of the two filters.
        depth: Integer, levels of the tree.

    Returns:
        Integer: the largest `memory_size` of the `"uniform"` memory.

    Raises:
        ValueError: if an argument is out of its range, or the tree would look
            back by more than `2**63 - 1` time steps.
    """
    kernel_size, depth = check_tree(kernel_size, depth)
    return 1 + sum(
        _dependency_count(level, kernel_size, depth)
        for level in range(1, depth + 1)
    )


def detail_counts(kernel_size, depth, memory="fading", memory_size=None):
    """Number of detail coefficients remembered of each level.

    Args:
        kernel_size: Integer, taps `K` of the two filters.
        depth: Integer, levels of the tree.
        memory: `"fading"` or `"uniform"`.
        memory_size: Integer, coefficients `M` a time step remembers. Required
            by `"uniform"`; for `"fading"` it can only be `depth + 1`, which is
            the default.

    Returns:
        A tuple of `depth` integers, coarsest level first. With the
        approximation, a time step remembers `M = 1 + sum(counts)` numbers.

    Raises:
        ValueError: if an argument is out of its range, the tree would look
            back by more than `2**63 - 1` time steps, or it holds fewer than
            `memory_size` coefficients.
    """
    kernel_size, depth = check_tree(kernel_size, depth)
    memory_size = check_memory(memory, memory_size)
    if memory == "fading":
        if memory_size is not None and memory_size != depth + 1:
            raise ValueError(
                "`memory_size` of the 'fading' memory must be None or "
                f"`depth + 1`, which is {depth + 1} here. "
                f"Received: memory_size={memory_size!r}"
            )
        return (1,) * depth
    capacity = tree_size(kernel_size, depth)
    if memory_size > capacity:
        raise ValueError(
            f"`memory_size` must be at most {capacity}, the number of "
            f"coefficients in a tree of kernel_size={kernel_size} and "
            f"depth={depth}. Received: memory_size={memory_size}"
        )
    counts = []
    left = memory_size - 1
    for level in range(depth, 0, -1):
        counts.append(min(left, _dependency_count(level, kernel_size, depth)))
        left -= counts[-1]
    return tuple(counts)
