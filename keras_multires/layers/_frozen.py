"""`trainable=False` of a layer that has layers."""


def keep_frozen(layer):
    """Freezes the sublayers of a layer that was made with `trainable=False`.

    Keras does so only when the attribute is set, and not for sublayers that are
    added later.
    """
    if not layer.trainable:
        # TensorFlow skips an attribute that is set to the value that it has.
        layer.trainable = True
        layer.trainable = False
