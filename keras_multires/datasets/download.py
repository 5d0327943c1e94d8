"""Downloads that go on where they broke off."""

import errno
import hashlib
import http.client
import json
import math
import re
import shutil
import time
import urllib.error
import urllib.request

import keras

from keras_multires._files import write_whole
from keras_multires._validation import check_path
from keras_multires._validation import check_url
from keras_multires._validation import check_verbose
from keras_multires.version import __version__

# Attempts in a row that get no further, before giving up.
_ATTEMPTS = 4
# Before the second attempt; doubled before each further one.
_WAIT_SECONDS = 1.0
# Without a byte from the server, until the connection counts as broken.
_TIMEOUT_SECONDS = 60
_CHUNK = 1 << 16


class _InterruptedError(Exception):
    """An attempt failed, and the next one may not."""


def fetch(url, path, sha256=None, verbose=1):
    """Downloads a file, whole or not at all.

    What has arrived is kept beside it as `<name>.part` when the connection
    breaks, and `<name>.part.json` says what it is a part of. The next attempt,
    or the next call, asks the server for the rest alone. If the file has
    changed there, or the server sends whole files only, it starts anew. A few
    attempts in a row may get no further before that is an error.

    Args:
        url: Address, `http://` or `https://`.
        path: Path of the file. A file that is there is replaced.
        sha256: Optional SHA-256 checksum of the file, in hexadecimal.
        verbose: 0 or 1. Whether to show a progress bar.

    Raises:
        ConnectionError: if the server is not to be reached, breaks off or
            answers with an error. The message says what is kept.
        OSError: if the file cannot be written, for instance on a full disk.
        ValueError: if an argument is not as above, or if the file does not
            have the checksum. The file is deleted then.

    Example:

    >>> keras_multires.datasets.download.fetch(
    ...     "https://physionet.org/files/ptb-xl/1.0.3/RECORDS", "RECORDS"
    ... )
    """
    check_url("url", url)
    path = check_path("path", path)
    if not path.name:
        raise ValueError(
            "`path` must be that of a file, and not of a folder. "
            f"Received: path={str(path)!r}"
        )
    if sha256 is not None and not (
        isinstance(sha256, str) and re.fullmatch("[0-9a-fA-F]{64}", sha256)
    ):
        raise ValueError(
            "`sha256` must be None or 64 hexadecimal digits. "
            f"Received: sha256={sha256!r}"
        )
    check_verbose(verbose)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.part")
    notes = path.with_name(f"{path.name}.part.json")
    if verbose:
        print(f"Downloading {url}", flush=True)
    failures = 0
    furthest = _size_of(part)
    while True:
        try:
            _fetch_rest(url, part, notes, verbose)
            break
        except _InterruptedError as error:
            size = _size_of(part)
            failures = 0 if size > furthest else failures + 1
            furthest = max(size, furthest)
            if failures == _ATTEMPTS:
                kept = (
                    f"{size} bytes have arrived and are kept in {part}: the "
                    "same call goes on from there."
                    if size
                    else "Try the same call again later."
                )
                raise ConnectionError(
                    f"The download of {url} failed: {error}. {kept}"
                ) from error
        time.sleep(_WAIT_SECONDS * 2 ** max(failures - 1, 0))
    if sha256 is not None:
        with open(part, "rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != sha256.lower():
            part.unlink()
            notes.unlink()
            raise ValueError(
                f"The download of {url} is damaged: its SHA-256 checksum is "
                f"{found}, expected was {sha256.lower()}. It has been deleted: "
                "call again to get it anew."
            )
    # The notes last: without a part they mean nothing.
    part.replace(path)
    notes.unlink()


def _size_of(path):
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _fetch_rest(url, part, notes, verbose):
    """One attempt to complete the part.

    The notes are those of the response that the part began with: its address,
    its validator (what `If-Range` sends back, or None) and its size (or None).
    """
    begun = _read_notes(notes, url) if part.exists() else None
    offset = 0 if begun is None else _size_of(part)
    if begun is not None and offset == begun["size"]:
        return
    request = urllib.request.Request(
        url, headers={"User-Agent": f"keras_multires/{__version__}"}
    )
    if offset:
        request.add_header("Range", f"bytes={offset}-")
        if begun["validator"] is not None:
            request.add_header("If-Range", begun["validator"])
    try:
        response = urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS)
    except urllib.error.HTTPError as error:
        error.close()
        answer = f"the server answered {error.code} {error.reason}"
        if error.code == 416 and offset:  # there is no such range
            part.unlink()
            raise _InterruptedError(answer) from error
        if error.code >= 500 or error.code in (408, 429):
            raise _InterruptedError(answer) from error
        raise ConnectionError(
            f"The download of {url} failed: {answer}. Check the address."
        ) from error
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", None) or error
        raise _InterruptedError(_describe(reason)) from error
    with response:
        if offset and response.status == 206:
            size = begun["size"]
            start, total = _content_range(response)
            if start != offset or (None not in (size, total) and size != total):
                part.unlink()
                raise _InterruptedError(
                    "the server sent another range than asked"
                )
            size = total if size is None else size
        elif response.status == 200:
            offset = 0
            size = _content_length(response)
            _begin(url, response, size, part, notes)
        else:
            raise ConnectionError(
                f"The download of {url} failed: the server answered "
                f"{response.status} {response.reason}. Check the address."
            )
        _receive(response, part, offset, size, verbose)


