"""Generation that keeps a state, against running the network for each pixel.

    python -m benchmarks.generation --backend jax

The case is 16 RGB images of 32 x 32 from a density model of 8 layers of 64
channels, K = 4. The naive loop runs the compiled network over the whole image
for every pixel and draws that pixel. All of its steps take the same time, so
only some of them are timed. The two ways take turns.
"""

import json
import os
import statistics
import time
from pathlib import Path

import click

from benchmarks.machine import BACKENDS
from benchmarks.machine import describe_machine
from benchmarks.machine import installed_versions


@click.command()
@click.option("--backend", type=click.Choice(BACKENDS), required=True)
@click.option("--num-images", default=16, show_default=True)
@click.option("--side", default=32, show_default=True, help="Pixels a side.")
@click.option("--layers", default=8, show_default=True)
@click.option("--channels", default=64, show_default=True)
@click.option(
    "--naive-steps",
    default=16,
    show_default=True,
    help="Pixels of the naive loop that are timed in each round.",
)
@click.option("--rounds", default=3, show_default=True)
@click.option(
    "--lengths",
    default="256,1024,4096",
    show_default=True,
    help="Pixels of the images whose generation is timed.",
)
@click.option(
    "--depth",
    type=int,
    help="Levels of each layer.  [default: as many as cover the image]",
)
@click.option(
    "--output", type=click.Path(path_type=Path), help="JSON file to write."
)
def main(backend, output, lengths, **case):
    """Time the generation of images with and without a state."""
    os.environ["KERAS_BACKEND"] = backend
    results = {
        "backend": backend,
        "versions": installed_versions(),
        "machine": describe_machine(),
        "case": case,
        "against_the_naive_loop": compare(**case),
        "seconds_by_length": {},
    }
    for length in map(int, lengths.split(",")):
        results["seconds_by_length"][length] = time_length(length, **case)
    text = json.dumps(results, indent=2)
    click.echo(text)
    if output is not None:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text(text + "\n")


def build_model(length, layers, channels, depth):
    import keras

    from keras_multires.models import MultiresDensityModel
    from keras_multires.models import MultiresNet

    keras.utils.set_random_seed(0)
    backbone = MultiresNet.from_preset(
        "cifar10_density",
        load_weights=False,
        length=length,
        hidden_dim=channels,
        num_layers=layers,
        depth=depth,
    )
    return MultiresDensityModel(backbone)


def seconds_of(function):
    from keras import ops

    start = time.perf_counter()
    ops.convert_to_numpy(function())  # waits for the result
    return time.perf_counter() - start


def compare(num_images, side, layers, channels, depth, naive_steps, rounds):
    import numpy as np
    from keras import ops

    from keras_multires.distributions import DiscretizedLogisticMixture

    length = side * side
    model = build_model(length, layers, channels, depth)
    images = np.zeros((num_images, length, 3), "float32")

    def generate():
        return model.generate(num_images, seed=0)

    def generate_naively():
        for index in range(naive_steps):
            outputs = model.predict_on_batch(images)[:, index]
            drawn = DiscretizedLogisticMixture(outputs, 3).sample(seed=index)
            images[:, index] = ops.convert_to_numpy(drawn)
        return images

    first = seconds_of(generate)
    generate_naively()  # compiles
    with_state, naive = [], []
    for _ in range(rounds):
        with_state.append(seconds_of(generate))
        naive.append(seconds_of(generate_naively) / naive_steps * length)
    ratios = [b / a for a, b in zip(with_state, naive, strict=True)]
    return {
        "first_call_seconds": first,
        "seconds": with_state,
        "naive_seconds": naive,
        "ratio": statistics.median(ratios),
        "ratios": ratios,
    }


def time_length(length, num_images, layers, channels, depth, rounds, **_):
    model = build_model(length, layers, channels, depth)
    seconds_of(lambda: model.generate(num_images, seed=0))  # compiles
    return [
        seconds_of(lambda: model.generate(num_images, seed=0))
        for _ in range(rounds)
    ]


if __name__ == "__main__":
    main()
