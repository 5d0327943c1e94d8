"""Trains a small model in two precisions, for `mixed_precision_test.py`.

    KERAS_BACKEND=jax python integration_tests/programs/fit_half_precision.py

prints, as JSON, the accuracy and the optimizer of each precision, and the
number of steps and the scale of the loss in half precision.
"""

import json

import keras
import numpy as np

from keras_multires.datasets import digits
from keras_multires.models import MultiresClassifier
from keras_multires.models import MultiresNet

EPOCHS = 10
STEPS_PER_EPOCH = 20


def build_model():
    """The classifier of `examples/digits.py`."""
    backbone = MultiresNet(
        hidden_dim=32,
        num_layers=2,
        length=64,
        input_channels=1,
        independent_skip=True,
        normalization="batch",
        dropout=0.1,
    )
    return MultiresClassifier(
        backbone,
        num_classes=10,
        preprocessing=keras.layers.Rescaling(1 / 8, offset=-1),
    )


def main():
    (inputs, labels), _, test = digits.load_data()
    accuracies, optimizers = {}, {}
    for policy in ("float32", "mixed_float16"):
        keras.config.set_dtype_policy(policy)
        keras.utils.set_random_seed(0)
        model = build_model()
        rate = keras.optimizers.schedules.CosineDecay(
            0.02, EPOCHS * STEPS_PER_EPOCH
        )
        model.compile(
            keras.optimizers.AdamW(rate, weight_decay=0.01, epsilon=1e-8),
            keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        )
        model.fit(inputs, labels, batch_size=64, epochs=EPOCHS, verbose=0)
        logits = model.predict(test[0], verbose=0)
        assert logits.dtype == policy.removeprefix("mixed_")
        accuracies[policy] = float(np.mean(logits.argmax(axis=-1) == test[1]))
        optimizers[policy] = type(model.optimizer).__name__
        steps = int(model.optimizer.iterations)
        scale = getattr(model.optimizer, "dynamic_scale", None)
    print(json.dumps([accuracies, optimizers, steps, float(scale)]))


if __name__ == "__main__":
    main()
