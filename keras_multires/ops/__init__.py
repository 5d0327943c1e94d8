"""Pure functions on tensors: the mathematics under the layers."""

from keras_multires.ops.causal_conv import causal_conv
from keras_multires.ops.filter_bank import analysis
from keras_multires.ops.filter_bank import default_depth
from keras_multires.ops.filter_bank import multires_memory
from keras_multires.ops.filter_bank import receptive_field
from keras_multires.ops.filter_bank import synthesis
from keras_multires.ops.filter_bank import tree_readout
from keras_multires.ops.memory import detail_counts
from keras_multires.ops.memory import tree_size

__all__ = [
    "analysis",
    "causal_conv",
    "default_depth",
    "detail_counts",
    "multires_memory",
    "receptive_field",
    "synthesis",
    "tree_readout",
    "tree_size",
]
