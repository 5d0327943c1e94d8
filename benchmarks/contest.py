"""Times cases against each other: A B A B, each in a process of its own.

A process of its own gives each case its own backend and its own peak of memory.
The cases take turns, so that whatever slows the machine slows all of them.
"""

import contextlib
import json
import statistics
import subprocess
import tempfile

from testing.paths import ROOT
from testing.programs import command
from testing.programs import environment


class Contestant:
    """A process that builds a case when asked to, and then computes it.

    Args:
        case: As in `workloads.build`.
        backend: Name of the backend of Keras. The plain layer always runs on
            PyTorch.
        errors: Open text file for the standard error of the process, which is
            shown only if the process fails: TensorFlow writes much there that
            is not an error.
    """

    def __init__(self, case, backend, errors):
        self.case = case
        self.first_seconds = None
        self.seconds = []
        if case.get("contender", "").startswith("plain"):
            backend = "torch"
        self.errors = errors
        self.process = subprocess.Popen(
            command("-m", "benchmarks.worker", json.dumps(case)),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            cwd=ROOT,
            env=environment(
                backend,
                TF_CPP_MIN_LOG_LEVEL="3",
                # Several processes share a GPU.
                XLA_PYTHON_CLIENT_PREALLOCATE="false",
                TF_FORCE_GPU_ALLOW_GROWTH="true",
            ),
        )

    def _read(self):
        line = self.process.stdout.readline()
        if not line:
            self.process.wait()
            self.errors.seek(0)
            raise RuntimeError(
                f"The case {self.case} ended with the exit status "
                f"{self.process.returncode}.\n{self.errors.read()[-3000:]}"
            )
        return json.loads(line)

    def ask(self, question):
        # If the process has ended, `_read` says why.
        with contextlib.suppress(BrokenPipeError):
            print(question, file=self.process.stdin, flush=True)
        return self._read()

    def build(self):
        self.first_seconds = self.ask("build")

    def end(self):
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        self.process.wait()


def run(cases, backend, rounds=5):
    """Times cases in turn.

    Args:
        cases: List of cases. The others are compared with the first.
        backend: Name of the backend.
        rounds: Integer, turns of each case.

    Returns:
        List of a dict for each case: the case, `"first_seconds"`, `"seconds"`
        of each round and `"peak_bytes"`. All except the first also have, by
        comparison with the first, the median `"ratio"` of the seconds, its
        `"spread"` (lowest and highest round) and `"memory_ratio"`.
    """
    results = []
    with contextlib.ExitStack() as stack:
        contestants = []
        for case in cases:
            errors = stack.enter_context(tempfile.TemporaryFile("w+"))
            contestants.append(Contestant(case, backend, errors))
            stack.callback(contestants[-1].end)
        # All import at the same time. What is timed follows one by one:
        # processes that compile at the same time slow each other down.
        for contestant in contestants:
            contestant.ask("import")
        for contestant in contestants:
            contestant.build()
        for _ in range(rounds):
            for contestant in contestants:
                contestant.seconds.append(contestant.ask("seconds"))
        for contestant in contestants:
            results.append(
                {
                    **contestant.case,
                    "first_seconds": contestant.first_seconds,
                    "seconds": contestant.seconds,
                    "peak_bytes": contestant.ask("bytes"),
                }
            )
    first = results[0]
    for result in results[1:]:
        ratios = [
            b / a
            for a, b in zip(first["seconds"], result["seconds"], strict=True)
        ]
        result["ratio"] = statistics.median(ratios)
        result["spread"] = [min(ratios), max(ratios)]
        result["memory_ratio"] = result["peak_bytes"] / first["peak_bytes"]
    return results
