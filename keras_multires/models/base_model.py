import keras

from keras_multires.models.exporting import Exports
from keras_multires.models.input_checks import ChecksInputs
from keras_multires.models.saving import Saves


class BaseModel(Exports, Saves, ChecksInputs, keras.Model):
    """What the models share, beyond what Keras gives them."""

    def make_train_function(self, force=False):
        # TensorFlow traces a step twice if the first makes variables.
        if (
            keras.backend.backend() == "tensorflow"
            and self.built
            and self.optimizer is not None
            and not self.optimizer.built
        ):
            with self.distribute_strategy.scope():
                self.optimizer.build(self.trainable_variables)
        return super().make_train_function(force)
