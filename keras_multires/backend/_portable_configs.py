"""Serialized configurations that name no class of a single backend."""


def for_any_backend(config):
    """Replaces the optimizers of one backend in a configuration by Keras's.

    On PyTorch, Keras serializes optimizers as its own PyTorch subclasses. A
    process with another backend would load those, and train with PyTorch.

    Args:
        config: Nested structure of dicts, lists and values.

    Returns:
        A structure of the same form.
    """
    if isinstance(config, dict):
        config = {k: for_any_backend(v) for k, v in config.items()}
        if str(config.get("module")).startswith("keras.src.backend."):
            config["module"] = "keras.optimizers"
    return config
