"""Writes Python, byte by byte: a language model of the standard library.

Trains a `MultiresCausalLM` on the sources of the standard library of the Python
that runs it, text that every machine has. keras-nlp samples from it:

    python -m pip install ".[jax,examples,nlp]"
    python examples/text.py

It is measured in bits per byte on files that it has not seen, beside zlib,
lzma, and a model that looks two bytes back. A trained model continues a prompt:

    python examples/text.py --model runs/text/model.keras --generate 3 \\
        --prompt "def main(" --temperature 0.7 --seed 1
"""

import math
import platform

import click
import experiment  # before Keras, whose backend it chooses
import keras
from experiment import python_sources

from keras_multires.models import MultiresCausalLM
from keras_multires.models import MultiresNet

try:
    import keras_nlp
except ImportError:
    keras_nlp = None

SMALL = {
    "model": {"hidden_dim": 128, "num_layers": 4, "dropout": 0.0},
    "length": 256,
    "num_bytes": 4_000_000,
    "learning_rate": 0.005,
    "weight_decay": 0.01,
    "warmup_epochs": 0.1,
    "epochs": 2,
    "batch_size": 16,
}
SMOKE = {  # for the tests
    "model": {"hidden_dim": 8, "num_layers": 2, "dropout": 0.1},
    "length": 32,
    "num_bytes": 5000,
    "learning_rate": 0.01,
    "weight_decay": 0.01,
    "warmup_epochs": 0,
    "epochs": 2,
    "batch_size": 32,
}
PRESETS = {"small": SMALL, "smoke": SMOKE}
PROMPTS = ("import ", "def ", "class ")


@click.command()
@experiment.training_options("runs/text", PRESETS)
@experiment.generation_options(
    "texts", "prompt", "TEXT", "What each of the texts begins with"
)
def main(options):
    """Train a language model of bytes, or generate text with one."""
    if keras_nlp is None:
        raise click.UsageError(
            "keras-nlp, which samples the text, is not installed. "
            "Install it: pip install keras-nlp"
        )
    if options.generate:
        prompts = [options.prompt or "\n"] * options.generate
        sampler = make_sampler(options)
        return python_sources.generate(options.model, prompts, sampler)
    preset = options.preset
    run = experiment.Run("text", options)

    # Token ids `(n, length)`, and the same a step later.
    files = python_sources.read_sources(preset.num_bytes)
    parts = training, validation, test = [
        python_sources.to_sequences(part, preset.length) for part in files
    ]

    with run.scope():  # all devices
        backbone = MultiresNet(
            **preset.model,
            length=preset.length,
            vocabulary_size=python_sources.VOCABULARY_SIZE,
            independent_skip=True,
        )
        model = MultiresCausalLM(backbone)
        model.compile(
            optimizer=keras.optimizers.AdamW(
                experiment.warmup_then_cosine(preset, len(training[0])),
                weight_decay=preset.weight_decay,
                epsilon=1e-8,
            ),
            loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            jit_compile=options.jit_compile,
        )
        model.fit(
            run.batches(training),
            epochs=preset.epochs,
            shuffle=False,  # the batches are shuffled
            validation_data=validation,
            validation_batch_size=preset.batch_size,
            # They write the log, the best model and a backup to resume from.
            callbacks=run.start(model, parts, "val_loss", "min"),
            verbose=run.verbose,
        )
    log = run.end_training()

    # The model of the best epoch.
    model = keras.models.load_model(run.model_path)
    nats = model.evaluate(*test, batch_size=preset.batch_size, verbose=0)
    bits = python_sources.bits_per_byte(nats, test[1])

    # Compressors, and a model that looks two bytes back, to compare with.
    seen, unseen = b"".join(files[0]), b"".join(files[2])
    baselines = python_sources.measure_baselines(seen, unseen)
    results = {
        "test_bits_per_byte": bits,
        "baseline": "order_2_model",
        "baseline_test_bits_per_byte": baselines["order 2 model"],
        "zlib_test_bits_per_byte": baselines["zlib"],
        "lzma_test_bits_per_byte": baselines["lzma"],
    }

    texts = python_sources.generate_texts(model, PROMPTS, make_sampler(options))
    run.write_text("samples.txt", "\n\n----\n\n".join(texts) + "\n")
    log = {name: [nats / math.log(2) for nats in log[name]] for name in log}
    overview = experiment.draw_overview(
        model, log, bits, "bits per byte", baselines
    )
    version = platform.python_version()
    source = f"standard library of Python {version}, {len(seen):,} bytes"
    run.finish(model, source, results, {"overview.png": overview})


def make_sampler(options):
    return keras_nlp.samplers.TopPSampler(
        0.9, temperature=options.temperature, seed=options.seed
    )


if __name__ == "__main__":
    main()
