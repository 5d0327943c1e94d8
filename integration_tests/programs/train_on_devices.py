"""Trains a small model on several devices, as the examples do.

    python train_on_devices.py OUTPUT_DIR DEVICES NORMALIZATION DROPOUT KILLED

Two devices cannot have equal shares of the last batch of either set. The
process whose rank is KILLED kills itself in the second epoch. The last line of
the output is the validation loss of the model that is saved.
"""

import os
import signal
import sys
from pathlib import Path

import experiment  # before Keras, whose backend it chooses
import keras
import numpy as np

from keras_multires.models import MultiresClassifier
from keras_multires.models import MultiresNet
from testing.example_runs import make_options

NUM_TRAIN, NUM_VALIDATION = 45, 21


class Kill(keras.callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        if self.epoch == 1 and os.environ.get("RANK", "0") == killed:
            os.kill(os.getpid(), signal.SIGKILL)


def watch_shares(model):
    """A set that gets the shapes of what a device of JAX computes on."""
    import jax

    shapes = set()

    def watched_loss(x, *arguments, **options):
        # The part of it that a device has, known when it is compiled.
        jax.debug.inspect_array_sharding(
            x, callback=lambda layout: shapes.add(layout.shard_shape(x.shape))
        )
        return compute_loss(x, *arguments, **options)

    compute_loss, model.compute_loss = model.compute_loss, watched_loss
    return shapes


output_dir, devices, normalization, dropout, killed = sys.argv[1:]
options = make_options(
    Path(output_dir),
    learning_rate=0.02,
    weight_decay=0.01,
    epochs=3,
    batch_size=16,
    devices=int(devices),
)
run = experiment.Run("test", options)

random = np.random.default_rng(0)
size = NUM_TRAIN + NUM_VALIDATION
targets = random.integers(2, size=size, dtype="uint8")
inputs = random.normal(2.0 * targets[:, None, None] - 1, size=(size, 16, 1))
inputs = inputs.astype("float32")
training = inputs[:NUM_TRAIN], targets[:NUM_TRAIN]
validation = inputs[NUM_TRAIN:], targets[NUM_TRAIN:]
parts = training, validation, validation

with run.scope():
    backbone = MultiresNet(
        hidden_dim=8,
        num_layers=1,
        length=16,
        input_channels=1,
        normalization=normalization,
        dropout=float(dropout),
    )
    model = MultiresClassifier(backbone, 2)
    if keras.backend.backend() == "jax":
        shapes = watch_shares(model)
    model.compile(
        optimizer=keras.optimizers.AdamW(
            experiment.warmup_then_cosine(options.preset, NUM_TRAIN),
            weight_decay=options.preset.weight_decay,
            epsilon=1e-8,
        ),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    model.fit(
        run.batches(training),
        epochs=options.preset.epochs,
        shuffle=False,
        validation_data=validation,
        validation_batch_size=options.preset.batch_size,
        callbacks=[*run.start(model, parts, "val_loss", "min"), Kill()],
        verbose=run.verbose,
    )
run.end_training()
if keras.backend.backend() == "jax":
    expected = {8, 13, 5} if devices == "2" else {16, 13, 5}
    assert {shape[0] for shape in shapes} == expected, shapes
model = keras.models.load_model(run.model_path)
run.finish(model, "random numbers", {}, {})
print(model.evaluate(*validation, verbose=0)[0])