def _read_notes(notes, url):
    """The notes on a part of this address; None if there are none."""
    try:
        begun = json.loads(notes.read_text(encoding="utf-8"))
        is_known = begun["url"] == url and {"size", "validator"} <= set(begun)
    except (FileNotFoundError, ValueError, LookupError, TypeError):
        return None
    return begun if is_known else None


def _begin(url, response, size, part, notes):
    validator = response.headers["ETag"]
    # A weak one may stand for files that differ.
    if validator is None or validator.startswith("W/"):
        validator = response.headers["Last-Modified"]
    # The old part goes before the new notes come.
    part.unlink(missing_ok=True)
    begun = {"url": url, "validator": validator, "size": size}
    with write_whole(notes) as file:
        file.write(json.dumps(begun).encode())


def _content_length(response):
    length = response.headers["Content-Length"]
    return int(length) if length is not None and length.isdecimal() else None


def _content_range(response):
    """First byte and size of the whole of a partial response, or None."""
    match = re.fullmatch(
        r"bytes (\d+)-\d+/(\d+|\*)", response.headers["Content-Range"] or ""
    )
    if match is None:
        return None, None
    return int(match[1]), None if match[2] == "*" else int(match[2])


def _receive(response, part, offset, size, verbose):
    if size is not None:
        free = shutil.disk_usage(part.parent).free
        if size - offset > free:
            raise OSError(
                errno.ENOSPC,
                f"{size - offset} bytes are to be downloaded and only {free} "
                "are free on the disk",
                str(part),
            )
    progress = keras.utils.Progbar(
        None if size is None else max(math.ceil(size / 1e6), 1),
        unit_name="MB",
        verbose=verbose,
    )
    with open(part, "ab") as file:
        while True:
            # Only reading may fail for the connection's sake.
            try:
                chunk = response.read(_CHUNK)
            except (OSError, http.client.HTTPException) as error:
                raise _InterruptedError(_describe(error)) from error
            if not chunk:
                break
            file.write(chunk)
            offset += len(chunk)
            progress.update(math.ceil(offset / 1e6))
    if size is not None and offset < size:
        raise _InterruptedError(
            f"the connection broke after {offset} of {size} bytes"
        )
    if size is not None and offset > size:
        part.unlink()
        raise _InterruptedError(f"{offset} bytes arrived instead of {size}")


def _describe(error):
    return str(error) or type(error).__name__
