"""Batches of a training set, shuffled anew in each epoch."""

import keras
import numpy as np


class Batches(keras.utils.PyDataset):
    """Batches in an order that depends on nothing but the seed and the epoch.

    The order of Keras's own shuffling depends on what the process has drawn
    before, so a run that is resumed would go on with other batches. On
    TensorFlow, after `keras.utils.set_random_seed`, it is also the same in each
    epoch.

    Args:
        inputs: Array of sequences.
        targets: Array of their targets.
        batch_size: Integer.
        seed: Integer.
    """

    def __init__(self, inputs, targets, batch_size, seed):
        super().__init__()
        self.inputs, self.targets = inputs, targets
        self.batch_size = batch_size
        self.seed = seed
        self.shuffle(0)

    def shuffle(self, epoch):
        """Puts the sequences into the order of an epoch."""
        random = np.random.default_rng([self.seed, epoch])
        self._order = random.permutation(len(self.inputs))

    def __len__(self):
        return -(-len(self._order) // self.batch_size)

    def __getitem__(self, index):
        begin = index * self.batch_size
        rows = self._order[begin : begin + self.batch_size]
        return self.inputs[rows], self.targets[rows]
