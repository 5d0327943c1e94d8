import keras

from keras_multires.backend import is_exporting
from keras_multires.ops.activations import layer_norm


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
    options = {}
    if isinstance(layer, keras.layers.BatchNormalization):
        options["training"] = False
    if (
        keras.backend.backend() == "torch"
        # Keras casts and quantises weights in what is left out.
        and layer.compute_dtype == layer.variable_dtype
        and layer.quantization_mode is None
    ):
        return layer.call(inputs, **options)
    return layer(inputs, **options)


def run_layer_norm(layer, inputs):
    """A layer normalization of the last axis.

    Args:
        layer: A built `keras.layers.LayerNormalization`.
        inputs: Tensor of the layer's `compute_dtype`.

    Returns:
        A tensor.
    """
    if keras.backend.backend() == "torch":
        import torch

        # By the tracer of its older ONNX exporter, which Keras takes for
        # batches of any size, PyTorch finds no number of channels in Keras's.
        if not torch.jit.is_tracing():
            return layer(inputs)
    elif is_exporting():
        # What exporters know well; there is no gradient to be lean.
        return layer(inputs)
    return layer_norm(inputs, layer.gamma, layer.beta, layer.epsilon)
