"""Which algorithm `"auto"` takes: the rule, and what it was read from.

`python -m benchmarks --only auto` times the tree and the FFT, forward and
backward, compiled as Keras compiles by default, over lengths of 16 to 65,536
steps, 16 and 256 channels, and batches of 1 to 16 sequences. On 2 CPU cores:

- TensorFlow: the FFT is as fast as the tree (1.01 times its time) or faster,
  from 16 steps on.
- JAX: so it is for single sequences (1.14 times the tree's time at 16 steps of
  16 channels, less than 0.55 elsewhere). In batches, the tree is faster at 16
  steps (by up to 1.6) and the FFT from 64 on.
- PyTorch compiles nothing, and takes some milliseconds to call the many small
  operations of the synthesis, however few numbers there are. The two meet
  between 2^16 numbers, for many sequences, and 2^17, for a single one: the
  kernel costs about as much as half a sequence.

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
    if backend == "jax" and batch_size != 1:
        return length >= 32
    if backend == "torch" and batch_size is not None:
        numbers = (batch_size - 0.5) * length * channels
        return length >= 16 and numbers >= 2**16
    return length >= 16
