"""Checks that each of two devices of JAX transforms its own share."""

import jax
import keras
import numpy as np
from jax.sharding import NamedSharding
from jax.sharding import PartitionSpec

from keras_multires.ops import causal_conv

devices = keras.distribution.list_devices()
assert len(devices) == 2
keras.distribution.set_distribution(
    keras.distribution.DataParallel(devices=devices)
)
mesh = jax.sharding.Mesh(jax.devices(), ("batch",))
inputs = np.random.default_rng(0).normal(size=(4, 64, 3)).astype("float32")
kernel = inputs[0]


def both(inputs, kernel):
    outputs, gradient = jax.vjp(causal_conv, inputs, kernel)
    return outputs, *gradient(outputs)


compiled = (
    jax.jit(both)
    .lower(
        jax.device_put(inputs, NamedSharding(mesh, PartitionSpec("batch"))),
        jax.device_put(kernel, NamedSharding(mesh, PartitionSpec())),
    )
    .compile()
)
assert "all-gather" not in compiled.as_text()
assert "c64[2,3,64]" in compiled.as_text()  # half of the batch on each
