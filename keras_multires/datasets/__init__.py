"""Data sets of the examples, as numpy arrays."""

from keras_multires.datasets import digits
from keras_multires.datasets import listops

__all__ = ["digits", "listops"]
