"""Everything worth measuring on a GPU, in one call of ten minutes.

    python -m benchmarks.gpu --backend torch

It compares golden values on the GPU, times layer and training step against the
plain layer, compiled and not, measures the achieved fraction of the memory
bandwidth, and runs sequences of up to a million steps and training steps of the
paper's models. It runs in float32 with TF32 products (PyTorch's default for
convolutions, switched on for everything else) and then in bfloat16. The most
important parts come first, and no part begins once the time is up. `--small`
tries the script on a CPU.
"""

import json
import os
import statistics
import time
from pathlib import Path

import click

from benchmarks import contest
from benchmarks import plots
from benchmarks import suites
from benchmarks.__main__ import describe
from benchmarks.files import write_json
from benchmarks.machine import BACKENDS
from benchmarks.machine import describe_machine
from benchmarks.machine import gpu_name
from benchmarks.machine import installed_versions
from testing.programs import run_tests

# As in the paper.
BATCH_SIZES = {
    "scifar": 50,
    "listops": 50,
    "ptbxl_all": 50,
    "cifar10_density": 16,
}
MILLION = tuple(4**exponent for exponent in range(5, 11))
POLICIES = ("float32", "mixed_bfloat16")


@click.command()
@click.option(
    "--backend",
    type=click.Choice(BACKENDS),
    default=os.environ.get("KERAS_BACKEND", "torch"),
    show_default="that of KERAS_BACKEND, or torch",
)
@click.option(
    "--minutes", default=9.0, show_default=True, help="After it no part begins."
)
@click.option("--small", is_flag=True, help="Small cases, to try the script.")
@click.option(
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("gpu-results"),
    show_default=True,
)
def main(backend, minutes, small, output):
    """Measure on a GPU."""
    deadline = time.monotonic() + 60 * minutes
    # PyTorch reads it; JAX and TensorFlow use TF32 by themselves.
    os.environ["TORCH_ALLOW_TF32_CUBLAS_OVERRIDE"] = "1"
    output.mkdir(parents=True, exist_ok=True)
    path = output / f"{backend}.json"
    results = {
        "backend": backend,
        "machine": gpu_name() or describe_machine(),
        "versions": installed_versions(),
        "tf32": True,
    }
    for name, part in parts(backend, small):
        if time.monotonic() > deadline:
            click.echo(f"No time left for {name}.")
            continue
        results.setdefault(name, [])
        try:
            for result in part():
                results[name].append(result)
                write_json(path, results)
                if isinstance(result, list):
                    click.echo(describe(name, result))
                else:
                    click.echo(f"{name}: {json.dumps(result)}")
                if time.monotonic() > deadline:
                    break
        except RuntimeError as error:  # a case out of memory ends its part
            click.echo(f"{name}: {error}")
            results[name].append({"error": str(error)})
            write_json(path, results)
    plots.draw(output)


def parts(backend, small):
    """Pairs of a name and a function that yields results."""
    length = {"length": 64, "channels": 8} if small else {}
    batch_sizes = dict.fromkeys(BATCH_SIZES, 1) if small else BATCH_SIZES
    layers = {"num_layers": 1} if small else {}
    lengths = (256, 1024) if small else MILLION
    contenders = () if small else ("plain-compiled",)
    yield "golden", lambda: golden(backend)
    for policy in POLICIES:
        suffix = "" if policy == "float32" else "_bfloat16"
        shared = {"dtype_policy": policy}

        def layer(shared=shared):
            # Recurrent layers would take most of the time.
            return suites.layer(
                backend, True, contenders=contenders, **length, **shared
            )

        def step(shared=shared):
            return suites.step(
                backend, False, batch_sizes=batch_sizes, **layers, **shared
            )

        yield f"layer{suffix}", layer
        yield (
            f"bandwidth{suffix}",
            lambda shared=shared: bandwidth(backend, **length, **shared),
        )
        yield f"step{suffix}", step
    yield "lengths", lambda: suites.lengths(backend, False, lengths=lengths)
    yield "streaming", lambda: suites.streaming(backend, small)


def golden(backend):
    """Runs the tests against the published code on the GPU."""
    result = run_tests(
        *("keras_multires/layers", "keras_multires/models"),
        *("-k", "published and eager"),
        backend=backend,
        check=False,
    )
    tail = result.stdout.splitlines()[-3:]
    yield {"status": result.returncode, "tail": tail}


def bandwidth(backend, length=1024, channels=256, batch_size=64, **shared):
    """Bytes that a layer must move at least, against a copy of its inputs.

    Forward, it reads the inputs and writes the outputs; backward, it reads the
    cotangent and the inputs and writes a gradient: five times the inputs. A
    copy moves twice.
    """
    case = {
        "kind": "layer",
        "batch_size": batch_size,
        "length": length,
        "channels": channels,
        "backward": True,
        **shared,
    }
    copy = {**case, "kind": "copy", "contender": "copy"}
    ours = {**case, "contender": "multires"}
    ours, copy = contest.run([ours, copy], backend, rounds=5)
    seconds, of_copy = (
        statistics.median(result["seconds"]) for result in (ours, copy)
    )
    yield {
        **case,
        "seconds": seconds,
        "seconds_of_a_copy": of_copy,
        "fraction_of_bandwidth": 5 / 2 * of_copy / seconds,
    }


if __name__ == "__main__":
    main()
