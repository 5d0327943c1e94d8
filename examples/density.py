"""Generates images pixel by pixel, as their density is learned.

Trains a `MultiresDensityModel`, which gives each value of a pixel a probability
that depends on the pixels before it. By default it learns scikit-learn's 1,797
digits of 8 x 8 pixels, in one to three minutes on a laptop's processor:

    python -m pip install ".[jax,examples]"
    python examples/density.py

It is measured in bits per dimension: how many bits the value of a pixel's
channel takes if probable values get short codes. Low is good. `--data cifar10
--preset paper` is the paper's experiment. A trained model generates images, or
completes one of which it is given the upper half:

    python examples/density.py --model runs/density/model.keras --generate 16
    python examples/density.py --model runs/density/model.keras --generate 16 \\
        --complete photo.jpg --temperature 0.9 --seed 1
"""

import click
import experiment  # before Keras, whose backend it chooses
import keras
from experiment import images

from keras_multires.losses import BitsPerDimension
from keras_multires.models import MultiresDensityModel
from keras_multires.models import MultiresNet

DIGITS = {
    "model": {"hidden_dim": 32, "num_layers": 3, "dropout": 0.0},
    "num_mixtures": 10,
    "learning_rate": 0.01,
    "warmup_epochs": 0,
    "epochs": 50,
    "batch_size": 16,
}
PAPER = {
    "model": {"hidden_dim": 512, "num_layers": 48, "dropout": 0.1},
    "num_mixtures": 10,
    "learning_rate": 0.001,
    "warmup_epochs": 0,
    "epochs": 250,
    "batch_size": 64,
}
SMALL = {
    **DIGITS,
    "model": {"hidden_dim": 32, "num_layers": 4, "dropout": 0.0},
    "warmup_epochs": 0.1,
    "epochs": 2,
}
TINY = {"hidden_dim": 8, "num_layers": 2, "dropout": 0.1}  # for the tests
SMOKE = {**DIGITS, "model": TINY, "num_mixtures": 2, "epochs": 2}
PRESETS = {
    "digits": {"small": DIGITS, "smoke": {**SMOKE, "batch_size": 64}},
    "cifar10": {
        "paper": PAPER,
        "small": SMALL,
        "smoke": {**SMOKE, "batch_size": 10},
    },
}


@click.command()
@experiment.training_options("runs/density", PRESETS)
@experiment.data_dir_option(
    "Folder of CIFAR-10, as in scifar.py.  [default: download it]"
)
@experiment.generation_options(
    "images", "complete", "IMAGE", "File of an image to complete the lower half"
)
def main(options):
    """Train a model of the density of images, or generate some with one."""
    if options.generate:
        return images.generate(options)
    preset = options.preset
    run = experiment.Run(f"density_{options.data}", options)

    # Bytes `(n, pixels, channels)`, mapped to [-1, 1]: inputs and targets.
    parts, source = images.load_pixels(options.data, options.data_dir)
    pairs = [(pixels, pixels) for pixels in map(images.from_bytes, parts)]
    training, validation, test = pairs
    _, length, channels = training[0].shape

    with run.scope():  # all devices
        backbone = MultiresNet(
            **preset.model,
            length=length,
            input_channels=channels,
            kernel_size=4,
            independent_skip=True,
            output_projection=True,
        )
        model = MultiresDensityModel(backbone, preset.num_mixtures)
        model.compile(
            optimizer=keras.optimizers.Adam(
                experiment.warmup_then_cosine(preset, len(training[0])),
                epsilon=1e-8,
            ),
            loss=BitsPerDimension(preset.num_mixtures),
            jit_compile=options.jit_compile,
        )
        model.fit(
            run.batches(training),
            epochs=preset.epochs,
            shuffle=False,  # the batches are shuffled
            validation_data=validation,
            validation_batch_size=preset.batch_size,
            # They write the log, the best model and a backup to resume from.
            callbacks=run.start(model, pairs, "val_loss", "min"),
            verbose=run.verbose,
        )
    log = run.end_training()

    # The model of the best epoch, and histograms to compare with.
    model = keras.models.load_model(run.model_path)
    bits = model.evaluate(*test, batch_size=preset.batch_size, verbose=0)
    histogram_bits = images.bits_by_histograms(parts[0], parts[2])
    samples, generation = images.generate_samples(model, options.seed)
    results = {
        "test_bits_per_dim": bits,
        "baseline": "histogram_of_each_pixel",
        "baseline_test_bits_per_dim": histogram_bits,
        **generation,
    }

    baselines = {"histogram of each pixel, test": histogram_bits}
    overview = experiment.draw_overview(
        model, log, bits, "bits per dimension", baselines
    )
    pictures = images.draw_samples(model, parts[2], samples, options.seed)
    figures = {"overview.png": overview, "samples.png": pictures}
    run.finish(model, source, results, figures)


if __name__ == "__main__":
    main()
