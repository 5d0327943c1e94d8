"""The only code that asks which backend of Keras runs.

One of the modules `jax`, `tensorflow` and `torch` is picked once, as Keras
picks its own. All three offer the same names with the same signatures, so the
rest of the library never asks:

What is known of the running program

- `NAME`: name of the backend.
- `COMPILES_BY_DEFAULT`: whether `jit_compile="auto"` compiles.
- `dtype_name(dtype)`: name of a tensor's dtype, such as `"float32"`.
- `has_values(tensor)`: whether a tensor holds values or only stands for some.
- `is_exporting()`: whether the running call is traced for a file that runs
  without Keras.

Mathematics that is fast in another way on each backend

- `fft_convolve(inputs, kernel)`: causal convolution of `(batch, length,
  channels)` with `(taps, channels)`, of one dtype and at most `length` taps.
  Its gradient keeps only the two tensors, and has gradients of its own.
- `fft_is_faster(batch_size, length, channels)`: whether it takes less time than
  the tree. The batch size may be None. Each rule follows from measurements,
  see `benchmarks/algorithm_choice.md`:

  | backend | the tree is faster |
  |---|---|
  | all | below 16 steps (not timed) |
  | JAX | below 32 steps: one sequence of less than 2^9 numbers, or a batch |
  | | of 2^13 numbers or more |
  | TensorFlow | one sequence of 64 to 128 steps and at least 2^14 numbers |
  | PyTorch | below 3 * 2^14 numbers, less half a sequence |

- `gelu(inputs)`: exact GELU.
- `layer_norm(inputs, scale, offset, epsilon)`: layer normalization of the last
  axis, computed in the dtype of `scale` and `offset`, which is float32 or
  float64, and returned in the dtype of `inputs`.

Steps of a stream

- `read_slots(history, slots)`: `history` at int32 slots of its second axis.
- `write_slots(history, slots, values, in_place)`: `history` with `values` at
  distinct slots. With `in_place`, `history` may be overwritten.
- `apply_transition(transition, values)`: `(rows, values, channels)` times
  `(batch, values, channels)`, summed over the values, channel by channel.
- `call_layer(layer, inputs, **options)`: outputs of a built Keras layer,
  without bookkeeping that takes longer than the arithmetic of a single step.
- `loop(function, carried, inputs, outputs)`: runs time steps one after
  another, without gradients. `function` takes `carried` and one of `inputs`,
  returns the next `carried` and an output, may write into `carried`, and must
  not depend on the values of tensors except through operations. Returns
  `outputs`, filled.
- `without_gradients(function)`: the function, recording no gradients where that
  happens unasked.
- `compiled(model, function, state=(), donated=None)`: `function` of tensors
  without side effects except on the variables `state`, compiled where the
  backend compiles, without gradients. The weights of `model` are read at each
  call, and it is compiled again after a change of the layers. `donated` is the
  place of an argument that is not used again: `function` then returns a pair,
  whose second part takes its place in memory.

Training and export

- `optimizer_scope(model)`: context in which the optimizer's variables are made.
- `EXPORT_FORMATS`: for each format of `keras.Model.export` that the backend
  writes, `(modules it needs, dtypes it cannot compute in)`.
- `export_options(format, input_signature)`: arguments that Keras's exporter
  needs beside its own.
- `export_context(format)`: context in which Keras exports.

Beside the contract, `for_any_backend` makes configurations portable, and
`backends_that_export` lists the backends that write a format.

A backend knows neither `ops` nor layers. `contract_test.py` runs on each.
"""

import importlib

import keras

from keras_multires.backend._exports import backends_that_export
from keras_multires.backend._portable_configs import for_any_backend

NAME = keras.backend.backend()

CONTRACT = (
    "COMPILES_BY_DEFAULT",
    "EXPORT_FORMATS",
    "apply_transition",
    "call_layer",
    "compiled",
    "dtype_name",
    "export_context",
    "export_options",
    "fft_convolve",
    "fft_is_faster",
    "gelu",
    "has_values",
    "is_exporting",
    "layer_norm",
    "loop",
    "optimizer_scope",
    "read_slots",
    "without_gradients",
    "write_slots",
)

if NAME not in ("jax", "tensorflow", "torch"):
    raise ImportError(
        "keras_multires runs on the backends jax, tensorflow and torch. "
        f"Received: the backend {NAME!r}"
    )
_module = importlib.import_module(f"{__name__}.{NAME}")
globals().update({name: getattr(_module, name) for name in CONTRACT})

__all__ = [
    "NAME",
    "backends_that_export",
    "for_any_backend",
    *CONTRACT,
]
