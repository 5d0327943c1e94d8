"""The learning rate of the published experiments."""

import keras


def warmup_then_cosine(preset, num_sequences):
    """Rises from zero in a line, then falls to zero in a cosine, step by step.

    Args:
        preset: Namespace of `learning_rate` (the highest), `warmup_epochs` (in
            which it rises), `epochs` and `batch_size`.
        num_sequences: Integer, size of the training set.

    Returns:
        A schedule of Keras.
    """
    steps_per_epoch = -(-num_sequences // preset.batch_size)
    warmup_steps = round(preset.warmup_epochs * steps_per_epoch)
    return keras.optimizers.schedules.CosineDecay(
        0.0,
        # Keras needs one step at least, even if the run ends before it.
        max(preset.epochs * steps_per_epoch - warmup_steps, 1),
        warmup_target=preset.learning_rate,
        warmup_steps=warmup_steps,
    )
