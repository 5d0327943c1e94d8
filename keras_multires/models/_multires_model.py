"""`MultiresModel`: what the backbone and the tasks share."""

import functools
from types import SimpleNamespace

import keras

from keras_multires import backend
from keras_multires import export
from keras_multires.layers._streams import Streams
from keras_multires.models import saving
from keras_multires.models import training
from keras_multires.models.training import checks_data


class MultiresModel(Streams, keras.Model):
    """A model that runs step by step, and checks arrays before it trains.

    A subclass has `built_shape`, the shape of the inputs that it was built for.
    """

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        # Not a dict, which Keras would track as a part of the model.
        self._compiled = SimpleNamespace(steps={})

    def _mark_built(self):
        """Says that all weights are there, as `build` does.

        A constructor must not call `build`: Keras then refuses the layers and
        weights that a subclass adds.
        """
        self.built = True
        self._post_build()  # PyTorch learns of the parameters

    def check_targets(self, targets):
        """Raises a `ValueError` for targets that the model refuses."""

    def _run_step(self, inputs, state, transition, in_place):
        """Compiles single steps, and records no gradients.

        A stream has thousands of single steps of one shape. Chunks of several
        steps come in many shapes, and run as they are.
        """
        is_compiled = (
            inputs.shape[1] == 1
            and not self.run_eagerly
            and backend.has_values(inputs)
        )
        if not is_compiled:
            step = backend.without_gradients(self._step)
            return step(inputs, state, transition, in_place)
        steps = self._compiled.steps
        if in_place not in steps:
            steps[in_place] = backend.compiled(
                self,
                functools.partial(self._step, in_place=in_place),
                # The state is the second argument.
                donated=1 if in_place else None,
            )
        return steps[in_place](inputs, state, transition)

    fit = checks_data(keras.Model.fit)
    evaluate = checks_data(keras.Model.evaluate)
    predict = checks_data(keras.Model.predict)
    train_on_batch = checks_data(keras.Model.train_on_batch)
    test_on_batch = checks_data(keras.Model.test_on_batch)
    predict_on_batch = checks_data(keras.Model.predict_on_batch)

    def compute_loss(
        self, x=None, y=None, y_pred=None, sample_weight=None, training=True
    ):
        self._mask_outputs(x, y_pred)
        return super().compute_loss(x, y, y_pred, sample_weight, training)

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        self._mask_outputs(x, y_pred)
        return super().compute_metrics(x, y, y_pred, sample_weight)

    def _mask_outputs(self, inputs, outputs):
        """Gives outputs the mask that they have after `__call__`.

        On JAX, Keras runs `call` instead, and a mask does not pass through the
        functions that transform a training step.
        """
        if inputs is not None and outputs is not None:
            self._set_mask_metadata(inputs, outputs, None)

    def make_train_function(self, force=False):
        training.build_optimizer(self)
        return super().make_train_function(force)

    def get_compile_config(self):
        return saving.portable_compile_config(super().get_compile_config())

    def save(self, filepath, overwrite=True, zipped=None, **kwargs):
        """As `keras_multires.models.save_model`."""
        saving.save_model(self, filepath, overwrite, zipped, **kwargs)

    def save_weights(self, filepath, overwrite=True, max_shard_size=None):
        """As `keras_multires.models.save_weights`."""
        saving.save_weights(self, filepath, overwrite, max_shard_size)

    def load_weights(self, filepath, skip_mismatch=False, **kwargs):
        """As `keras_multires.models.load_weights`."""
        saving.load_weights(self, filepath, skip_mismatch, **kwargs)

    def export(
        self,
        filepath,
        format="tf_saved_model",
        verbose=None,
        input_signature=None,
        **kwargs,
    ):
        """As `keras_multires.export.export_model`."""
        export.export_model(
            self, filepath, format, verbose, input_signature, **kwargs
        )
