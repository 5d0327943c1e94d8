"""Layers that make sublayers, and keep what is changed in those later."""

import keras

# Entries of a sublayer's configuration that change after it is made: by the
# user, by `quantize` and by `enable_lora`.
_CHANGEABLE = (
    "trainable",
    "dtype",
    "quantization_config",
    "lora_rank",
    "lora_alpha",
    "sublayers",
)


class Composite:
    """Mix-in for a layer or model that makes its sublayers by `_sublayer`.

    A sublayer takes `trainable` and `dtype` from its owner. The configuration
    of the owner has an entry `"sublayers"` if some were changed: a dict from
    their names to the entries of their own configurations that differ. A copy
    makes them so from the start. Weights and the state of an optimizer then
    fit it.
    """

    # The entry "sublayers" that `from_config` got. None outside of it.
    _restored = None

    def _sublayer(self, kind, *, name, **options):
        """Makes a sublayer, with the changes that the configuration lists."""
        # Not by an attribute: Keras and TensorFlow would track the container.
        vars(self).setdefault("_made", set()).add(name)
        owner = {"trainable": self.trainable, "dtype": self.dtype_policy}
        options = {**owner, **options, "name": name}
        changes = (self._restored or {}).get(name)
        if not changes:
            return kind(**options)
        return kind.from_config({**options, **changes})

    def _policy_of(self, name):
        """The policy of a sublayer that may be quantised.

        Keras 3.15.1 cannot save a quantised layer that has a `DTypePolicyMap`,
        nor quantise one. So the layer gets the policy that the map has for it.
        """
        policy = self.dtype_policy
        if isinstance(policy, keras.dtype_policies.DTypePolicyMap):
            policy = policy[f"{self.path or self.name}/{name}"]
        return policy

    def _adopt(self, layer):
        """Freezes a layer that the user gives, if its owner is frozen.

        In a copy the layer has its own configuration, and is as it should be.
        """
        if not self.trainable and self._restored is None:
            freeze(layer)

    def _changes_of(self, layer):
        config = layer.get_config()
        owner = {
            "trainable": self.trainable,
            "dtype": keras.dtype_policies.serialize(self.dtype_policy),
        }
        return {
            name: config[name]
            for name in _CHANGEABLE
            if name in config and config[name] != owner.get(name)
        }

    def get_config(self):
        # Those that are not made yet stay as they were in the configuration.
        changes = dict(self._restored or {})
        for layer in self._flatten_layers(include_self=False, recursive=False):
            if layer.name in vars(self).get("_made", ()):
                changes[layer.name] = self._changes_of(layer)
        changes = {name: change for name, change in changes.items() if change}
        config = super().get_config()
        return {**config, "sublayers": changes} if changes else config

    @classmethod
    def from_config(cls, config):
        config = dict(config)
        restored = config.pop("sublayers", {})
        layer = cls.__new__(cls, **config)
        # Before the constructor, which makes sublayers.
        vars(layer)["_restored"] = restored
        layer.__init__(**config)
        return layer


def freeze(layer):
    """Freezes a layer and all layers in it."""
    # TensorFlow skips an attribute that is set to the value that it has.
    layer.trainable = True
    layer.trainable = False
