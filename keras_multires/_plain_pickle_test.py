import collections
import io
import pickle
import random

import numpy as np
import pytest

from keras_multires import _plain_pickle as plain_pickle

FUNCTIONS = (
    r"numpy.*|_codecs\.encode|collections\.OrderedDict|__builtin__\.bytes"
    r"|(__builtin__|builtins)\.(bytearray|set)"
)
VALUES = (
    *(None, True, False, 0, -1, 255, 256, 65536, 2**31, 2**63, -(10**50)),
    *(0.0, 1.5, -2e300, float("inf"), "", "a", "\u00e9\u1234", "x" * 300),
    *(b"", b"a", bytes(range(256)), b"y" * 300),
)


def load(content, **options):
    file = io.BytesIO(content)
    return plain_pickle.load(file, FUNCTIONS, len(content), **options)


def draw(rng, depth):
    """A value as checkpoints and data sets have them."""
    kind = rng.randrange(5 if depth else 1)
    children = [draw(rng, depth - 1) for _ in range(kind and rng.randrange(4))]
    names = [f"{rng.choice('ab')}{place}" for place in range(len(children))]
    if kind == 0:
        return rng.choice(VALUES)
    return (
        children,
        tuple(children),
        dict(zip(names, children, strict=True)),
        collections.OrderedDict(zip(names, children, strict=True)),
    )[kind - 1]


@pytest.mark.parametrize("protocol", range(6))
def test_plain_values_are_those_that_python_reads(protocol):
    rng = random.Random(protocol)
    for _ in range(100):
        value = [draw(rng, 3), draw(rng, 3)]
        value += value[:1]  # once more, by its place
        assert load(pickle.dumps(value, protocol)) == value


def test_one_pickle_of_several_is_read():
    file = io.BytesIO(pickle.dumps([1]) + pickle.dumps([2]) + b"rest")
    assert plain_pickle.load(file, FUNCTIONS, 100) == [1]
    assert plain_pickle.load(file, FUNCTIONS, 100) == [2]
    assert file.read() == b"rest"


def test_keys_are_strings():
    content = {b"a": 1, 2: 3, (4,): 5, None: 6, 1.5: 7, "z": 8}
    assert load(pickle.dumps(content)) == {"a": 1, "2": 3, "z": 8}


def test_calls_are_recorded():
    call = load(pickle.dumps(np.dtype("float32")))
    assert isinstance(call, plain_pickle.Call)
    assert (call.name, call.arguments[0]) == ("numpy.dtype", "f4")
    assert call.state[1] == "<"
    assert load(pickle.dumps({1, 2}, 4)) == [1, 2]


def test_what_is_elsewhere_is_what_the_reader_says():
    class Pickler(pickle.Pickler):
        def persistent_id(self, value):
            return ("place", 3) if value == "elsewhere" else None

    file = io.BytesIO()
    Pickler(file, 2).dump(["here", "elsewhere"])
    assert load(file.getvalue(), refer=list) == ["here", ["place", 3]]
    with pytest.raises(TypeError):
        load(file.getvalue())
