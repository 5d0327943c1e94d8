"""Every check of an argument, with one wording for every error.

A public function checks its arguments once, here, and calls a core that trusts
them. A message names the argument in backticks, says what is expected and ends
with what was received.
"""

import numbers
import os
import re
from pathlib import Path

import keras
import numpy as np
from keras import ops

from keras_multires import backend

# Sizes and counts fit into an int32: backends index with it, and JAX has no
# larger integer by default.
INT32_MAX = 2**31 - 1
# Lengths that no tensor needs to have, such as that of a receptive field.
INT64_MAX = 2**63 - 1
FLOAT32_TINY = float(np.finfo("float32").tiny)
FLOAT32_MAX = float(np.finfo("float32").max)

_KERAS_MODULES = {
    "activation": keras.activations,
    "constraint": keras.constraints,
    "initializer": keras.initializers,
    "regularizer": keras.regularizers,
}


def require(condition, expected, received="", **values):
    """Raises a `ValueError` unless a condition holds.

    Args:
        condition: What must be true.
        expected: Sentence that names the argument and what it must be.
        received: What was received instead, such as `"x.shape=(2,)"`.
        **values: Arguments to show as `name=value` after `received`.
    """
    if not condition:
        shown = [received] if received else []
        shown += [f"{name}={value!r}" for name, value in values.items()]
        raise ValueError(f"{expected} Received: {', '.join(shown)}")


def is_real(value):
    """Whether a value is a real number; a boolean is not."""
    return isinstance(value, numbers.Real) and not isinstance(value, bool)


def is_integer(value):
    """Whether a value is an integer; a boolean is not."""
    return isinstance(value, numbers.Integral) and not isinstance(value, bool)


def check_integer(name, value, minimum=1, maximum=INT32_MAX):
    """Returns the value as an `int`, if it is one in the range.

    NumPy's integers pass but come back as `int`: they overflow, and Keras
    refuses them.
    """
    expected = f"`{name}` must be an integer of at"
    is_large = is_integer(value) and value >= minimum
    require(is_large, f"{expected} least {minimum}.", **{name: value})
    require(value <= maximum, f"{expected} most {maximum}.", **{name: value})
    return int(value)


def check_boolean(name, value):
    """Returns the value as a `bool`, if it is True or False."""
    is_boolean = isinstance(value, (bool, np.bool_))
    require(is_boolean, f"`{name}` must be True or False.", **{name: value})
    return bool(value)


def check_verbose(verbose):
    """Accepts 0, 1 and booleans."""
    if not isinstance(verbose, (bool, np.bool_)):
        check_choice("verbose", verbose, (0, 1))


def check_choice(name, value, choices):
    """Returns the value, if it is one of several strings or integers."""
    listed = list(map(repr, choices))
    if isinstance(choices[0], str):
        is_kind, kind = isinstance(value, str), str
        expected = f"one of {', '.join(listed)}"
    else:
        is_kind, kind = is_integer(value), int
        expected = f"{', '.join(listed[:-1])} or {listed[-1]}"
    is_choice = is_kind and value in choices
    require(is_choice, f"`{name}` must be {expected}.", **{name: value})
    return kind(value)


def _accepts(test, expected):
    """A check that accepts the values for which `test` is true."""

    def check(name, value):
        require(test(value), f"`{name}` must {expected}.", **{name: value})

    return check


check_string = _accepts(lambda value: isinstance(value, str), "be a string")
check_rate = _accepts(
    lambda value: is_real(value) and 0 <= value < 1,
    "be a number from 0 (included) to 1 (excluded)",
)
# Backends compute in float32, which must round it neither to 0 nor infinity.
check_positive = _accepts(
    lambda value: is_real(value) and FLOAT32_TINY <= value <= FLOAT32_MAX,
    "be a finite number above 0, in the range of float32",
)
check_url = _accepts(
    lambda value: isinstance(value, str) and re.match(r"https?://", value),
    "start with http:// or https://",
)


def check_seed(name, value):
    """Returns an integer from 0 to `2**32 - 1`, a `SeedGenerator` or None.

    `keras.random` holds a seed in 32 bits without a sign.
    """
    if value is None or isinstance(value, keras.random.SeedGenerator):
        return value
    return check_integer(name, value, 0, 2**32 - 1)


