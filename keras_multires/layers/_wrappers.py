"""Clear errors where Keras's wrappers expect another kind of layer."""

import functools

from keras_multires._validation import require


class NotRecurrent:
    """Mix-in of layers that `keras.layers.Bidirectional` cannot reverse."""

    @classmethod
    def from_config(cls, config):
        # So the wrapper makes its second layer.
        expected = "`Bidirectional` takes recurrent layers only. With two "
        expected += f"`{cls.__name__}`s, add or concatenate `forward(x)` and "
        expected += "`flip(backward(flip(x, axis=1)), axis=1)`, where `flip` "
        expected += "is `keras.ops.flip`. A mask has to be flipped, too."
        received = "a configuration with `go_backwards`"
        require("go_backwards" not in config, expected, received)
        return super().from_config(config)


class KernelMethod:
    """Decorator of a method that is named as the weight of other layers."""

    def __init__(self, method):
        functools.update_wrapper(self, method)

    def __get__(self, layer, kind=None):
        method = self.__wrapped__
        if layer is None:
            return method
        return functools.update_wrapper(_Kernel(method, layer), method)


class _Kernel(functools.partial):
    @property
    def shape(self):
        """`keras.layers.SpectralNormalization` asks for it."""
        expected = "`SpectralNormalization` takes layers whose `kernel` is a "
        expected += "weight. Here it is a method. Bound the weights by "
        expected += "`filter_constraint`, `memory_constraint` and "
        expected += "`skip_constraint`."
        return require(False, expected, layer=self.args[0])
