"""The backend contract for JAX; see `keras_multires.backend`."""

import contextlib
import functools
from types import SimpleNamespace

import jax
import keras
import numpy as np
from jax import numpy as jnp
from jax.experimental.custom_partitioning import custom_partitioning
from keras import ops

from keras_multires.backend import _exports
from keras_multires.backend import _lean_gradients
from keras_multires.backend import _recompilation
from keras_multires.backend import _stream_steps
from keras_multires.backend import _twisted_fft

COMPILES_BY_DEFAULT = True
EXPORT_FORMATS = _exports.FORMATS["jax"]

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


def has_values(tensor):
    if isinstance(tensor, np.ndarray):
        return True
    return not isinstance(tensor, (keras.KerasTensor, jax.core.Tracer))


def complex_functions():
    fft, ifft = jnp.fft.fft, jnp.fft.ifft
    if keras.distribution.distribution() is not None:
        fft, ifft = _partitioned(fft), _partitioned(ifft)
    return SimpleNamespace(
        complex=jax.lax.complex,
        conj=jnp.conj,
        fft=fft,
        ifft=ifft,
        real=jnp.real,
        sum=jnp.sum,
    )


@functools.cache
def _partitioned(function):
    """An FFT of the last axis that each device computes for its own share.

    By itself, JAX gathers the whole batch on every device for an FFT. On a CPU
    it then passes the batch in a layout that its FFT refuses.
    """

    def transform(tensor):
        return function(tensor)

    def partition(mesh, arguments, result):
        shardings = tuple(argument.sharding for argument in arguments)
        return mesh, transform, result.sharding, shardings

    partitioned = custom_partitioning(transform)
    partitioned.def_partition(
        partition=partition,
        sharding_rule="... t -> ... f",
        need_replication_factors=("t", "f"),
    )
    return partitioned


def fft_convolve(inputs, kernel):
    return _twisted_fft.convolve(inputs, kernel, complex_functions())


def fft_is_faster(batch_size, length, channels):
    if length >= 32:
        return True
    if length < 16:
        return False
    if batch_size == 1:
        return length * channels >= 2**9
    return batch_size is not None and batch_size * length * channels < 2**13


def gelu(inputs):
    if is_exporting():
        return ops.gelu(inputs, approximate=False)
    return _lean_gradients.gelu(inputs)


def apply_transition(transition, values):
    # XLA on a CPU would compute each number of one sum by itself, which took
    # most of the time of a step.
    total = values[:, :1] * transition[:, 0]
    for index in range(1, transition.shape[1]):
        total += values[:, index : index + 1] * transition[:, index]
    return total


def without_gradients(function):
    return function


def compiled(model, function, state=(), donated=None):
    # The first argument is the weights.
    donated = () if donated is None else 1 + donated

    def compile_function():
        variables = [*model.variables, *state]

        @functools.partial(jax.jit, donate_argnums=donated)
        def pure(values, *arguments):
            # Values that are read from the variables would become constants.
            mapping = list(zip(variables, values, strict=True))
            with keras.StatelessScope(state_mapping=mapping) as scope:
                outputs = function(*arguments)
            return outputs, [scope.get_current_value(v) for v in state]

        @functools.wraps(function)
        def call(*arguments):
            values = [variable.value for variable in variables]
            outputs, updated = pure(values, *arguments)
            for variable, value in zip(state, updated, strict=True):
                variable.assign(value)
            return outputs

        return call

    return _recompilation.recompiled_on_change(model, compile_function)


def optimizer_scope(model):
    return contextlib.nullcontext()


def export_options(format, input_signature):
    return {}


def export_context(format):
    return contextlib.nullcontext()
