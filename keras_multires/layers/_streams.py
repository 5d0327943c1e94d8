"""What layers and models that run step by step have in common."""

import dataclasses

import keras
from keras import ops

from keras_multires._validation import check_boolean
from keras_multires._validation import check_built
from keras_multires._validation import check_integer
from keras_multires._validation import check_structure
from keras_multires._validation import check_tensor
from keras_multires._validation import require

SOURCES = "`get_initial_state`, the last `step` or `transition` of this layer"


@dataclasses.dataclass(slots=True)
class TensorSpec:
    """Shape and dtype of a tensor. A size of None fits any."""

    shape: tuple
    dtype: str


class Streams:
    """Mix-in: the public door of a stream, above an unchecked core.

    A class that uses it has these methods, which trust their arguments:

    - `_stream_specs(batch_size)`: nested `TensorSpec`s of the state, and
      those of the transition.
    - `_transition()`: the transition.
    - `_step_axes()`: the axes of the inputs of a step, for `check_tensor`.
    - `_step(inputs, state, transition, in_place)`: the outputs and the state.

    It may have a method `check_inputs`, which refuses values.
    """

    def get_initial_state(self, batch_size):
        """State of `step` before the first time step.

        Args:
            batch_size: Integer, sequences that run side by side.

        Returns:
            Nested tensors that may be stored like any others. A layer's state
            is a dict of `"history"`, `(batch_size, size, channels)` with the
            past that the layer still needs, and `"position"`, an int32 scalar.
            A backbone's state is the list of its blocks' states. A task's state
            is its backbone's, or a dict of that and what it needs itself.

        Raises:
            ValueError: if `batch_size` is not a positive integer, the layer is
                not built, or `depth` makes the state so large that int32 cannot
                count its places.
        """
        batch_size = check_integer("batch_size", batch_size)
        check_built(self, "get_initial_state")
        return self._initial_state(batch_size)

    def _initial_state(self, batch_size):
        state, _ = self._stream_specs(batch_size)
        return keras.tree.map_structure(
            lambda spec: ops.zeros(spec.shape, dtype=spec.dtype), state
        )

    def check_inputs(self, inputs):
        """Raises a `ValueError` for values that the layer refuses."""

    def transition(self):
        """What `step` needs of the weights for a single time step.

        Returns:
            Nested tensors: one `(updates, values, channels)` for each layer,
            see `keras_multires.ops.streaming.transition_matrices`.

        Raises:
            ValueError: if the layer is not built.
        """
        check_built(self, "transition")
        return self._transition()

    def step(self, inputs, state, transition=None, in_place=False):
        """Outputs of the next time steps of a sequence, in inference mode.

        However a sequence is cut into chunks, the outputs are those of the
        whole sequence. A single step looks up the few past values that it
        needs. Several steps at once cost time in proportion to the receptive
        field and the number of steps. After an input that is not finite, single
        steps give NaN from then on: start again with a new state.

        Args:
            inputs: The next time steps of each sequence, at least one, without
                padding. Otherwise as the inputs of `call`.
            state: What `get_initial_state` or the last `step` returned.
            transition: Optional result of the method `transition`, for single
                steps with weights that do not change in between: it takes
                longer to compute than a step.
            in_place: Whether `state` may be overwritten, so that it cannot be
                used again. That saves a copy for a single step: on PyTorch,
                and on JAX and TensorFlow in the compiled `step` of a model. The
                state that TensorFlow returns then holds a `tf.Variable`.

        Returns:
            `(outputs, state)`: the outputs of `call` at these steps (the logits
            of the sequence so far, for a classifier), and the state after them.

        Raises:
            ValueError: if `inputs`, `state` or `transition` do not fit the
                layer or each other, or the layer is not built.
        """
        if not self.built:
            check_built(self, "step")
        axes = self._step_axes()
        inputs = check_tensor("inputs", inputs, axes)
        expected = "The inputs of `step` must have at least one step."
        require(inputs.shape[1] != 0, expected, f"inputs.shape={inputs.shape}")
        self.check_inputs(inputs)
        given, expected = {"state": state}, {}
        specs = self._stream_specs(inputs.shape[0])
        expected["state"], expected["transition"] = specs
        if transition is None:
            del expected["transition"]
        else:
            given["transition"] = transition
        parts = check_structure(given, expected, SOURCES)
        if in_place is not False:
            in_place = check_boolean("in_place", in_place)
        return self._run_step(
            inputs, parts["state"], parts.get("transition"), in_place
        )

    def _run_step(self, inputs, state, transition, in_place):
        return self._step(inputs, state, transition, in_place)