def check_names(name, value, count=None):
    """Accepts a list of strings, of `count` strings if that is given."""
    is_list = isinstance(value, (list, tuple)) or np.ndim(value) == 1
    is_right = is_list and all(isinstance(item, str) for item in value)
    number = "" if count is None else f"{count} "
    require(
        is_right and count in (None, len(value)),
        f"`{name}` must be a list of {number}strings.",
        **{name: value},
    )


def check_path(name, value):
    """Returns the value as a `Path` with `~` expanded, if it is a path.

    An empty string is refused, although Python takes it for the current
    folder: more likely, a variable was not set.
    """
    try:
        text = os.fspath(value)
        if isinstance(text, str) and text and "\0" not in text:
            return Path(text).expanduser()
    except (TypeError, RuntimeError):  # the latter for `~` of an unknown user
        pass
    expected = "a path: a string, not empty, or a `pathlib.Path`."
    return require(False, f"`{name}` must be {expected}", **{name: value})


def check_numbers(name, value):
    """Returns the value as a NumPy array, if it holds real numbers.

    Booleans count as numbers.
    """
    try:
        array = np.asarray(value)
    # For a tensor of another backend, for example, NumPy raises a
    # `RuntimeError` or a `TypeError`.
    except Exception:
        array = np.array(None)
    is_real = array.dtype.kind in "biuf"
    require(is_real, f"`{name}` must be an array of numbers.", **{name: value})
    return array


def check_tensor(name, value, axes=None, dtype=None, fits=None, cast_to=None):
    """Returns the value as a tensor of numbers, if it is of the right kind.

    Args:
        name: Name of the argument.
        value: Tensor, or what Keras makes one of. A `KerasTensor` stays one.
        axes: Tuple with the size of each axis, or its name if any size will
            do. Sizes that are not known yet fit. By default, any axes.
        dtype: Dtype to have, or `"float"` for any float. By default, any dtype
            except complex numbers and strings.
        fits: Name of the argument that sizes and dtype follow from, if any.
        cast_to: Dtype of the result. By default, that of the value.

    Returns:
        A tensor.
    """
    given = value
    found = None
    if not isinstance(value, keras.KerasTensor):
        if not ops.is_tensor(value):
            value = _to_tensor(value)
        if value is not None:
            found = backend.dtype_name(value)
    shape = None if value is None else tuple(value.shape)
    is_right = value is not None and (
        found is None
        or found == dtype
        or (dtype == "float" and "float" in found)
        or (dtype is None and "complex" not in found and found != "string")
    )
    if not (is_right and (axes is None or _shape_fits(shape, axes))):
        expected = "numbers" if dtype is None else f"dtype {dtype}"
        if axes is not None:
            expected += f" and of the shape ({', '.join(map(str, axes))})"
        if fits is not None:
            expected += f", to fit `{fits}`"
        received = f"{name}.shape={shape}"
        if value is None:
            received = f"{name}={given!r}"
        elif not is_right:
            received = f"{name}.dtype={found}"
        require(False, f"`{name}` must be a tensor of {expected}.", received)
    if cast_to is None:
        return value
    if value is given:
        return ops.cast(value, cast_to)
    # Not from the tensor, which has rounded Python's numbers to float32.
    return ops.convert_to_tensor(given, dtype=cast_to)


def _to_tensor(value):
    """The value as a tensor, or None if the backend cannot make one."""
    try:
        leaves = keras.tree.flatten(value)
        # JAX turns some texts into booleans.
        if any(isinstance(leaf, (str, bytes)) for leaf in leaves):
            return None
        return ops.convert_to_tensor(value)
    except Exception:  # each backend raises errors of its own
        return None


def _shape_fits(shape, axes):
    if len(shape) != len(axes):
        return False
    for size, axis in zip(shape, axes, strict=True):
        if axis != size and None not in (axis, size) and type(axis) is not str:
            return False
    return True


