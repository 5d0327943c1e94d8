"""The backend contract for TensorFlow; see `keras_multires.backend`."""

import contextlib
import functools
from types import SimpleNamespace

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from keras_multires.backend import _exports
from keras_multires.backend import _lean_gradients
from keras_multires.backend import _recompilation
from keras_multires.backend import _stream_steps
from keras_multires.backend import _twisted_fft

COMPILES_BY_DEFAULT = True
EXPORT_FORMATS = _exports.FORMATS["tensorflow"]

# A name takes microseconds, which the check of a stream's state would take for
# each tensor.
dtype_name = functools.cache(lambda dtype: dtype.name)
is_exporting = _exports.is_called_by_exporter
layer_norm = _lean_gradients.layer_norm
read_slots = functools.partial(ops.take, axis=1)
write_slots = _stream_steps.write_slots
loop = _stream_steps.loop
# Compilers remove the bookkeeping.
call_layer = keras.layers.Layer.__call__

_COMPLEX = SimpleNamespace(
    complex=tf.complex,
    conj=tf.math.conj,
    fft=tf.signal.fft,
    ifft=tf.signal.ifft,
    real=tf.math.real,
    sum=tf.reduce_sum,
)


def has_values(tensor):
    if isinstance(tensor, np.ndarray):
        return True
    if isinstance(tensor, keras.KerasTensor):
        return False
    return not tf.is_symbolic_tensor(tensor)


def complex_functions():
    return _COMPLEX


def fft_convolve(inputs, kernel):
    return _twisted_fft.convolve(inputs, kernel, _COMPLEX)


def fft_is_faster(batch_size, length, channels):
    if batch_size == 1 and 64 <= length <= 128:
        return length * channels < 2**14
    return length >= 16


def gelu(inputs):
    if is_exporting():
        # TensorFlow's own GELU computes erfc, which ONNX does not have.
        return _lean_gradients.gelu_by_erf(inputs)
    return _lean_gradients.gelu(inputs)


def apply_transition(transition, values):
    # So small a map is faster by hand than as one product a channel.
    return ops.sum(ops.expand_dims(values, 1) * transition, axis=2)


def without_gradients(function):
    return function


def compiled(model, function, state=(), donated=None):
    compile_function = functools.partial(_compiled, function, donated)
    return _recompilation.recompiled_on_change(model, compile_function)


def _compiled(function, donated):
    # Without XLA, a loop copies the whole state at each step.
    compile_by_xla = tf.function(autograph=False, jit_compile=True)
    if donated is None:
        return compile_by_xla(function)

    # XLA writes new values of variables into their memory, but never new values
    # of tensors. Integers stay tensors: TensorFlow keeps integer variables on
    # the host, where XLA on a GPU cannot reach them.
    def to_variable(tensor):
        if isinstance(tensor, tf.Variable) or not tensor.dtype.is_floating:
            return tensor
        return tf.Variable(tensor, trainable=False)

    def value(leaf):
        return leaf.read_value() if isinstance(leaf, tf.Variable) else leaf

    def assign(old, new):
        # A state that was stored may come back in another precision.
        if isinstance(old, tf.Variable) and old.dtype == new.dtype:
            old.assign(new)
            return None
        return new

    @compile_by_xla
    def run(*arguments):
        outputs, updated = function(*keras.tree.map_structure(value, arguments))
        return outputs, keras.tree.map_structure(
            assign, arguments[donated], updated
        )

    @functools.wraps(function)
    def call(*arguments):
        arguments = list(arguments)
        before = keras.tree.map_structure(to_variable, arguments[donated])
        arguments[donated] = before
        outputs, updated = run(*arguments)
        return outputs, keras.tree.map_structure(
            lambda old, new: old if new is None else new, before, updated
        )

    return call


def optimizer_scope(model):
    return model.distribute_strategy.scope()


def export_options(format, input_signature):
    return {}


def export_context(format):
    return contextlib.nullcontext()
