"""A linear model, to compare the model of a lesson with."""

import keras


def fit_linear(features, num_outputs, training, validation, loss):
    """Trains a linear model and keeps the weights of its best epoch.

    It does so in the same way whatever the options, so that results compare,
    and long enough on a small data set, too.

    Args:
        features: List of Keras layers from the inputs to what the model is
            linear in, `(batch, features)`.
        num_outputs: Integer, number of logits.
        training: Pair of arrays, inputs and targets.
        validation: Another such pair.
        loss: Loss of Keras.

    Returns:
        The model, which gives logits.
    """
    shape = training[0].shape[1:]
    is_tokens = len(shape) == 1
    model = keras.Sequential(
        [
            keras.Input(shape, dtype="int32" if is_tokens else "float32"),
            *features,
            keras.layers.Dense(num_outputs, dtype="float32"),
        ]
    )
    batch_size = 256
    steps_per_epoch = -(-len(training[0]) // batch_size)
    epochs = max(30, 2000 // steps_per_epoch)
    schedule = keras.optimizers.schedules.CosineDecay(
        1e-3, epochs * steps_per_epoch
    )
    model.compile(keras.optimizers.Adam(schedule), loss)
    model.fit(
        *training,
        batch_size=batch_size,
        epochs=epochs,
        validation_data=validation,
        verbose=0,
        callbacks=[
            keras.callbacks.EarlyStopping(
                patience=50, restore_best_weights=True
            )
        ],
    )
    return model
