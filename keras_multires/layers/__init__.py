"""Keras layers of the multiresolution convolution."""

from keras_multires.layers.multires_block import MultiresBlock
from keras_multires.layers.multires_conv import MultiresConv
from keras_multires.layers.multires_layer import MultiresLayer

__all__ = ["MultiresBlock", "MultiresConv", "MultiresLayer"]
