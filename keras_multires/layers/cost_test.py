"""What the layer costs, by counts that do not depend on a clock.

Each limit is what the code needed when it was last made faster, plus a few
percent. If a count exceeds its limit, either a change made the layer slower or
a new version of a backend compiles it differently. `python -m benchmarks` tells
which.
"""

import re

import keras
import numpy as np
from keras import ops

from keras_multires.layers import MultiresLayer
from testing.gradients import jax_gradients
from testing.gradients import tensorflow_gradients
from testing.gradients import torch_gradients
from testing.gradients import trainable_values

BATCH_SIZE, LENGTH, CHANNELS = 4, 256, 8
BYTES = 4 * BATCH_SIZE * LENGTH * CHANNELS  # of the inputs


def jax_costs(layer, inputs, cotangent):
    import jax

    compiled = (
        jax.jit(jax_gradients(layer))
        .lower(trainable_values(layer), inputs, cotangent)
        .compile()
    )
    shapes = re.findall(r"= c64\[([\d,]+)\]\S* fft\(", compiled.as_text())
    return {
        "FFTs of the batch": sum(s.count(",") == 2 for s in shapes),
        "FFTs": len(shapes),
        "FLOPs": compiled.cost_analysis()["flops"],
        "bytes": compiled.memory_analysis().temp_size_in_bytes,
    }


def tensorflow_costs(layer, inputs, cotangent):
    import tensorflow as tf

    both = tf.function(tensorflow_gradients(layer))
    graph = both.get_concrete_function(inputs, cotangent).graph
    operations = graph.get_operations()
    ffts = [o for o in operations if o.type in ("FFT", "IFFT")]
    return {
        "FFTs of the batch": sum(len(o.outputs[0].shape) == 3 for o in ffts),
        "FFTs": len(ffts),
        "operations": len([o for o in operations if o.type != "Const"]),
    }


def torch_costs(layer, inputs, cotangent):
    from torch.utils._python_dispatch import TorchDispatchMode

    class Count(TorchDispatchMode):
        def __init__(self):
            super().__init__()
            self.operations = []

        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            outputs = function(*args, **(kwargs or {}))
            self.operations.append((function.__name__, outputs))
            return outputs

    both = torch_gradients(layer, trainable_values(layer))
    with Count() as count:
        both(inputs, cotangent)
    ffts = [o for name, o in count.operations if name.startswith("_fft")]
    return {
        "FFTs of the batch": sum(outputs.ndim == 3 for outputs in ffts),
        "FFTs": len(ffts),
        "operations": len(count.operations),
    }


LIMITS = {
    # XLA finds that the gradient computes two spectra anew, and keeps them.
    "jax": {
        "FFTs of the batch": 4,
        "FFTs": 6,
        "FLOPs": 3.3e6,
        "bytes": 7 * BYTES,
    },
    # The synthesis has more operations than with one product for both phases of
    # a filter, but takes less time: under XLA, and on PyTorch at 1,024 steps
    # (half, for 256 channels; a tenth more at 64 steps of 32 channels).
    "tensorflow": {"FFTs of the batch": 5, "FFTs": 8, "operations": 425},
    "torch": {"FFTs of the batch": 5, "FFTs": 8, "operations": 480},
}


def test_the_cost_of_a_layer_does_not_grow():
    random = np.random.default_rng(0)
    inputs, cotangent = (
        ops.cast(random.normal(size=(BATCH_SIZE, LENGTH, CHANNELS)), "float32")
        for _ in range(2)
    )
    layer = MultiresLayer(algorithm="fft")
    layer.build(inputs.shape)
    backend = keras.backend.backend()
    measure = {
        "jax": jax_costs,
        "tensorflow": tensorflow_costs,
        "torch": torch_costs,
    }[backend]

    costs = measure(layer, inputs, cotangent)

    assert costs.keys() == LIMITS[backend].keys()
    for name, cost in costs.items():
        assert 0 < cost <= LIMITS[backend][name], (name, cost)
