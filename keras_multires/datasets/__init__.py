"""Data sets of the worked examples."""

from keras_multires.datasets import digits

__all__ = ["digits"]
