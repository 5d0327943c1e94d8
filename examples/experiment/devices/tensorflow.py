"""Several devices of TensorFlow, by its `MirroredStrategy`."""

import contextlib

import keras
import tensorflow as tf

from experiment.devices.base import Devices
from experiment.devices.base import MeanStatistics
from experiment.devices.base import check_number


def accelerators():
    """Names of the accelerators of this machine."""
    return [
        tf.config.experimental.get_device_details(device)["device_name"]
        for device in tf.config.list_physical_devices("GPU")
    ]


class SeveralDevices(Devices):
    """Devices of TensorFlow's `MirroredStrategy`.

    Batch normalisation takes the statistics of the shares, which are averaged
    at the end of an epoch.
    """

    def __init__(self, number):
        super().__init__(number)
        kind = "GPU"
        names = tf.config.list_physical_devices(kind)
        check_number(number, len(names))
        if not names:
            kind = "CPU"
            (processor,) = tf.config.list_physical_devices(kind)
            # Fails if TensorFlow has already started.
            with contextlib.suppress(RuntimeError):
                tf.config.set_logical_device_configuration(
                    processor, [tf.config.LogicalDeviceConfiguration()] * number
                )
        self.strategy = tf.distribute.MirroredStrategy(
            [f"{kind}:{index}" for index in range(number)]
        )

    def scope(self):
        return self.strategy.scope()

    def share(self, model):
        train_step, test_step = model.train_step, model.test_step
        compute_loss = model.compute_loss

        def own_share(data):
            context = tf.distribute.get_replica_context()
            index = context.replica_id_in_sync_group

            def cut(array):
                # TensorFlow fills one device's share after the other, and
                # leaves little or nothing of a last batch to the last ones. It
                # cannot gather integers of less than 32 bits.
                is_short = array.dtype.is_integer and array.dtype.size < 4
                whole = context.all_gather(
                    tf.cast(array, "int32") if is_short else array, axis=0
                )
                size = tf.shape(whole)[0]
                begin = index * size // self.number
                share = whole[begin : (index + 1) * size // self.number]
                # The gathered batch has lost its shape, which losses check.
                share = tf.ensure_shape(share, (None, *array.shape[1:]))
                return tf.cast(share, array.dtype)

            return keras.tree.map_structure(cut, data)

        def weighted_loss(
            x=None, y=None, y_pred=None, sample_weight=None, training=True
        ):
            loss = compute_loss(x, y, y_pred, sample_weight, training)
            context = tf.distribute.get_replica_context()
            if context is None or not training:
                return loss
            size = tf.cast(tf.shape(x)[0], "float32")
            mean_size = context.all_reduce("MEAN", size)
            weight = tf.cast(size / mean_size, loss.dtype)
            # Keras takes the mean of the shares' gradients, as if all had the
            # same size. The loss itself has the right weight in the log.
            return weight * loss + tf.stop_gradient(loss - weight * loss)

        model.train_step = lambda data: train_step(own_share(data))
        model.test_step = lambda data: test_step(own_share(data))
        model.compute_loss = weighted_loss

    def callbacks(self):
        return [MeanStatistics(self._mean)]

    def _mean(self, tensors):
        # Each device keeps its own in Keras, which saves those of the first.
        replicas = map(self.strategy.experimental_local_results, tensors)
        return [sum(values) / self.number for values in replicas]
