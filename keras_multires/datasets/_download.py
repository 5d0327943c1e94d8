"""Downloads that resume after an interruption."""

import hashlib
import http.client
import json
import math
import re
import time
import urllib.error
import urllib.request

import keras

from keras_multires._files import write_whole
from keras_multires._validation import check_path
from keras_multires._validation import check_url
from keras_multires._validation import check_verbose
from keras_multires._validation import require
from keras_multires.datasets._checks import check_free_space
from keras_multires.datasets._checks import require_content
from keras_multires.version import __version__

__all__ = ["fetch"]

# Attempts in a row that receive nothing new before the download fails.
_MAX_ATTEMPTS = 4
# Wait before the second attempt. It doubles before each further one.
_WAIT_SECONDS = 1.0
# Time without data from the server after which a connection counts as broken.
_TIMEOUT_SECONDS = 60
_CHUNK_BYTES = 1 << 16
# Errors of the server that may pass, besides those from 500.
_TEMPORARY_STATUSES = (408, 429)


class _InterruptedError(Exception):
    """An attempt failed, but the next one may succeed."""


def fetch(url, path, sha256=None, verbose=1):
    """Downloads a file, completely or not at all.

    When the connection breaks, the data received so far stay beside the file as
    `<name>.part`, and `<name>.part.json` says what they are a part of. The next
    attempt, or the next call, asks the server only for the rest. It starts
    again if the file has changed on the server, or if the server sends only
    whole files. The download fails after several attempts in a row that receive
    nothing new.

    Args:
        url: Address, `http://` or `https://`.
        path: Path of the file. An existing file is replaced.
        sha256: Optional SHA-256 checksum of the file, in hexadecimal.
        verbose: 0 or 1. Whether to show a progress bar.

    Raises:
        ConnectionError: if the server cannot be reached, breaks off or answers
            with an error. The message says what is kept.
        OSError: if the file cannot be written, for instance on a full disk.
        ValueError: if an argument is not as described above, or if the file
            does not have the checksum. The file is then deleted.
    """
    check_url("url", url)
    path = check_path("path", path)
    expected = "`path` must be that of a file, and not of a folder."
    require(path.name, expected, path=str(path))
    is_checksum = isinstance(sha256, str) and re.fullmatch(
        "[0-9a-fA-F]{64}", sha256
    )
    expected = "`sha256` must be None or 64 hexadecimal digits."
    require(sha256 is None or is_checksum, expected, sha256=sha256)
    check_verbose(verbose)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.part")
    notes = path.with_name(f"{path.name}.part.json")
    if verbose:
        print(f"Downloading {url}", flush=True)
    _fetch_part(url, part, notes, verbose)
    if sha256 is not None:
        with open(part, "rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != sha256.lower():
            part.unlink()
            notes.unlink()
        place = f"The download of {url} is damaged"
        problem = f"its SHA-256 checksum is {found}, expected was "
        problem += sha256.lower()
        remedy = "It has been deleted: call again to download it."
        require_content(found == sha256.lower(), place, problem, remedy)
    # The notes are deleted last: they mean nothing without the part.
    part.replace(path)
    notes.unlink()


def _fetch_part(url, part, notes, verbose):
    """Attempts to complete the part until that succeeds or no longer helps."""
    failures = 0
    furthest = _size_of(part)
    while True:
        try:
            return _attempt(url, part, notes, verbose)
        except _InterruptedError as error:
            problem = error
        size = _size_of(part)
        failures = 0 if size > furthest else failures + 1
        furthest = max(size, furthest)
        if failures == _MAX_ATTEMPTS:
            kept = "Try the same call again later."
            if size:
                kept = f"{size} bytes have arrived and are kept in {part}: "
                kept += "the same call continues from there."
            message = f"The download of {url} failed: {problem}. {kept}"
            raise ConnectionError(message) from problem
        time.sleep(_WAIT_SECONDS * 2 ** max(failures - 1, 0))


def _size_of(path):
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _attempt(url, part, notes, verbose):
    """One attempt to complete the part.

    The notes describe the response that the part began with: its address, its
    validator (which `If-Range` sends back, or None) and its size (or None).
    """
    begun = _read_notes(notes, url) if part.exists() else None
    offset = 0 if begun is None else _size_of(part)
    if begun is not None and offset == begun["size"]:
        return
    with _open(url, offset, begun) as response:
        status = response.status
        answer = f"the server answered {status} {response.reason}"
        if status == 206 and offset:
            size = begun["size"]
            start, total = _content_range(response)
            if start != offset or (None not in (size, total) and size != total):
                part.unlink()
                problem = "the server sent another range than asked"
                raise _InterruptedError(problem)
            size = total if size is None else size
        elif status == 200:
            offset = 0
            size = _content_length(response)
            _begin(url, response, size, part, notes)
        elif status >= 500 or status in _TEMPORARY_STATUSES:
            raise _InterruptedError(answer)
        elif status == 416 and offset:  # there is no such range
            part.unlink()
            raise _InterruptedError(answer)
        else:
            problem = f"The download of {url} failed: {answer}."
            raise ConnectionError(f"{problem} Check the address.")
        _receive(response, part, offset, size, verbose)


def _open(url, offset, begun):
    """The response to a request for what follows the first `offset` bytes."""
    request = urllib.request.Request(
        url, headers={"User-Agent": f"keras_multires/{__version__}"}
    )
    if offset:
        request.add_header("Range", f"bytes={offset}-")
        if begun["validator"] is not None:
            request.add_header("If-Range", begun["validator"])
    try:
        return urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS)
    except urllib.error.HTTPError as error:
        return error  # a response, too, with a status that says what is wrong
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", None) or error
        raise _InterruptedError(_describe(reason)) from error


