"""Reads pickles as data: no function of a pickle is called, not even NumPy's.

An unpickler can do harm without any function of a file's choice: Python crashes
when it hashes a key that is nested a million times, and keys with equal hashes
take a time that grows with their square. So the instructions are read one by
one, and only the few that lists, dicts and arrays need are known. A call
becomes a `Call`, which the reader of the file interprets.
"""

import pickletools
import re
from dataclasses import dataclass

__all__ = ["Call", "Function", "load"]


@dataclass(frozen=True, eq=False)
class Function:
    """A function, a class or another object that a pickle asks for."""

    name: str  # with its module


@dataclass(eq=False)
class Call:
    """What a pickle makes by a call."""

    name: str  # of the function, with its module
    arguments: tuple
    state: object = None  # what is set later


# Instructions whose argument is a value.
_VALUES = {
    *("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4"),
    *("FLOAT", "BINFLOAT"),
    *("UNICODE", "SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8"),
    *("SHORT_BINBYTES", "BINBYTES", "BINBYTES8", "BYTEARRAY8"),
}
_BYTES_OF_PYTHON_2 = {"STRING", "SHORT_BINSTRING", "BINSTRING"}
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
# Instructions that take what is above a mark.
_TO_MARK = {
    *("LIST", "TUPLE", "DICT", "FROZENSET"),
    *("APPENDS", "ADDITEMS", "SETITEMS"),
}
_WITHOUT_EFFECT = {"PROTO", "FRAME", "STOP"}


def load(file, functions, num_bytes, refer=None):
    """The next pickle of a file, as plain values.

    Args:
        file: Binary file. It is left at the end of the pickle.
        functions: Pattern of the names, with their modules, that a pickle may
            ask for. They are not called.
        num_bytes: Integer, the size of the file.
        refer: Optional function from what the pickle says of something that is
            elsewhere, to what stands for it. It may raise errors of any kind.

    Returns:
        Numbers, strings, bytes, lists (for sets, too), tuples and dicts, with a
        `Call` or a `Function` for everything else. The keys of dicts are
        strings: bytes and integers become strings, and items with other keys
        are left out.

    Raises:
        Exception: of several kinds, if the pickle is damaged or has other
            content. Nothing is read that is not in the file.
    """
    stack, outer, memo = [], [], {}
    for instruction, argument, _ in pickletools.genops(file):
        name = instruction.name
        if name in _TO_MARK:
            items, stack = stack, outer.pop()
        if name in _VALUES:
            stack.append(argument)
        elif name in _BYTES_OF_PYTHON_2:
            stack.append(argument.encode("latin1"))
        elif name in _CONSTANTS:
            stack.append(_CONSTANTS[name])
        elif name in ("MEMOIZE", "BINPUT", "PUT", "LONG_BINPUT"):
            place = len(memo) if argument is None else argument
            if place > num_bytes:
                raise ValueError("it is larger than its file")
            memo[place] = stack[-1]
        elif name in ("BINGET", "GET", "LONG_BINGET"):
            stack.append(memo[argument])
        elif name == "MARK":
            outer.append(stack)
            stack = []
        elif name in ("EMPTY_LIST", "EMPTY_SET"):
            stack.append([])
        elif name == "EMPTY_DICT":
            stack.append({})
        elif name == "EMPTY_TUPLE":
            stack.append(())
        elif name in ("LIST", "FROZENSET"):
            stack.append(items)
        elif name == "TUPLE":
            stack.append(tuple(items))
        elif name in ("TUPLE1", "TUPLE2", "TUPLE3"):
            size = int(name[-1])
            stack[-size:] = [tuple(stack[-size:])]
        elif name == "DICT":
            stack.append({})
            _set_items(stack[-1], items)
        elif name == "APPEND":
            _append_items(stack[-2], [stack.pop()])
        elif name in ("APPENDS", "ADDITEMS"):
            _append_items(stack[-1], items)
        elif name == "SETITEM":
            value, key = stack.pop(), stack.pop()
            _set_items(stack[-1], (key, value))
        elif name == "SETITEMS":
            _set_items(stack[-1], items)
        elif name == "GLOBAL":
            module, _, attribute = argument.partition(" ")
            stack.append(_find(module, attribute, functions))
        elif name == "STACK_GLOBAL":
            attribute, module = stack.pop(), stack.pop()
            stack.append(_find(module, attribute, functions))
        elif name in ("REDUCE", "NEWOBJ"):
            arguments = stack.pop()
            stack.append(_call(stack.pop(), arguments))
        elif name == "BUILD":
            state = stack.pop()
            if isinstance(stack[-1], Call):
                stack[-1].state = state
        elif name == "BINPERSID":
            stack.append(refer(stack.pop()))
        elif name not in _WITHOUT_EFFECT:
            raise ValueError(f"it has the instruction {name}, which is unknown")
    (value,) = stack
    return value


def _append_items(target, items):
    if not isinstance(target, list):
        raise ValueError("it appends to what is no list")
    target += items


def _set_items(target, items):
    if not isinstance(target, dict):
        raise ValueError("it sets items of what is no dict")
    keys, values = items[::2], items[1::2]
    for key, value in zip(keys, values, strict=True):
        if isinstance(key, bytes):
            key = key.decode("latin1")
        elif isinstance(key, int):
            key = str(key)
        # Others may have hashes that are equal, or take all of the stack.
        if isinstance(key, str):
            target[key] = value


def _find(module, attribute, functions):
    name = f"{module}.{attribute}"
    if not re.fullmatch(functions, name):
        raise ValueError(f"it asks for `{name[:100]}`, which is not needed")
    return Function(name)


def _call(function, arguments):
    if not isinstance(function, Function) or not isinstance(arguments, tuple):
        raise ValueError("it calls what is no function")
    if function.name == "_codecs.encode":
        return _encode(*arguments)
    if function.name == "__builtin__.bytes" and not arguments:
        return b""
    if function.name == "collections.OrderedDict":
        items = {}
        for pair in arguments[0] if arguments else ():
            _set_items(items, pair)
        return items
    return Call(function.name, arguments)


def _encode(text, encoding):
    """Bytes in a protocol without bytes."""
    # Other encodings can run for minutes or take gigabytes.
    if encoding not in ("latin1", b"latin1") or not isinstance(text, str):
        raise ValueError("it holds text of another encoding")
    return text.encode("latin1")
