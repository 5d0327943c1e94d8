"""Time and memory of the library against the alternatives.

    python -m benchmarks --backend jax

Each case runs in a process of its own, and cases that are compared take turns
(`contest.py`); `suites.py` says what is compared. The results of a backend go
into one JSON file, and those of all backends into the pictures beside it.
"""

import os
import statistics
from pathlib import Path

import click

from benchmarks import plots
from benchmarks import suites
from benchmarks.files import write_json
from benchmarks.machine import BACKENDS
from benchmarks.machine import describe_machine
from benchmarks.machine import installed_versions


@click.command()
@click.option(
    "--backend",
    type=click.Choice(BACKENDS),
    default=os.environ.get("KERAS_BACKEND", "jax"),
    show_default="that of KERAS_BACKEND, or jax",
)
@click.option(
    "--only",
    type=click.Choice(list(suites.SUITES)),
    multiple=True,
    help="A suite to run; may be given several times.  [default: all]",
)
@click.option("--quick", is_flag=True, help="Only the main cases.")
@click.option(
    "--dtype-policy",
    default="float32",
    show_default=True,
    help="Keras's policy.",
)
@click.option(
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("benchmark-results"),
    show_default=True,
    help="Folder of the results. Suites that are not run keep their results.",
)
def main(backend, only, quick, dtype_policy, output):
    """Measure time and memory, and draw them."""
    path = output / f"{backend}.json"
    results = plots.read_results(path) if path.exists() else {}
    results["backend"] = backend
    results["machine"] = describe_machine()
    results["versions"] = installed_versions()
    output.mkdir(parents=True, exist_ok=True)
    for name in only or suites.SUITES:
        suite = suites.SUITES[name]
        results[name] = []
        for group in suite(backend, quick, dtype_policy=dtype_policy):
            results[name].append(group)
            click.echo(describe(name, group))
            write_json(path, results)
    plots.draw(output)
    click.echo(f"Results and pictures: {output}")


def describe(suite, group):
    """A line for each result of a group that was compared."""
    lines = []
    for result in group:
        shape = [
            f"{name}={result[name]}"
            for name in (
                *("preset", "algorithm", "depth", "batch_size", "length"),
                *("channels", "backward"),
            )
            if name in result
        ]
        seconds = statistics.median(result["seconds"])
        line = (
            f"{suite} {result['contender']} {' '.join(shape)}: "
            f"{1e3 * seconds:.4g} ms, {result['peak_bytes'] / 2**20:.0f} MiB, "
            f"first call {result['first_seconds']:.1f} s"
        )
        if "ratio" in result:
            low, high = result["spread"]
            line += (
                f"; {result['ratio']:.2f} times the first's time "
                f"({low:.2f} to {high:.2f}), "
                f"{result['memory_ratio']:.2f} times its memory"
            )
        lines.append(line)
    return "\n".join(lines)


if __name__ == "__main__":
    main()
