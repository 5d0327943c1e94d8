import keras
from keras import ops


def scan(function, carried, inputs, outputs):
    """Runs time steps one after the other, without gradients.

    PyTorch runs a loop as it is written, and most of the time of a single time
    step goes to what Keras does around each operation. There the step is traced
    once, and its plain operations are run again and again. It must not depend
    on the values of tensors but by operations.

    Args:
        function: Function of `carried` and one of `inputs`, that returns the
            next `carried` and an output. It may write into `carried`.
        carried: Nested structure of tensors.
        inputs: Tensor `(steps, ...)` of at least one step.
        outputs: Tensor `(steps, ...)` to be filled with the outputs.

    Returns:
        `outputs`, filled.
    """
    # Not `keras.ops.scan`, which fails on TensorFlow where what is carried is
    # more than one tensor.
    if keras.backend.backend() != "torch":

        def body(index, values):
            carried, outputs = values
            carried, output = function(carried, inputs[index])
            place = (index, *(0 for _ in output.shape))
            return carried, ops.slice_update(outputs, place, output[None])

        return ops.fori_loop(0, inputs.shape[0], body, (carried, outputs))[1]
    import torch
    from torch.fx.experimental.proxy_tensor import make_fx

    with torch.no_grad():
        # The trace runs a step: what it writes is not to be read again.
        copies = keras.tree.map_structure(torch.clone, carried)
        step = make_fx(function)(copies, inputs[0])
        for value, output in zip(inputs, outputs, strict=True):
            carried, result = step(carried, value)
            output.copy_(result)
    return outputs
