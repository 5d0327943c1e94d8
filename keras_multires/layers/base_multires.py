import keras
import numpy as np
import pywt
from keras import ops

from keras_multires._validation import check_integer
from keras_multires._validation import check_keras_object
from keras_multires.initializers import own_initializer
from keras_multires.ops.filter_bank import default_depth
from keras_multires.ops.filter_bank import receptive_field
from keras_multires.ops.memory import check_memory
from keras_multires.ops.memory import detail_counts


def _discrete_wavelet(name):
    if not isinstance(name, str) or name not in pywt.wavelist(kind="discrete"):
        raise ValueError(
            "`wavelet` must be the name of a discrete wavelet of PyWavelets, "
            "one of `pywt.wavelist(kind='discrete')`. "
            f"Received: wavelet={name!r}"
        )
    return pywt.Wavelet(name)


class BaseMultires(keras.layers.Layer):
    """What `MultiresConv` and `MultiresLayer` share: the filters and the tree.

    Args:
        kernel_size: As in the subclasses.
        depth: As in the subclasses.
        memory: As in the subclasses.
        memory_size: As in the subclasses.
        wavelet: As in the subclasses.
        filter_initializer: As in the subclasses.
        filter_regularizer: As in the subclasses.
        filter_constraint: As in the subclasses.
    """

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
            taps = _discrete_wavelet(wavelet).dec_len
            if kernel_size not in (None, taps):
                raise ValueError(
                    f"`kernel_size` must be None or {taps}, the filter length "
                    f"of wavelet={wavelet!r}. "
                    f"Received: kernel_size={kernel_size!r}"
                )
            if filter_initializer is not None:
                raise ValueError(
                    "`filter_initializer` must be None when `wavelet` gives "
                    f"the initial filters. Received: wavelet={wavelet!r}, "
                    f"filter_initializer={filter_initializer!r}"
                )
            kernel_size = taps
        if kernel_size is None:
            kernel_size = 2
        memory_size = check_memory(memory, memory_size)
        if depth is not None:
            depth = check_integer("depth", depth)
            detail_counts(kernel_size, depth, memory, memory_size)
        filter_initializer = check_keras_object(
            "filter_initializer", filter_initializer
        )
        filter_regularizer = check_keras_object(
            "filter_regularizer", filter_regularizer
        )
        filter_constraint = check_keras_object(
            "filter_constraint", filter_constraint
        )
        # `call` casts its inputs, integers too; a kernel is to stay as it is.
        super().__init__(**{**kwargs, "autocast": False})
        self.kernel_size = kernel_size
        self.depth = depth
        self.memory = memory
        self.memory_size = memory_size
        self.wavelet = wavelet
        self.filter_initializer = filter_initializer
        self.filter_regularizer = filter_regularizer
        self.filter_constraint = filter_constraint
        self.supports_masking = True

    def build(self, input_shape):
        self._check_input_shape(input_shape)
        _, length, channels = input_shape
        if channels is None:
            raise ValueError(
                "The number of channels of the inputs must be known. "
                f"Received: input_shape={input_shape}"
            )
        # `depth` stays the argument, so that a copy of the layer may be built
        # for another length.
        self.counts = self._counts_for(length)
        self.input_spec = keras.layers.InputSpec(ndim=3, axes={-1: channels})
        self.scaling_filter = self._add_filter("scaling_filter", channels)
        self.wavelet_filter = self._add_filter("wavelet_filter", channels)

    def _counts_for(self, length):
        """Detail coefficients of each level of a tree for inputs of a length.

        Args:
            length: Integer, or None if `depth` is given.

        Returns:
            A tuple, coarsest level first; see `ops.detail_counts`.
        """
        if self.depth is None and length is None:
            raise ValueError(
                "`depth` must be given when the length of the inputs is "
                "unknown. Received: depth=None, and inputs of length None"
            )
        return detail_counts(
            self.kernel_size,
            self.depth or default_depth(length, self.kernel_size),
            self.memory,
            self.memory_size,
        )

    def _add_filter(self, name, channels):
        index = ("scaling_filter", "wavelet_filter").index(name)
        if self.wavelet is not None:
            wavelet = pywt.Wavelet(self.wavelet)
            taps = (wavelet.dec_lo, wavelet.dec_hi)[index]
            initializer = keras.initializers.Constant(np.c_[taps])
        else:
            # With equal filters, approximation and detail would coincide.
            initializer = own_initializer(
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

    def _check_input_shape(self, shape):
        if len(shape) != 3:
            raise ValueError(
                "`inputs` must have the shape (batch, length, channels). "
                f"Received: input_shape={tuple(shape)}"
            )

    def _prepare(self, inputs, mask):
        """The inputs as floats, with masked steps as zero."""
        inputs = ops.cast(inputs, self.compute_dtype)
        if mask is None:
            return inputs
        return ops.where(
            ops.expand_dims(mask, -1), inputs, ops.zeros_like(inputs)
        )

    @property
    def receptive_field(self):
        """Time steps, the present one included, that an output depends on."""
        if not self.built and self.depth is None:
            raise ValueError(
                "The receptive field is known once `depth` is given or the "
                "layer is built. Received: depth=None"
            )
        levels = len(self.counts) if self.built else self.depth
        return receptive_field(self.kernel_size, levels)

    def get_config(self):
        config = super().get_config()
        config.update(
            kernel_size=self.kernel_size,
            depth=self.depth,
            memory=self.memory,
            memory_size=self.memory_size,
            wavelet=self.wavelet,
            filter_initializer=keras.initializers.serialize(
                self.filter_initializer
            ),
            filter_regularizer=keras.regularizers.serialize(
                self.filter_regularizer
            ),
            filter_constraint=keras.constraints.serialize(
                self.filter_constraint
            ),
        )
        return config
