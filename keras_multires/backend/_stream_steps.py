"""Steps of a stream by Keras's operations, for JAX and TensorFlow."""

from keras import ops


def write_slots(history, slots, values, in_place):
    """Writes by one scatter; the compiler decides whether to copy."""
    batch_size, _, channels = ops.shape(history)
    rows = ops.arange(0, batch_size, dtype="int32")  # jax2onnx needs the 0
    rows = ops.repeat(rows, slots.shape[0])
    columns = ops.tile(slots, (batch_size,))
    return ops.scatter_update(
        history,
        ops.stack([rows, columns], axis=1),
        ops.reshape(values, (-1, channels)),
    )


def loop(function, carried, inputs, outputs):
    """Runs time steps one after another; see the contract.

    Not `keras.ops.scan`, which fails on TensorFlow if more than one tensor is
    carried.
    """

    def body(index, values):
        carried, outputs = values
        carried, output = function(carried, inputs[index])
        place = (index, *(0 for _ in output.shape))
        return carried, ops.slice_update(outputs, place, output[None])

    return ops.fori_loop(0, inputs.shape[0], body, (carried, outputs))[1]
