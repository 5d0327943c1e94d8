"""Every check of an argument, with one wording for every error.

A public function checks its arguments once, here, and calls a core that trusts
them. A message names the argument in backticks, says what is expected and ends
with what was received.
"""

import contextlib
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

_BUILD_FIRST = "call it on inputs, or its `build` with their shape, first."


def require(condition, expected, received="", **values):
    """Raises a `ValueError` unless a condition holds.

    Args:
        condition: What must be true.
        expected: Sentence that names the argument and what it must be.
        received: What was received instead, such as `"x.shape=(2,)"`.
        **values: Arguments to show as `name=value` after `received`.
    """
    if not condition:
        shown = [f"{name}={value!r}" for name, value in values.items()]
        shown = ", ".join([received, *shown] if received else shown)
        raise ValueError(f"{expected} Received: {shown}")


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


def check_verbose(verbose):
    """Accepts 0, 1 and booleans."""
    if not isinstance(verbose, (bool, np.bool_)):
        check_choice("verbose", verbose, (0, 1))


def check_choice(name, value, choices):
    """Returns the value, if it is one of several strings or integers."""
    if isinstance(choices[0], str):
        kind, is_kind = str, isinstance(value, str)
        expected = f"one of {', '.join(map(repr, choices))}"
    else:
        kind, is_kind = int, is_integer(value)
        expected = " or ".join(map(repr, choices))
    is_choice = is_kind and value in choices
    require(is_choice, f"`{name}` must be {expected}.", **{name: value})
    return kind(value)


def _accepts(test, expected, kind=None):
    """A check that returns the values for which `test` is true, as a `kind`."""

    def check(name, value):
        require(test(value), f"`{name}` must {expected}.", **{name: value})
        return value if kind is None else kind(value)

    return check


