"""What a copy of a layer or model must have in common with it."""

import keras


def traits(layer):
    """What training and files depend on, of a layer and all layers in it.

    Returns:
        A dict from the names on the way to a layer to its class, flag, dtype
        policy and LoRA rank, and for each weight its shape, dtype and flag.
        The inputs of models are left out.
    """
    found = {}

    def visit(layer, path):
        weights = (*layer._trainable_variables, *layer._non_trainable_variables)
        if not isinstance(layer, keras.layers.InputLayer):
            found[path] = (
                type(layer).__name__,
                layer.trainable,
                keras.dtype_policies.serialize(layer.dtype_policy),
                getattr(layer, "lora_rank", None),
                {
                    v.name: (tuple(v.shape), v.dtype, v.trainable)
                    for v in weights
                },
            )
        for sublayer in layer._flatten_layers(False, recursive=False):
            visit(sublayer, (*path, sublayer.name))

    visit(layer, ())
    return found
