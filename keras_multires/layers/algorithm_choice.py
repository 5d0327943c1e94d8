"""Which algorithm `"auto"` takes: the rule, and what it was read from.

`python -m benchmarks --only auto` times the tree and the FFT, forward and
backward, compiled as Keras compiles by default, over lengths of 16 to 65,536
steps, 16 and 256 channels, and batches of 1 to 16 sequences. On 2 CPU cores:

- TensorFlow: the FFT is as fast as the tree (1.03 times its time) or faster,
  from 16 steps on, but for single sequences of 64 to 128 steps: of 2^14 numbers
  it took 1.18 times the tree's time, and 1.66 of 2^16 (64 steps of 1,024
  channels, timed beside the grid). At 32 steps the tree takes longer than
  at 64: its sums over time seem to run on one thread there.
- JAX: so it is from 32 steps on. At 16 steps it depends on the numbers. For
  single sequences the tree is faster at 2^8 (the FFT took 1.46 times its time,
  1.14 and 1.34 in other runs), as fast at 2^9, and four times slower at 2^12,
  for XLA sums over a batch of one slowly. In batches the FFT is faster at 2^12
  (0.82), the tree at 2^15 (the FFT took 1.5 times its time).
- PyTorch compiles nothing, and takes some milliseconds to call the many small
  operations of the synthesis, however few numbers there are. The kernel costs
  about as much as half a sequence: with it taken off, the FFT took 1.2 times
  the tree's time at 2^15 numbers, and 0.77 to 1.15 times at nearly 2^16.

Shorter sequences than 16 steps were not timed; they run the tree.
"""

import keras


def fft_is_faster(batch_size, length, channels):
    """Whether the FFT takes less time than the tree.

    Args:
        batch_size: Integer, or None for a large one.
        length: Integer, time steps.
        channels: Integer.

    Returns:
        A boolean.
    """
    backend = keras.backend.backend()
    if backend == "jax" and 16 <= length < 32:
        if batch_size == 1:
            return length * channels >= 2**9
        return batch_size is not None and batch_size * length * channels < 2**13
    if backend == "tensorflow" and batch_size == 1 and 64 <= length <= 128:
        return length * channels < 2**14
    if backend == "torch" and batch_size is not None:
        numbers = (batch_size - 0.5) * length * channels
        return length >= 16 and numbers >= 3 * 2**14
    return length >= 16
