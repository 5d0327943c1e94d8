import keras


def run_layer(layer, inputs):
    """A layer's outputs in inference mode, without Keras's bookkeeping.

    On PyTorch, which runs layer by layer, the bookkeeping takes longer than the
    arithmetic of a single time step. Others compile it away.

    Args:
        layer: A built layer of Keras.
        inputs: Tensor of the layer's `compute_dtype`.

    Returns:
        A tensor.
    """
    if (
        keras.backend.backend() != "torch"
        # Keras casts and quantises weights in what is left out.
        or layer.compute_dtype != layer.variable_dtype
        or layer.quantization_mode is not None
    ):
        return layer(inputs, **_inference(layer))
    return layer.call(inputs, **_inference(layer))


def _inference(layer):
    if isinstance(layer, keras.layers.BatchNormalization):
        return {"training": False}
    return {}