check_boolean = _accepts(
    lambda value: isinstance(value, (bool, np.bool_)), "be True or False", bool
)
check_string = _accepts(lambda value: isinstance(value, str), "be a string")
check_rate = _accepts(
    lambda value: is_real(value) and 0 <= value < 1,
    "be a number from 0 (included) to 1 (excluded)",
    float,
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
    is_right = is_right and count in (None, len(value))
    kind = "strings" if count is None else f"{count} strings"
    require(is_right, f"`{name}` must be a list of {kind}.", **{name: value})


def check_path(name, value):
    """Returns the value as a `Path` with `~` expanded, if it is a path.

    An empty string is refused, although Python takes it for the current
    folder: more likely, a variable was not set.
    """
    # A `RuntimeError` for `~` of an unknown user.
    with contextlib.suppress(TypeError, RuntimeError):
        text = os.fspath(value)
        if isinstance(text, str) and text and "\0" not in text:
            return Path(text).expanduser()
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
    expected = f"`{name}` must be an array of numbers."
    require(array.dtype.kind in "biuf", expected, **{name: value})
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
    tensor, found = value, dtype
    if not isinstance(value, keras.KerasTensor):
        tensor = value if ops.is_tensor(value) else _to_tensor(value)
        found = "" if tensor is None else backend.dtype_name(tensor.dtype)
    is_right = tensor is not None and (
        found == dtype
        or (dtype == "float" and "float" in found)
        or (dtype is None and not found.startswith(("complex", "string")))
    )
    if is_right and (axes is None or _shape_fits(tensor.shape, axes)):
        if cast_to is None:
            return tensor
        # Not from a new tensor, which has rounded numbers to float32.
        is_new = tensor is not value
        convert = ops.convert_to_tensor if is_new else ops.cast
        return convert(value, cast_to)
    expected = f"dtype {dtype}" if dtype else "numbers"
    if axes is not None:
        expected += f" and of the shape ({', '.join(map(str, axes))})"
    expected += f", to fit `{fits}`" if fits else ""
    received = f"{name}.dtype={found}"
    if tensor is None:
        received = f"{name}={value!r}"
    elif is_right:
        received = f"{name}.shape={tuple(tensor.shape)}"
    return require(False, f"`{name}` must be a tensor of {expected}.", received)


def _to_tensor(value):
    """The value as a tensor, or None if the backend cannot make one."""
    with contextlib.suppress(Exception):  # each backend raises its own
        leaves = keras.tree.flatten(value)
        # JAX turns some texts into booleans.
        if not any(isinstance(leaf, (str, bytes)) for leaf in leaves):
            # Of integers Keras makes floats on JAX if its `floatx` is bfloat16.
            is_int32 = isinstance(value, np.ndarray) and value.dtype == "int32"
            return ops.convert_to_tensor(value, "int32" if is_int32 else None)
    return None


def _shape_fits(shape, axes):
    for size, axis in zip(shape, axes, strict=False):
        if axis != size and None not in (axis, size) and type(axis) is not str:
            return False
    return len(shape) == len(axes)


def check_structure(given, expected, source):
    """Returns nested tensors in the dtypes of a layer, if they fit it.

    Every step of a stream checks its state. So this is one loop, without
    Keras's functions for nested structures, which take longer.

    Args:
        given: Dict from names of arguments to nested dicts, lists and tuples of
            tensors or arrays.
        expected: Dict of the same names to the same nesting of dicts and lists
            of objects with a `shape` and a `dtype`. Sizes that are None fit
            any. Integers must have the dtype; floats may have another
            precision, as after they were stored.
        source: What returned such structures.

    Returns:
        A dict of the same form as `expected`.
    """

    def fail(path, problem):
        name, *keys = path
        place = name + "".join(map("[{!r}]".format, keys))
        expected = f"`{name}` must be what {source} returned, to fit `inputs`."
        require(False, expected, place + problem)

    checked = dict.fromkeys(expected)
    todo = [(checked, k, given[k], expected[k], (k,)) for k in expected]
    while todo:
        parent, key, value, spec, path = todo.pop()
        if hasattr(spec, "shape"):
            tensor = value if ops.is_tensor(value) else _to_tensor(value)
            if tensor is None:
                fail(path, f"={value!r}")
            shape, dtype = tuple(tensor.shape), backend.dtype_name(tensor.dtype)
            if shape != spec.shape and not _shape_fits(shape, spec.shape):
                fail(path, f".shape={shape}, where {spec.shape} fits")
            if spec.dtype != dtype:
                if "int" in spec.dtype or "float" not in dtype:
                    fail(path, f".dtype={dtype}, where {spec.dtype} fits")
                tensor = ops.cast(tensor, spec.dtype)
            parent[key] = tensor
            continue
        if isinstance(spec, dict):
            fits = isinstance(value, dict) and value.keys() == spec.keys()
            parent[key], keys = dict(spec), spec
        else:
            fits = isinstance(value, (list, tuple)) and len(value) == len(spec)
            parent[key], keys = list(spec), range(len(spec))
        if not fits:
            fail(path, f" of another structure, {type(value)}")
        for k in keys:
            todo.append((parent[key], k, value[k], spec[k], (*path, k)))
    return checked


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
        return getattr(keras, f"{kind}s").get(value)
    except Exception:  # of several kinds for a wrong configuration
        expected = f"`{name}` must be None or what `keras.{kind}s.get` takes: "
        expected += "an object, its name or its configuration."
        return require(False, expected, **{name: value})


def check_built(layer, method):
    """Accepts a layer that has its weights."""
    if not layer.built:
        expected = f"`{method}` needs a built layer or model"
        raise ValueError(f"{expected}: {_BUILD_FIRST}")


def check_layer(layer, *kinds, name="layer"):
    """Accepts a built layer of one of several classes."""
    names = " or ".join(f"`{kind.__name__}`" for kind in kinds)
    expected = f"`{name}` must be a {names} that is built: {_BUILD_FIRST}"
    is_right = isinstance(layer, kinds) and layer.built
    require(is_right, expected, **{name: layer})


def check_real(inputs):
    """Accepts inputs that are not complex: a cast would drop a part of them."""
    dtype = keras.backend.standardize_dtype(inputs.dtype)
    if dtype.startswith("complex"):
        expected = "`inputs` must be real. Pass real and imaginary parts as "
        require(False, f"{expected}channels.", f"inputs.dtype={dtype}")


def check_token_ids(token_ids, vocabulary_size):
    """Accepts integers from 0 to `vocabulary_size - 1`.

    A symbolic tensor passes: its values are not known yet.
    """
    if not backend.has_values(token_ids):
        return
    ids = ops.convert_to_numpy(token_ids)
    are_integers = ids.dtype.kind in "biu" or (ids == np.floor(ids)).all()
    received = f"ids of dtype {ids.dtype}, with fractions or NaN"
    require(are_integers, "Token ids of `inputs` must be integers.", received)
    last, since = vocabulary_size - 1, f"`vocabulary_size` is {vocabulary_size}"
    expected = f"Token ids of `inputs` must be from 0 to {last}, since {since}."
    lowest, highest = ids.min(initial=0), ids.max(initial=0)
    are_known = lowest >= 0 and highest <= last
    require(are_known, expected, f"ids from {lowest} to {highest}")


def check_pixels(name, pixels):
    """Accepts values in [-1, 1], and a little more for rounding.

    A symbolic tensor passes: its values are not known yet.
    """
    if not backend.has_values(pixels):
        return
    if ops.is_tensor(pixels):
        pixels = ops.convert_to_numpy(ops.cast(pixels, "float32"))
    lowest, highest = pixels.min(initial=0), pixels.max(initial=0)
    expected = "in [-1, 1], where a byte is `byte / 127.5 - 1`"
    received = f"values from {lowest} to {highest}"
    # The margin is far less than from one of the 256 values to the next.
    are_pixels = lowest >= -1.001 and highest <= 1.001
    require(are_pixels, f"`{name}` must be {expected}.", received)


def check_input_shape(input_shape, channels=None):
    """Accepts `(batch, length, channels)` with known channels."""
    is_right = len(input_shape) == 3 and input_shape[2] is not None
    is_right = is_right and channels in (None, input_shape[2])
    expected = f"(batch, length, {channels or 'channels'}), with known channels"
    received = f"input_shape={tuple(input_shape)}"
    require(is_right, f"The inputs must have the shape {expected}.", received)