def check_structure(given, expected, source):
    """Returns nested tensors in the dtypes of a layer, if they fit it.

    Args:
        given: Dict from names of arguments to nested dicts, lists and tuples of
            tensors or arrays.
        expected: Dict of the same names to the same nesting of
            `keras.InputSpec`s with shape and dtype. Sizes that are None fit
            any. Integers must have the dtype; floats may have another
            precision, as after they were stored.
        source: What returned such structures.

    Returns:
        A dict of the same form as `expected`.
    """

    def fail(name, received):
        expected = f"`{name}` must be what {source} returned"
        require(False, f"{expected}, for this batch size.", received)

    specs = dict(keras.tree.flatten_with_path(expected))
    leaves = dict(keras.tree.flatten_with_path(given))
    for path in leaves.keys() ^ specs.keys():
        name = path[0]
        fail(name, f"{name} of another structure, {type(given[name])}")
    tensors = []
    for path, spec in specs.items():
        leaf = leaves[path]
        tensor = leaf if ops.is_tensor(leaf) else _to_tensor(leaf)
        name = path[0]
        place = name + "".join(map("[{!r}]".format, path[1:]))
        if tensor is None:
            fail(name, f"{place}={leaf!r}")
        shape, dtype = tuple(tensor.shape), str(tensor.dtype)
        if shape != spec.shape and not _shape_fits(shape, spec.shape):
            fail(name, f"{place}.shape={shape}, where {spec.shape} fits")
        if spec.dtype not in dtype:
            if "int" in spec.dtype or "float" not in dtype:
                fail(name, f"{place}.dtype={dtype}, where {spec.dtype} fits")
            tensor = ops.cast(tensor, spec.dtype)
        tensors.append(tensor)
    return keras.tree.pack_sequence_as(expected, tensors)


def check_keras_object(name, value):
    """What Keras makes of an initializer, regularizer, constraint, activation.

    Args:
        name: Name of the argument, whose last word says what it is.
        value: The object, its name, its configuration, or None.

    Returns:
        The result of `keras.initializers.get` and the like.
    """
    kind = name.rpartition("_")[2]
    try:
        return _KERAS_MODULES[kind].get(value)
    except Exception as error:  # of several kinds for a wrong configuration
        raise ValueError(
            f"`{name}` must be None or what `keras.{kind}s.get` takes: an "
            f"object, its name or its configuration. "
            f"Received: {name}={value!r}"
        ) from error


def check_built(layer, method):
    """Accepts a layer that has its weights."""
    if not layer.built:
        raise ValueError(
            f"`{method}` needs a built layer or model: call it on inputs, or "
            "its `build` with their shape, first."
        )


def check_layer(layer, *kinds, name="layer"):
    """Accepts a built layer of one of several classes."""
    names = " or ".join(f"`{kind.__name__}`" for kind in kinds)
    require(
        isinstance(layer, kinds) and layer.built,
        f"`{name}` must be a {names} that is built: call it on inputs, or its "
        "`build` with their shape, first.",
        **{name: layer},
    )


def check_token_ids(token_ids, vocabulary_size):
    """Accepts integers from 0 to `vocabulary_size - 1`.

    A symbolic tensor passes: its values are not known yet.
    """
    if not backend.has_values(token_ids):
        return
    ids = ops.convert_to_numpy(token_ids)
    if ids.size == 0:
        return
    require(
        ids.dtype.kind in "biu" or (ids == np.floor(ids)).all(),
        "Token ids of `inputs` must be integers.",
        f"ids of dtype {ids.dtype}, with fractions or NaN",
    )
    require(
        ids.min() >= 0 and ids.max() < vocabulary_size,
        f"Token ids of `inputs` must be from 0 to {vocabulary_size - 1}, since "
        f"`vocabulary_size` is {vocabulary_size}.",
        f"ids from {ids.min()} to {ids.max()}",
    )


def check_pixels(name, pixels):
    """Accepts values in [-1, 1], and a little more for rounding.

    A symbolic tensor passes: its values are not known yet.
    """
    if not backend.has_values(pixels):
        return
    if ops.is_tensor(pixels):
        pixels = ops.convert_to_numpy(ops.cast(pixels, "float32"))
    lowest, highest = pixels.min(initial=0), pixels.max(initial=0)
    require(
        # Far less than from one of the 256 values to the next.
        lowest >= -1.001 and highest <= 1.001,
        f"`{name}` must be in [-1, 1], where a byte is `byte / 127.5 - 1`.",
        f"values from {lowest} to {highest}",
    )