def _read_notes(notes, url):
    """The notes on a part of this address, or None if there are not any."""
    try:
        begun = json.loads(notes.read_text(encoding="utf-8"))
        is_known = begun["url"] == url and {"size", "validator"} <= set(begun)
    except (FileNotFoundError, ValueError, LookupError, TypeError):
        return None
    return begun if is_known else None


def _begin(url, response, size, part, notes):
    validator = response.headers["ETag"]
    # Different files may have the same weak validator.
    if validator is None or validator.startswith("W/"):
        validator = response.headers["Last-Modified"]
    # The old part must not be taken for what the new notes describe.
    part.unlink(missing_ok=True)
    begun = {"url": url, "validator": validator, "size": size}
    with write_whole(notes) as file:
        file.write(json.dumps(begun).encode())


def _content_length(response):
    length = response.headers["Content-Length"]
    return int(length) if length is not None and length.isdecimal() else None


def _content_range(response):
    """First byte of a partial response and size of the whole file, or None."""
    match = re.fullmatch(
        r"bytes (\d+)-\d+/(\d+|\*)", response.headers["Content-Range"] or ""
    )
    if match is None:
        return None, None
    return int(match[1]), None if match[2] == "*" else int(match[2])


def _receive(response, part, offset, size, verbose):
    if size is not None:
        check_free_space(part, size - offset, "downloaded")
    progress = keras.utils.Progbar(
        None if size is None else max(math.ceil(size / 1e6), 1),
        unit_name="MB",
        verbose=verbose,
    )
    with open(part, "ab") as file:
        while True:
            # Only errors of reading come from the connection.
            try:
                chunk = response.read(_CHUNK_BYTES)
            except (OSError, http.client.HTTPException) as error:
                raise _InterruptedError(_describe(error)) from error
            if not chunk:
                break
            file.write(chunk)
            offset += len(chunk)
            progress.update(math.ceil(offset / 1e6))
    if size is None or offset == size:
        return
    problem = f"the connection broke after {offset} of {size} bytes"
    if offset > size:
        part.unlink()
        problem = f"{offset} bytes arrived instead of {size}"
    raise _InterruptedError(problem)


def _describe(error):
    return str(error) or type(error).__name__
