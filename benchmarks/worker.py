"""A process that computes one case as often as it is asked to.

    python -m benchmarks.worker '{"kind": "layer", ...}'

Each line that it reads is a question, and each that it writes is the answer, in
JSON. The first question, `import`, is answered when Keras is imported; `build`
asks for the seconds that building and the first computation take, compilation
included; `seconds` and `bytes` follow. `contest.py` asks.
"""

import json
import sys
import time
from pathlib import Path

import keras
from keras import ops

from benchmarks import workloads

# Long enough for a clock, short enough for a change of turns.
SECONDS_A_TURN = 0.3


def seconds(workload):
    """Seconds of one computation, the mean of a turn."""
    # During the turns of others the caches were filled with their data.
    workloads.wait(workload())
    if _is_on_gpu():
        return _device_seconds(workload)
    count, start = 0, time.perf_counter()
    elapsed = 0
    while elapsed < SECONDS_A_TURN:
        workloads.wait(workload())
        count += 1
        elapsed = time.perf_counter() - start
    return elapsed / count


def _is_on_gpu():
    if keras.backend.backend() != "torch":
        return False
    import torch

    return torch.cuda.is_available()


def _device_seconds(workload, count=10):
    """Seconds by the clock of the device, since the host runs ahead of it."""
    import torch

    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    start.record()
    for _ in range(count):
        workload()
    end.record()
    torch.cuda.synchronize()
    return start.elapsed_time(end) / 1000 / count


def peak_bytes(workload, before):
    """Most memory that one computation takes, without that of the libraries.

    On a GPU this is what the backend has allocated there, on a CPU what the
    process holds of the machine's memory. Weights and inputs are included.
    """
    backend = keras.backend.backend()
    if _is_on_gpu():
        import torch

        torch.cuda.reset_peak_memory_stats()
        workloads.wait(workload())
        return torch.cuda.max_memory_allocated()
    if backend == "jax":
        import jax

        statistics = jax.devices()[0].memory_stats()
        if statistics is not None:
            return statistics["peak_bytes_in_use"]
    if backend == "tensorflow":
        import tensorflow as tf

        if tf.config.list_physical_devices("GPU"):
            tf.config.experimental.reset_memory_stats("GPU:0")
            workloads.wait(workload())
            return tf.config.experimental.get_memory_info("GPU:0")["peak"]
    # Linux begins a new peak at the memory in use.
    Path("/proc/self/clear_refs").write_text("5")
    workloads.wait(workload())
    return resident_bytes("VmHWM") - before


def resident_bytes(name):
    """A size of the memory of this process that Linux reports, in bytes."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(name):
            return 1024 * int(line.split()[1])
    raise KeyError(name)


def main(case):
    # Starts the backend, and imports what Keras imports for it.
    keras.utils.set_random_seed(0)
    workloads.wait(ops.sum(ops.ones((8, 8))))
    before = resident_bytes("VmRSS")
    workload = None
    for question in map(str.strip, sys.stdin):
        if question == "import":
            answer = None
        elif question == "build":
            start = time.perf_counter()
            workload = workloads.build(case)
            workloads.wait(workload())
            answer = time.perf_counter() - start
            seconds(workload)  # warms up
        elif question == "seconds":
            answer = seconds(workload)
        else:
            answer = peak_bytes(workload, before)
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
