"""Pure functions on tensors: the mathematics under the layers."""

from keras_multires.ops import streaming
from keras_multires.ops._public import analysis
from keras_multires.ops._public import causal_conv
from keras_multires.ops._public import multires_memory
from keras_multires.ops._public import synthesis
from keras_multires.ops._public import tree_readout
from keras_multires.ops.tree import Tree
from keras_multires.ops.tree import default_depth

__all__ = [
    "Tree",
    "analysis",
    "causal_conv",
    "default_depth",
    "multires_memory",
    "streaming",
    "synthesis",
    "tree_readout",
]
