"""What `MultiresConv` and `MultiresLayer` share: the filters and the tree."""

import keras
import numpy as np
import pywt
from keras import ops

from keras_multires._validation import check_input_shape
from keras_multires._validation import check_integer
from keras_multires._validation import check_real
from keras_multires._validation import require
from keras_multires.initializers import initializer_of_weight
from keras_multires.layers._options import declares_options
from keras_multires.layers._options import options_of
from keras_multires.layers._padding import without_padding
from keras_multires.layers._wrappers import NotRecurrent
from keras_multires.ops.tree import Tree
from keras_multires.ops.tree import check_memory
from keras_multires.ops.tree import default_depth


class BaseMultires(NotRecurrent, keras.layers.Layer):
    """The filter bank of a layer. The subclasses document the options."""

    @declares_options()
    def __init__(
        self,
        kernel_size=None,
        depth=None,
        memory="fading",
        memory_size=None,
        wavelet=None,
        filter_initializer=None,
        filter_regularizer=None,
        filter_constraint=None,
        **kwargs,
    ):
        if kernel_size is not None:
            kernel_size = check_integer("kernel_size", kernel_size, 2)
        if wavelet is not None:
            taps = _check_wavelet(wavelet).dec_len
            fits = kernel_size in (None, taps)
            expected = f"`kernel_size` must be None or {taps}, as in `wavelet`."
            require(fits, expected, kernel_size=kernel_size, wavelet=wavelet)
            expected = (
                "`filter_initializer` must be None if `wavelet` is given."
            )
            given = {"filter_initializer": filter_initializer}
            require(filter_initializer is None, expected, **given)
            kernel_size = taps
        if kernel_size is None:
            kernel_size = 2
        memory_size = check_memory(memory, memory_size)
        if depth is not None:
            depth = check_integer("depth", depth)
            Tree.of(kernel_size, depth, memory, memory_size)
        # `call` casts its inputs, integers too.
        super().__init__(**{**kwargs, "autocast": False})
        self.kernel_size = kernel_size
        self.depth = depth
        self.memory_size = memory_size
        self.supports_masking = True

    def build(self, input_shape):
        check_input_shape(input_shape)
        _, length, channels = input_shape
        # `depth` stays the argument, so that a copy of the layer may be built
        # for another length.
        self.tree = self._tree_for(length)
        self.input_spec = keras.layers.InputSpec(ndim=3, axes={-1: channels})
        self.scaling_filter = self._add_filter("scaling_filter", channels)
        self.wavelet_filter = self._add_filter("wavelet_filter", channels)

    def _tree_for(self, length):
        """The tree for inputs of a length, or of any if `depth` is given."""
        is_known = self.depth is not None or length is not None
        expected = "`depth` must be given if the length of inputs is unknown."
        require(is_known, expected, "depth=None, and inputs of length None")
        depth = self.depth or default_depth(length, self.kernel_size)
        return Tree.of(self.kernel_size, depth, self.memory, self.memory_size)

    def _add_filter(self, name, channels):
        index = ("scaling_filter", "wavelet_filter").index(name)
        if self.wavelet is not None:
            wavelet = pywt.Wavelet(self.wavelet)
            taps = (wavelet.dec_lo, wavelet.dec_hi)[index]
            initializer = keras.initializers.Constant(np.c_[taps])
        else:
            # With equal filters, approximation and detail would coincide.
            initializer = initializer_of_weight(
                self.filter_initializer, self.kernel_size, index
            )
        return self.add_weight(
            name=name,
            shape=(self.kernel_size, channels),
            initializer=initializer,
            regularizer=self.filter_regularizer,
            constraint=self.filter_constraint,
            # The kernel is synthesised in full precision.
            autocast=False,
        )

    def _prepare(self, inputs, mask):
        """The inputs as floats, with masked steps as zero."""
        check_real(inputs)
        return without_padding(ops.cast(inputs, self.compute_dtype), mask)

    @property
    def receptive_field(self):
        """Time steps that an output depends on, including its own."""
        if self.built:
            return self.tree.receptive_field
        # An error without `depth`, since no length is known yet.
        return self._tree_for(None).receptive_field

    def get_config(self):
        return {**super().get_config(), **options_of(self)}


def _check_wavelet(name):
    is_name = isinstance(name, str) and name in pywt.wavelist(kind="discrete")
    expected = "`wavelet` must be one of `pywt.wavelist(kind='discrete')`."
    require(is_name, expected, wavelet=name)
    return pywt.Wavelet(name)
