import keras

from keras_multires.models.exporting import Exports
from keras_multires.models.input_checks import ChecksInputs
from keras_multires.models.saving import Saves


class BaseModel(Exports, Saves, ChecksInputs, keras.Model):
    """What the models share, beyond what Keras gives them."""
