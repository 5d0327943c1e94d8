"""The tree: what its shape alone says, before there is any tensor.

The tree has levels `1` (finest) to `J` (coarsest). Level `j` takes the
approximation of level `j - 1` and filters it by `K` taps that lie `2^(j-1)`
steps apart. Each time step `n` remembers the approximation `a_J[n]` and, level
by level from the coarsest to the finest, some detail coefficients
`b_j[n - i 2^j]`, `i = 0 .. count - 1`, most recent first. The two memories
differ in the counts:

- `"fading"` keeps one coefficient of every level: the resolution fades with
  the distance to the past.
- `"uniform"` keeps whole levels of the dependency tree of `a_J[n]`, coarse to
  fine, until `memory_size` coefficients are taken: the resolution is the same
  over the whole receptive field. That tree has `c_j` coefficients of level `j`,
  where `c_J = 1` and `c_{j-1} = 2 (c_j - 1) + K`.
"""

import dataclasses
import functools
from typing import NamedTuple

import numpy as np

from keras_multires._validation import INT64_MAX
from keras_multires._validation import check_choice
from keras_multires._validation import check_integer
from keras_multires._validation import is_integer
from keras_multires._validation import require

__all__ = ["Tree", "default_depth"]

MEMORIES = ("fading", "uniform")


class LookBack(NamedTuple):
    """The past values of one signal that every time step needs.

    A stream keeps that past in a ring: the value of time `t` is at slot
    `t mod size`. All rings lie side by side in one tensor, the history.
    """

    index: int  # its place in `Tree.look_backs`
    lags: range  # of the past values, in time steps
    size: int  # slots of its ring
    start: int  # its ring's first slot in the history


class Level(NamedTuple):
    """One level of the tree."""

    number: int  # j; 1 is the finest
    spacing: int  # time steps between two remembered details, 2^j
    count: int  # remembered details
    weights: slice  # those of the details among the memory weights
    receptive_field: int  # time steps that a coefficient depends on
    inputs: LookBack  # at the approximation of the level before
    details: LookBack | None  # at its own details, if it remembers several


class Places(NamedTuple):
    """Of each value that one time step reads or writes, int32 arrays.

    Those that it reads come first, look-back by look-back; then comes the new
    value of each ring.
    """

    start: np.ndarray  # its ring's first slot in the history
    size: np.ndarray  # slots of its ring
    lag: np.ndarray  # its age in time steps


