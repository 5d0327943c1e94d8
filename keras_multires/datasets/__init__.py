"""Data sets of the examples, as numpy arrays."""

from keras_multires.datasets import digits
from keras_multires.datasets import listops
from keras_multires.datasets import ptbxl
from keras_multires.datasets import scifar

__all__ = ["digits", "listops", "ptbxl", "scifar"]
