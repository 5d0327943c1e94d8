"""Downloads that resume after an interruption.

Neither `keras.utils.get_file` nor `pooch` resumes a download, or keeps two
processes apart.
"""

import hashlib
import http.client
import json
import math
import os
import re
import stat
import time
import urllib.error
import urllib.parse
import urllib.request

import keras

from keras_multires._files import locked
from keras_multires._validation import check_integer
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


class _RefusedError(Exception):
    """What the server answers is of no use, now and later."""


def fetch(url, path, sha256=None, max_bytes=10**10, verbose=1):
    """Downloads a file, completely or not at all.

    When the connection breaks, the data received so far stay beside the file as
    `<name>.part`, and `<name>.part.json` says what they are a part of. The next
    attempt, or the next call, asks the server only for the rest. It starts
    again if the file has changed on the server, or if the server sends only
    whole files, or does not say which version of the file it sends. The
    download fails after several attempts in a row that receive nothing new.

    Processes that download to the same path take turns.

    Args:
        url: Address, `http://` or `https://`.
        path: Path of the file. An existing file is replaced.
        sha256: Optional SHA-256 checksum of the file, in hexadecimal.
        max_bytes: Integer, the size of the largest file that is accepted.
        verbose: 0 or 1. Whether to show a progress bar.

    Raises:
        ConnectionError: if the server cannot be reached, breaks off or answers
            with an error, with a redirection to another protocol, with more
            than `max_bytes`, or with a file whose end cannot be told from a
            broken connection. The message says what is kept.
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
    max_bytes = check_integer("max_bytes", max_bytes, maximum=math.inf)
    check_verbose(verbose)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = _Part(url, path, max_bytes)
    with locked(path, verbose):
        if verbose:
            print(f"Downloading {url}", flush=True)
        try:
            _complete(part, verbose)
            _check_sum(part, sha256)
            part.path.replace(path)
        except OSError as error:
            # As on a full disk, which Python does not name.
            if error.errno is not None and error.filename is None:
                error.filename = str(part.path)
            raise
        finally:
            if not part.can_continue():
                part.delete()


class _Part:
    """What has arrived of a file, and notes of what it is a part of.

    The notes are the address, and the size and the validator of the answer that
    the part began with. Without all of these, a part cannot be continued.

    Args:
        url: Address of the file.
        path: `pathlib.Path` of the file.
        max_bytes: Integer, the size of the largest file that is accepted.

    Attributes:
        path: `pathlib.Path` of the part.
        offset: Integer, the bytes of it that are used.
        size: Integer, the size of the whole file, or None if it is not known.
        validator: String that the server gives a version of the file, or None.
    """

    def __init__(self, url, path, max_bytes):
        self.url = url
        self.path = path.with_name(f"{path.name}.part")
        self.notes = path.with_name(f"{path.name}.part.json")
        self.max_bytes = max_bytes

    def arrived(self):
        """The number of bytes that have arrived."""
        try:
            status = os.lstat(self.path)
        except FileNotFoundError:
            return 0
        # A link would lead the download into another file.
        is_own = stat.S_ISREG(status.st_mode) and status.st_nlink == 1
        return status.st_size if is_own else 0

    def can_continue(self):
        """Whether there is a part of this file. Reads the notes if so."""
        try:
            url, size, validator = json.loads(self.notes.read_bytes())
        except (OSError, ValueError, TypeError, RecursionError):
            return False
        is_valid = (
            url == self.url
            and isinstance(size, int)
            and 0 < size <= self.max_bytes
            and _is_validator(validator)
        )
        self.size, self.validator = size, validator
        # If all is there, the last byte is asked for again: the answer tells
        # whether it still is the file of the server.
        self.offset = min(self.arrived(), size - 1) if is_valid else 0
        return self.offset > 0

    def begin(self, size, validator):
        """Forgets what has arrived, and notes what will."""
        self.delete()
        self.size, self.validator, self.offset = size, validator, 0
        if size is not None and validator is not None:
            with open(self.notes, "x") as file:
                json.dump([self.url, size, validator], file)

    def delete(self):
        # Notes alone mean nothing.
        self.path.unlink(missing_ok=True)
        self.notes.unlink(missing_ok=True)


def _complete(part, verbose):
    """Attempts to complete the part until that succeeds or no longer helps."""
    failures = 0
    furthest = part.arrived()
    failed = f"The download of {part.url} failed"
    while True:
        try:
            return _attempt(part, verbose)
        except _InterruptedError as error:
            problem = error
        except _RefusedError as error:
            message = f"{failed}: {error}. Check the address."
            raise ConnectionError(message) from error
        arrived = part.arrived()
        failures = 0 if arrived > furthest else failures + 1
        furthest = max(arrived, furthest)
        if failures == _MAX_ATTEMPTS:
            kept = "Try the same call again later."
            if part.can_continue():
                kept = f"{arrived} bytes have arrived and are kept in "
                kept += f"{part.path}: the same call continues from there."
            raise ConnectionError(f"{failed}: {problem}. {kept}") from problem
        time.sleep(_WAIT_SECONDS * 2 ** max(failures - 1, 0))


def _attempt(part, verbose):
    """One attempt to complete the part."""
    headers = {"User-Agent": f"keras_multires/{__version__}"}
    continues = part.can_continue()
    if continues:
        headers["Range"] = f"bytes={part.offset}-"
        headers["If-Range"] = part.validator
    with _open(part.url, headers) as response:
        status = response.status
        answer = f"the server answered {status} {response.reason}"
        if status == 206 and continues:
            rest = f"bytes {part.offset}-{part.size - 1}/{part.size}"
            is_rest = (
                response.headers["Content-Range"] == rest
                and response.length in (None, part.size - part.offset)
                and _validator(response.headers) == part.validator
            )
            if not is_rest:
                part.delete()
                problem = "the server sent another range or version than asked"
                raise _InterruptedError(problem)
        elif status == 200:
            _begin(part, response)
        elif status >= 500 or status in _TEMPORARY_STATUSES:
            raise _InterruptedError(answer)
        elif status == 416 and continues:  # there is no such range
            part.delete()
            raise _InterruptedError(answer)
        else:
            raise _RefusedError(answer)
        _receive(response, part, verbose)


class _Redirections(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, request, response, code, message, headers, url):
        # Python would read all of it, and there may be no end.
        response.close()
        # Not from https:// to http://, where anyone could answer.
        if urllib.parse.urlsplit(url).scheme not in ("https", request.type):
            problem = f"the server redirects from {request.full_url} to {url}"
            raise _RefusedError(problem)
        return super().redirect_request(
            request, response, code, message, headers, url
        )


def _open(url, headers):
    """The response to a request."""
    try:
        return urllib.request.build_opener(_Redirections).open(
            urllib.request.Request(url, headers=headers),
            timeout=_TIMEOUT_SECONDS,
        )
    except urllib.error.HTTPError as error:
        if error.status < 400:  # a redirection that cannot be followed
            raise _RefusedError(_describe(error)) from error
        return error  # a response, too, with a status that says what is wrong
    except (ValueError, http.client.InvalidURL) as error:
        # Of this address, or of one that the server redirects to.
        raise _RefusedError(_describe(error)) from error
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", None) or error
        raise _InterruptedError(_describe(reason)) from error


def _validator(headers):
    # Different files may have the same weak validator.
    for validator in (headers["ETag"], headers["Last-Modified"]):
        if _is_validator(validator):
            return validator
    return None


def _is_validator(value):
    """Whether a value is a strong validator that can be sent back."""
    return (
        isinstance(value, str)
        and value.isascii()
        and value.isprintable()
        and not value.startswith("W/")
    )


def _begin(part, response):
    size = response.length
    # Only chunks have an end of their own.
    if size is None and not response.chunked:
        raise _RefusedError("the server does not say how long the file is")
    encoding = response.headers["Content-Encoding"] or "identity"
    if encoding != "identity":
        raise _RefusedError(f"the server sent the file encoded by {encoding}")
    if size is not None and size > part.max_bytes:
        problem = f"the server announces {size} bytes, more than the"
        raise _RefusedError(f"{problem} {part.max_bytes} of any such file")
    part.begin(size, _validator(response.headers))


def _receive(response, part, verbose):
    size, offset = part.size, part.offset
    if size is not None:
        check_free_space(part.path, size - offset, "downloaded")
    progress = keras.utils.Progbar(
        None if size is None else max(math.ceil(size / 1e6), 1),
        unit_name="MB",
        verbose=verbose,
    )
    end = part.max_bytes if size is None else size
    with open(part.path, "r+b" if offset else "xb") as file:
        file.seek(offset)
        file.truncate()
        # One byte more tells that the server does not keep to the size.
        limit = size if response.length is not None else end + 1
        while offset < limit:
            # Only errors of reading come from the connection. `read` would wait
            # for all bytes, and lose them if some do not arrive.
            try:
                chunk = response.read1(min(_CHUNK_BYTES, limit - offset))
            except (OSError, http.client.HTTPException) as error:
                raise _InterruptedError(_describe(error)) from error
            if not chunk:
                break
            file.write(chunk)
            offset += len(chunk)
            progress.update(math.ceil(offset / 1e6))
        file.flush()
        # A power failure must not leave the file's name without its content.
        os.fsync(file.fileno())
    if offset > end:
        part.delete()
        raise _RefusedError(f"the server sent more than {end} bytes")
    if size is not None and offset < size:
        problem = f"the connection broke after {offset} of {size} bytes"
        raise _InterruptedError(problem)


def _check_sum(part, sha256):
    if sha256 is None:
        return
    with open(part.path, "rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != sha256.lower():
        part.delete()
    place = f"The download of {part.url} is damaged"
    problem = f"its SHA-256 checksum is {found}, expected was {sha256.lower()}"
    remedy = "It has been deleted: call again to download it."
    require_content(found == sha256.lower(), place, problem, remedy)


def _describe(error):
    return str(error) or type(error).__name__
