"""Causal convolution by a complex FFT that needs no zeros, for JAX, TensorFlow.

A circular convolution wraps around; here it does so into the imaginary part.
The spectrum of a signal is its polynomial `sum_n x[n] z^n` at the `L` numbers
`z` with `z^L = i`: the FFT of `x` times a complex exponential that makes a
quarter turn. In a product of such polynomials `z^L` counts as `i`, so the real
part of the product's inverse is the linear convolution, up to step `L`. The
usual way, a real FFT of `2 L` steps, half of them zeros, takes these two
backends longer on a CPU; their compiler fuses turn, products and layout.

Source: "right-angle convolution" in Crandall and Fagin, "Discrete weighted
transforms and large-integer arithmetic", Mathematics of Computation 62, 1994.
"""

import functools
from types import SimpleNamespace

import keras
import numpy as np
from keras import ops

from keras_multires.ops.fft_lengths import fast_length


def convolve(inputs, kernel):
    """Causal convolution; see `causal_conv`."""
    length = inputs.shape[1]
    product = _spectrum(inputs, length) * _spectrum(kernel, length)
    return _signal(product, length)


def gradients(cotangent, inputs, kernel):
    """Gradients of the convolution by its two inputs."""
    length, conj = inputs.shape[1], _complex().conj
    by_outputs = _spectrum(cotangent, length)
    by_inputs = by_outputs * conj(_spectrum(kernel, length))
    by_kernel = by_outputs * conj(_spectrum(inputs, length))
    by_kernel = _complex().sum(by_kernel, 0)
    return _signal(by_inputs, length), _signal(by_kernel, kernel.shape[0])


def _complex():
    """The backend's functions of complex tensors.

    Keras's own take and give two real tensors in place of a complex one, and
    have no conjugate.
    """
    if keras.backend.backend() == "jax":
        import jax
        from jax import numpy as jnp

        fft, ifft = jnp.fft.fft, jnp.fft.ifft
        if keras.distribution.distribution() is not None:
            fft, ifft = (_partitioned(function) for function in (fft, ifft))
        return SimpleNamespace(
            complex=jax.lax.complex,
            conj=jnp.conj,
            fft=fft,
            ifft=ifft,
            real=jnp.real,
            sum=jnp.sum,
        )
    import tensorflow as tf

    return SimpleNamespace(
        complex=tf.complex,
        conj=tf.math.conj,
        fft=tf.signal.fft,
        ifft=tf.signal.ifft,
        real=tf.math.real,
        sum=tf.reduce_sum,
    )


@functools.cache
def _partitioned(function):
    """An FFT of the last axis that each device computes for its own share.

    By itself, JAX gathers the whole batch on every device for an FFT, and on a
    CPU hands it over in a layout that its FFT refuses.
    """
    from jax.experimental.custom_partitioning import custom_partitioning

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


def _quarter_turn(steps, fft_length, dtype):
    """Cosine and sine of the first steps of a quarter turn."""
    angle = np.pi / 2 / fft_length * np.arange(steps)
    return (
        ops.convert_to_tensor(part, dtype=dtype)
        for part in (np.cos(angle), np.sin(angle))
    )


def _spectrum(signal, length):
    """`(.., steps, channels)` to complex `(.., channels, frequencies)`."""
    fft_length = fast_length(length)
    signal = ops.swapaxes(signal, -1, -2)
    steps = signal.shape[-1]
    turn = _quarter_turn(steps, fft_length, signal.dtype)
    parts = [signal * part for part in turn]
    if steps < fft_length:
        zeros = (0, fft_length - steps)
        padding = [(0, 0)] * (len(signal.shape) - 1) + [zeros]
        parts = [ops.pad(part, padding) for part in parts]
    return _complex().fft(_complex().complex(*parts))


def _signal(spectrum, steps):
    """The first steps of the signal of a spectrum, `(.., steps, channels)`."""
    turned = _complex().ifft(spectrum)[..., :steps]
    dtype = _complex().real(turned).dtype
    cos, sin = _quarter_turn(steps, spectrum.shape[-1], dtype)
    signal = _complex().real(turned * _complex().complex(cos, -sin))
    return ops.swapaxes(signal, -1, -2)
