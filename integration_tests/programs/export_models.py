"""Exports small models in all formats, for `export_test.py`.

    KERAS_BACKEND=jax python integration_tests/programs/export_models.py FOLDER

writes the files, what went in and came out of the models, and the errors.
"""

import json
import sys
from pathlib import Path

import keras
import numpy as np
import torch
import wfdb
from keras import ops

from keras_multires.export import export_step
from keras_multires.layers import MultiresBlock
from keras_multires.layers import MultiresConv
from keras_multires.layers import MultiresLayer
from keras_multires.models import MultiresCausalLM
from keras_multires.models import MultiresClassifier
from keras_multires.models import MultiresDensityModel
from keras_multires.models import MultiresNet
from testing.paths import TESTDATA

SUFFIXES = {
    "tf_saved_model": "",
    "onnx": ".onnx",
    "litert": ".tflite",
    "torch": ".pt2",
}
# Small graphs: exporters take time in proportion to the operations.
SMALL = {"hidden_dim": 4, "num_layers": 1, "depth": 3}


def classifier(length, **options):
    return MultiresClassifier(
        MultiresNet(length=length, **SMALL, **options), num_classes=3
    )


def causal_lm(length, **options):
    return MultiresCausalLM(
        MultiresNet(length=length, vocabulary_size=7, **SMALL, **options)
    )


BATCH_SIZE = 3
# Axes of any size, of the models that `torch.export` meets as Keras's own.
BATCH = {0: torch.export.Dim("batch")}
USER_SHAPES = {
    "functional": [([BATCH, BATCH],)],
    "any_length": ({**BATCH, 1: torch.export.Dim("length")},),
}
POLICIES = ("mixed_float16", "mixed_bfloat16")


def functional(inputs):
    """A user's model, with a mask."""
    length, channels = inputs[0].shape[1:]
    sequences = keras.Input((length, channels))
    mask = keras.Input((length,), dtype="bool")
    outputs = MultiresLayer(depth=3, algorithm="fft")(sequences, mask=mask)
    outputs = MultiresBlock(depth=3)(outputs, mask=mask)
    outputs = MultiresConv(depth=2)(outputs)
    outputs = keras.layers.Reshape((length, 3 * channels))(outputs)
    outputs = keras.layers.GlobalAveragePooling1D()(outputs, mask=mask)
    return keras.Model([sequences, mask], keras.layers.Dense(2)(outputs))


def any_length():
    """A user's model of sequences of any length."""
    sequences = keras.Input((None, 2))
    outputs = MultiresLayer(depth=3, algorithm="fft")(sequences)
    outputs = MultiresBlock(depth=3, normalization="batch")(outputs)
    return keras.Model(sequences, outputs)


def models(record):
    """Each model with its inputs: where "auto" takes the FFT, or "fft"."""
    rng = np.random.default_rng(0)
    # "auto" takes the FFT of so many steps, but on PyTorch only where there are
    # more channels.
    signal = record[:600, :2].reshape(1, 600, 2).repeat(BATCH_SIZE, axis=0)
    signal *= rng.uniform(0.5, 2, size=(BATCH_SIZE, 1, 2)).astype("float32")
    tokens = rng.integers(1, 7, size=(BATCH_SIZE, 30), dtype="int32")
    tokens[0, 20:] = 0
    mask = np.arange(600) < np.array([[400], [600], [1]])
    yield (
        "classifier",
        classifier(600, input_channels=2),
        signal,
    )
    yield (
        "causal_lm",
        causal_lm(30, normalization="batch", algorithm="fft"),
        tokens,
    )
    yield "functional", functional([signal, mask]), [signal, mask]
    yield "any_length", any_length(), signal[:, :20]
    float16, bfloat16 = POLICIES
    yield (
        float16,
        causal_lm(30, dtype=float16),
        tokens,
    )
    yield (
        bfloat16,
        classifier(20, input_channels=2, dtype=bfloat16),
        signal[:, :20],
    )


def streams(record):
    """Models with a record of one patient, as they read it step by step."""
    record = record[None]
    lead = record[..., 0]
    tokens = np.digitize(lead, np.quantile(lead, np.linspace(0, 1, 7))[1:-1])
    channels = record.shape[-1]
    layer = MultiresLayer(kernel_size=3, depth=9)
    layer.build((None, None, channels))
    yield "layer", layer, record
    net = MultiresNet(
        4,
        2,
        length=1000,
        input_channels=channels,
        memory="uniform",
        memory_size=40,
        kernel_size=3,
    )
    yield "net", net, record
    yield "classifier", classifier(1000, input_channels=channels), record
    backbone = MultiresNet(
        length=1000,
        input_channels=3,
        output_projection=True,
        independent_skip=True,
        **SMALL,
    )
    yield (
        "density_model",
        MultiresDensityModel(backbone),
        np.clip(record[..., :3], -1, 1),
    )
    yield "causal_lm", causal_lm(1000), (tokens + 1).astype("int32")


def run(model, inputs):
    """What a model or layer makes of a batch, as an array."""
    if isinstance(model, keras.Model):
        # Compiled as a whole, JAX takes less time than operation by operation.
        return model.predict_on_batch(inputs)
    return ops.convert_to_numpy(model(inputs))


def save(path, inputs, outputs):
    inputs = inputs if isinstance(inputs, list) else [inputs]
    # NumPy's files know no bfloat16.
    np.savez(path, *inputs, outputs=outputs.astype("float32"))


def main(folder):
    keras.utils.set_random_seed(0)
    path = TESTDATA / "ptbxl/records100/00000/00001_lr"
    record = wfdb.rdrecord(str(path)).p_signal.astype("float32")
    errors = {}

    def attempt(name, export, *arguments, **options):
        try:
            export(*arguments, **options)
            errors[name] = None
        except Exception as error:
            errors[name] = f"{type(error).__name__}: {error}"

    for name, model, inputs in models(record):
        outputs = run(model, inputs)
        save(folder / f"{name}.npz", inputs, outputs)
        for format, suffix in SUFFIXES.items():
            if format == "litert" and name in ("any_length", *POLICIES):
                # It takes long; the documentation tells what came of it.
                continue
            options = {"format": format, "verbose": False}
            if format == "torch" and name in USER_SHAPES:
                options["dynamic_shapes"] = USER_SHAPES[name]
            attempt(
                f"{name}{suffix}",
                model.export,
                folder / f"{name}{suffix}",
                **options,
            )
        np.testing.assert_array_equal(
            run(model, inputs).astype("float32"), outputs.astype("float32")
        )
    for name, model, inputs in streams(record):
        save(folder / f"{name}_step.npz", inputs, run(model, inputs))
        file = f"{name}_step.onnx"
        attempt(file, export_step, model, folder / file)
    (folder / "errors.json").write_text(json.dumps(errors))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
