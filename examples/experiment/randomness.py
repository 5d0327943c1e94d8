"""What is random in an epoch: the same wherever the run began."""

import keras
import numpy as np
from keras.src.backend.common import global_state
from keras.src.random import seed_generator


def global_generator():
    """Keras's seed generator of all that has none of its own."""
    return seed_generator.global_seed_generator()


def seed_epoch(*numbers):
    """Sets all seeds that do not belong to the state of a model.

    These are the seeds of Python, NumPy and the backend. On PyTorch, dropout
    without a seed of its own draws from the last one.

    Args:
        *numbers: Integers which the seeds depend on.
    """
    generator = global_generator()
    (seed,) = np.random.SeedSequence(numbers).generate_state(1)
    keras.utils.set_random_seed(int(seed))
    # Keras has dropped it. Functions that TensorFlow has traced keep it, and
    # its state belongs to the backup.
    global_state.set_global_attribute(
        seed_generator.GLOBAL_SEED_GENERATOR, generator
    )