@dataclasses.dataclass(frozen=True)
class Tree:
    """The shape of a tree: its filters' length, and what it remembers.

    Args:
        kernel_size: Integer, taps `K` of the two filters.
        counts: Tuple of integers, the remembered detail coefficients of each
            level, coarsest level first. `Tree.of` computes them.

    Raises:
        ValueError: if `kernel_size` is below 2, `counts` are not integers that
            the tree has, or it looks back by more than `2**63 - 1` time steps.

    Example:

    >>> tree = keras_multires.ops.Tree.of(kernel_size=2, depth=10)
    >>> tree.memory_size, tree.receptive_field
    (11, 1024)
    """

    kernel_size: int
    counts: tuple

    def __post_init__(self):
        kernel_size = check_integer("kernel_size", self.kernel_size, 2)
        counts = self.counts
        is_list = isinstance(counts, (tuple, list))
        are_right = is_list and 1 <= len(counts) <= _max_depth(kernel_size)
        are_right = are_right and all(
            is_integer(count)
            and 0 <= count <= _dependencies(kernel_size, level)
            for level, count in enumerate(counts)
        )
        expected = (
            "`counts` must be a tuple of integers, as `Tree.of` gives it."
        )
        require(are_right, expected, counts=counts)
        object.__setattr__(self, "kernel_size", kernel_size)
        object.__setattr__(self, "counts", tuple(map(int, counts)))

    @classmethod
    def of(cls, kernel_size, depth, memory="fading", memory_size=None):
        """The tree of a memory.

        Args:
            kernel_size: Integer, taps `K` of the two filters.
            depth: Integer, levels `J`.
            memory: `"fading"` or `"uniform"`.
            memory_size: Integer, coefficients `M` that a time step remembers.
                `"uniform"` requires it. For `"fading"` it can only be
                `depth + 1`, which is the default.

        Returns:
            A `Tree`.

        Raises:
            ValueError: if an argument is out of its range, the tree would look
                back by more than `2**63 - 1` time steps, or it holds fewer
                than `memory_size` coefficients.
        """
        kernel_size = check_integer("kernel_size", kernel_size, 2)
        depth = check_integer("depth", depth)
        deepest = _max_depth(kernel_size)
        expected = f"at most {deepest} for kernel_size={kernel_size}, so that "
        expected += "an int64 can count the time steps that the tree looks back"
        require(depth <= deepest, f"`depth` must be {expected}.", depth=depth)
        memory_size = check_memory(memory, memory_size)
        if memory == "fading":
            sizes, allowed = [1] * depth, (None, depth + 1)
            expected = f"None or `depth + 1`, which is {depth + 1} here"
        else:
            sizes = [_dependencies(kernel_size, j) for j in range(depth)]
            allowed = range(1, 2 + sum(sizes))
            expected = f"at most {1 + sum(sizes)}, the coefficients of the tree"
        expected = f"`memory_size` for memory={memory!r} must be {expected}."
        require(memory_size in allowed, expected, memory_size=memory_size)
        counts, left = [], depth if memory_size is None else memory_size - 1
        for size in sizes:
            counts.append(min(left, size))
            left -= counts[-1]
        return cls(kernel_size, tuple(counts))

    @property
    def depth(self):
        """Levels `J`."""
        return len(self.counts)

    @functools.cached_property
    def memory_size(self):
        """Coefficients `M` that a time step remembers."""
        return 1 + sum(self.counts)

    @functools.cached_property
    def receptive_field(self):
        """Time steps that an output depends on, including its own."""
        return _receptive_field(self.kernel_size, self.depth)

    @functools.cached_property
    def levels(self):
        """A `Level` for each level, finest first."""
        levels, start = [], 0
        end = self.memory_size
        look_backs = 0

        def look_back(lags, size):
            nonlocal start, look_backs
            found = LookBack(look_backs, lags, size, start)
            start += size
            look_backs += 1
            return found

        for number, count in enumerate(reversed(self.counts), 1):
            spacing, past = 2**number, self.kernel_size - 1
            dilation = spacing // 2
            inputs = look_back(
                range(dilation, dilation * past + 1, dilation), dilation * past
            )
            details = None
            if count > 1:
                reach = spacing * (count - 1)
                # `K - 1` times a power of two, as all sizes are, so that each
                # divides the largest and one position serves all rings.
                doublings = (-(-reach // past) - 1).bit_length()
                details = look_back(
                    range(spacing, reach + 1, spacing), past * 2**doublings
                )
            levels.append(
                Level(
                    number,
                    spacing,
                    count,
                    slice(end - count, end),
                    _receptive_field(self.kernel_size, number),
                    inputs,
                    details,
                )
            )
            end -= count
        return tuple(levels)

    @functools.cached_property
    def look_backs(self):
        """Every `LookBack` of the levels, in the order of their rings."""
        found = []
        for level in self.levels:
            found.append(level.inputs)
            if level.details is not None:
                found.append(level.details)
        return tuple(found)

    @functools.cached_property
    def history_size(self):
        """Past values that a stream keeps of each channel."""
        return sum(look_back.size for look_back in self.look_backs)

    @functools.cached_property
    def num_past_values(self):
        """Past values of each channel that one time step reads."""
        return sum(len(look_back.lags) for look_back in self.look_backs)

    @functools.cached_property
    def transition_shape(self):
        """First two axes of the linear map of a time step: results, values."""
        return len(self.look_backs) + 1, self.num_past_values + 1

    @functools.cached_property
    def places(self):
        """Where the values that one time step reads and writes lie."""
        read = [
            (look_back.start, look_back.size, lag)
            for look_back in self.look_backs
            for lag in look_back.lags
        ]
        written = [
            (look_back.start, look_back.size, 0)
            for look_back in self.look_backs
        ]
        columns = np.array(read + written, dtype="int32").T
        return Places(*np.ascontiguousarray(columns))

    @functools.cached_property
    def period(self):
        """Time steps after which all rings are at their first slot again."""
        return max(look_back.size for look_back in self.look_backs)


def check_memory(memory, memory_size):
    """Checks what can be checked of a memory before its depth is known.

    Args:
        memory: As in `Tree.of`.
        memory_size: As in `Tree.of`.

    Returns:
        `memory_size` as an `int`, or None.

    Raises:
        ValueError: if an argument is out of its range.
    """
    check_choice("memory", memory, MEMORIES)
    is_given = memory == "fading" or memory_size is not None
    expected = "`memory_size` must be given for memory='uniform'."
    require(is_given, expected, memory_size=memory_size)
    if memory_size is None:
        return None
    return check_integer("memory_size", memory_size)


def default_depth(length, kernel_size):
    """Smallest depth whose receptive field covers a sequence.

    Args:
        length: Integer, time steps `N` of the sequence.
        kernel_size: Integer, taps `K` of the two filters.

    Returns:
        Integer, `ceil(log2((N - 1) / (K - 1) + 1))`, and at least 1.

    Raises:
        ValueError: if `length` is not an integer from 1 to `2**63 - 1`, or
            `kernel_size` is not an integer of at least 2.
    """
    length = check_integer("length", length, maximum=INT64_MAX)
    kernel_size = check_integer("kernel_size", kernel_size, 2)
    depth = 1
    while _receptive_field(kernel_size, depth) < length:
        depth += 1
    return depth


def _receptive_field(kernel_size, depth):
    return (2**depth - 1) * (kernel_size - 1) + 1


def _dependencies(kernel_size, levels_below):
    """Coefficients, in the dependency tree, of a level below the coarsest."""
    return _receptive_field(kernel_size, levels_below)


def _max_depth(kernel_size):
    return (INT64_MAX // (kernel_size - 1) + 1).bit_length() - 1
