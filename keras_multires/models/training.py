"""What `fit` needs of a model that contains layers of this library.

The functions take any Keras model. The models of this library call them from
their own methods.
"""

import functools

import keras
import numpy as np
from keras import ops

from keras_multires import backend

__all__ = ["build_optimizer", "check_data"]


def build_optimizer(model):
    """Makes the optimizer's variables before the first training step.

    TensorFlow traces a training step twice if the first call makes variables.
    With this call before `fit`, it traces once.

    Args:
        model: A compiled `keras.Model`. If it or one of its layers is not built
            yet, nothing is done, and Keras makes the variables in the first
            step.
    """
    optimizer = getattr(model, "optimizer", None)
    if optimizer is None or optimizer.built:
        return
    # A subclass may add a layer that Keras builds in the first step.
    if all(layer.built for layer in model._flatten_layers()):
        with backend.optimizer_scope(model):
            optimizer.build(model.trainable_variables)


def check_data(model, x=None, y=None):
    """Checks arrays before a loop over them starts.

    Inside `fit` the model may be compiled, and sees no values. Layers of this
    library refuse token ids outside the vocabulary and pixels outside [-1, 1].
    In a Functional model this function computes what reaches them.

    Args:
        model: A `keras.Model`: one of this library, or one that contains some.
        x: The inputs. Only arrays and tensors are checked, not data sets.
        y: The targets.

    Raises:
        ValueError: if a layer of this library refuses the values.
    """
    if hasattr(model, "check_inputs"):
        if _is_array(x):
            model.check_inputs(x)
        if _is_array(y):
            model.check_targets(y)
    elif x is not None and getattr(model, "inputs", None):
        for layer in model.layers:
            if hasattr(layer, "check_inputs"):
                inputs = keras.Model(model.inputs, layer.input)
                layer.check_inputs(inputs.predict(x, verbose=0))


def checks_data(method):
    """The method of a model, with `check_data` before it.

    Args:
        method: Method of `keras.Model` whose first argument is `x`, and whose
            second one is `y` if it is an array.
    """

    @functools.wraps(method)
    def checked(self, x=None, *args, **kwargs):
        check_data(self, x, args[0] if args else kwargs.get("y"))
        validation = kwargs.get("validation_data")
        if isinstance(validation, (tuple, list)):
            check_data(self, *validation[:2])
        return method(self, x, *args, **kwargs)

    return checked


def _is_array(value):
    return isinstance(value, np.ndarray) or ops.is_tensor(value)
