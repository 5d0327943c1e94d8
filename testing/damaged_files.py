"""Files that are damaged at random, and what their readers must do with them.

A reader must return something, or raise an error of a known kind that names the
file. Either way it must not take much more memory than the file.
"""

import io
import re
import traceback
import zipfile
from pathlib import Path

__all__ = ["damage", "fault_of_reading"]

_EXTREMES = (0, 1, 2**7, 2**15, 2**31 - 1, 2**31, 2**32 - 1)
_EXTREMES += (2**40, 2**63 - 1, 2**64 - 1)
_NUMBERS = (b"0", b"-1", b"1e999", b"nan", b"inf", b"NaN", b"[]", b"null")
_NUMBERS += (b"9" * 10, b"9" * 30, b"9" * 5000, b"0.5", b"1e-320", b"-0")
_WORDS = (b"\0", b"\r", b"\n\n", b"\t", b'"', b"'", b",", b"(", b"[" * 3000)
_WORDS += (b"../", b"/", b"#", b"\xff\xfe", b"\xe2\x80\xa8", b" ", b"{}")
_MEMORY = 64 << 20


def damage(content, rng):
    """Bytes that differ from those of a good file.

    Args:
        content: Bytes of the good file.
        rng: `random.Random`.
    """
    if content.startswith(b"PK") and rng.random() < 0.5:
        return _damage_a_member(content, rng)
    for _ in range(rng.choice((1, 1, 1, 2, 5))):
        content = rng.choice(_DAMAGES)(content, rng)
    return content


def _damage_a_member(content, rng):
    """An archive with right checksums, which otherwise hide all damage."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = [(m, archive.read(m)) for m in archive.infolist()]
    place = rng.randrange(len(members))
    name, inner = members[place][0].filename, members[place][1]
    change = rng.choice(("content", "content", "content", "name", "twice"))
    if change == "content":
        members[place] = (name, damage(inner, rng))
    elif change == "name":
        name = damage(name.encode(), rng).decode("latin1")[:1000]
        # Python ends a name at a null character.
        members[place] = (name.partition("\0")[0] or "x", inner)
    else:
        members.append((f"{name}/x", inner))
    method = rng.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for member, inner in members:
            name = getattr(member, "filename", member)
            method = getattr(member, "compress_type", method)
            archive.writestr(name, inner, method)
    return packed.getvalue()


def _place(content, rng):
    """Where to change something: mostly where the structure is."""
    size = len(content)
    edge = min(size, 400)
    low, high = rng.choice(((0, edge), (size - edge, size), (0, size)))
    return rng.randint(low, high)


def _flip(content, rng):
    changed = bytearray(content or b"\0")
    for _ in range(rng.choice((1, 1, 3, 20))):
        place = min(_place(changed, rng), len(changed) - 1)
        changed[place] = rng.choice((changed[place] ^ 1, 0, 255, 127, 10))
    return bytes(changed)


def _randomize(content, rng):
    place = _place(content, rng)
    noise = rng.randbytes(rng.choice((1, 2, 4, 100)))
    return content[:place] + noise + content[place + len(noise) :]


def _truncate(content, rng):
    return content[: _place(content, rng)]


def _remove(content, rng):
    place = _place(content, rng)
    return content[:place] + content[place + rng.choice((1, 8, 50, 500)) :]


def _repeat(content, rng):
    place = _place(content, rng)
    part = content[place : place + rng.choice((1, 8, 50, 500))]
    return content[:place] + part * rng.choice((2, 2, 50)) + content[place:]


def _insert(content, rng):
    place = _place(content, rng)
    return content[:place] + rng.choice(_WORDS) + content[place:]


def _set_integer(content, rng):
    place, size = _place(content, rng), rng.choice((1, 2, 4, 8))
    order = rng.choice(("little", "big"))
    number = rng.choice(_EXTREMES) % 256**size
    number = number.to_bytes(size, order)
    return content[:place] + number + content[place + size :]


def _set_number(content, rng):
    """Replaces a number that is written in digits."""
    start = _place(content, rng)
    match = re.compile(rb"-?[\d.]+").search(content, start)
    if match is None:
        return _flip(content, rng)
    number = rng.choice(_NUMBERS)
    return content[: match.start()] + number + content[match.end() :]


def _swap(content, rng):
    first, second = sorted((_place(content, rng), _place(content, rng)))
    size = min(rng.choice((1, 8, 100)), second - first)
    one, other = content[first : first + size], content[second : second + size]
    middle = content[first + size : second]
    return content[:first] + other + middle + one + content[second + size :]


_DAMAGES = (
    *(_flip, _randomize, _truncate, _remove, _repeat, _insert),
    *(_set_integer, _set_number, _set_number, _swap),
)


def fault_of_reading(read, path, errors=(ValueError,)):
    """What is wrong with how a file was read, and whether it was refused.

    Args:
        read: Function without arguments that reads the file.
        path: `pathlib.Path` of the file, which an error must name.
        errors: Kinds of errors that the reader may raise.

    Returns:
        `(fault, is_refused)`. `fault` is a string, or None if all is well.
    """
    before = _forget_peak()
    fault, is_refused = None, False
    try:
        read()
    except errors as error:
        is_refused = True
        # Records are named without their suffix.
        if str(path.with_suffix("")) not in str(error):
            fault = f"The error does not name the file: {error}"
        elif len(str(error)) > 15_000:
            fault = f"The error is too long: {len(str(error))} characters"
    except Exception:
        fault = traceback.format_exc()
    memory = _peak() - before
    if fault is None and memory > _MEMORY:
        fault = f"It took {memory >> 20} MiB."
    return fault, is_refused


def _forget_peak():
    """Resets the peak of the memory of this process, and returns it.

    Where the system does not tell, it is always zero.
    """
    reset = Path("/proc/self/clear_refs")
    if not reset.exists():
        return 0
    reset.write_text("5")
    return _peak()


def _peak():
    status = Path("/proc/self/status")
    if not status.exists():
        return 0
    return int(re.search(r"VmHWM:\s+(\d+)", status.read_text())[1]) << 10
