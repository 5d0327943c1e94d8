"""The release of PTB-XL: download, checksums, unpacking."""

import errno
import hashlib
import os
import re
import shutil
import zipfile
from pathlib import PurePosixPath
from zipfile import ZIP_DEFLATED
from zipfile import ZIP_STORED

import keras

from keras_multires._files import explain_errors
from keras_multires._files import locked
from keras_multires._validation import check_path
from keras_multires._validation import check_url
from keras_multires._validation import check_verbose
from keras_multires.datasets._checks import check_free_space
from keras_multires.datasets._checks import require_whole
from keras_multires.datasets._download import fetch
from keras_multires.datasets.ptbxl.tables import DATABASE
from keras_multires.datasets.ptbxl.tables import STATEMENTS

__all__ = ["ARCHIVE_URL", "RELEASE_URL", "download", "get_release"]

RELEASE_URL = "https://physionet.org/files/ptb-xl/1.0.3/"
ARCHIVE_URL = (
    "https://physionet.org/static/published-projects/ptb-xl/"
    "ptb-xl-a-large-publicly-available-electrocardiography-dataset-1.0.3.zip"
)

_CHECKSUMS = "SHA256SUMS.txt"
_CHUNK_BYTES = 1 << 20
# Several times what the release has: the list, the archive, and the files.
_MAX_LIST_BYTES = 10**8
_MAX_ARCHIVE_BYTES = 10**10
_MAX_RELEASE_BYTES = 2 * 10**10
_MAX_EXPANSION = 100  # of an archive; that of PTB-XL expands to less than twice
_NOT_EMPTY = (
    f"is not empty, and not PTB-XL's release: there is no {DATABASE} or no "
    f"{STATEMENTS} in it. Name an empty folder, or one that does not exist yet."
)
_LIST_REMEDY = (
    "It has been deleted. Check the address, and call again to download it."
)


def download(directory, url=RELEASE_URL, archive_url=ARCHIVE_URL, verbose=1):
    """Downloads PTB-XL 1.0.3 and unpacks it, unless that has been done.

    The release's list of checksums and its archive (1.8 GB) are downloaded into
    `<directory>.download`, a folder beside `directory`. Unpacking needs another
    3 GB there. Each file is compared with its checksum. Only then is
    `directory` created, with the complete release, and the other folder is
    removed. After a broken connection, or when the process is killed, the same
    call continues the download. If several processes call this, one downloads
    and the others wait for it.

    Args:
        directory: Folder of the release. If it already holds
            `ptbxl_database.csv` and `scp_statements.csv`, nothing is done.
            Otherwise it must be missing or empty.
        url: Address of a folder that holds the list `SHA256SUMS.txt`.
        archive_url: Address of the release as a zip archive.
        verbose: 0 or 1. Whether to show progress bars.

    Raises:
        ConnectionError: if the download fails. The message says what is kept.
        FileExistsError: if there is something else in `directory`.
        OSError: if the disk is full.
        ValueError: if an argument is not as described above, if a file is
            missing in the archive, or if a file differs from its checksum. The
            archive is then deleted, and the next call downloads it again.

    Example:

    >>> ptbxl.download("ptb-xl")
    """
    directory = check_path("directory", directory).resolve()
    check_url("url", url)
    check_url("archive_url", archive_url)
    check_verbose(verbose)
    get_release(directory, url, archive_url, verbose)


def get_release(directory, url, archive_url, verbose):
    """`download` without the checks of its arguments."""
    workplace = directory.with_name(f"{directory.name}.download")
    # A killed call may have left it beside the release.
    if _is_release(directory) and not workplace.exists():
        return
    directory.parent.mkdir(parents=True, exist_ok=True)
    with locked(workplace, verbose):
        if not _is_release(directory):
            _make_release(directory, workplace, url, archive_url, verbose)
        shutil.rmtree(workplace, ignore_errors=True)


def _is_release(directory):
    return all((directory / name).is_file() for name in (DATABASE, STATEMENTS))


def _make_release(directory, workplace, url, archive_url, verbose):
    is_empty = directory.is_dir() and not any(directory.iterdir())
    if directory.exists() and not is_empty:
        raise FileExistsError(f"{directory} {_NOT_EMPTY}")
    archive = workplace / "archive.zip"
    unpacked = workplace / "unpacked"
    # Left by an earlier call that was killed.
    if unpacked.exists():
        shutil.rmtree(unpacked)
    list_url = f"{url.rstrip('/')}/{_CHECKSUMS}"
    fetch(
        list_url,
        workplace / _CHECKSUMS,
        max_bytes=_MAX_LIST_BYTES,
        verbose=verbose,
    )
    checksums = _read_checksums(workplace / _CHECKSUMS, list_url)
    if not archive.exists():
        fetch(
            archive_url, archive, max_bytes=_MAX_ARCHIVE_BYTES, verbose=verbose
        )
    _unpack(archive, archive_url, checksums, unpacked, verbose)
    (workplace / _CHECKSUMS).rename(unpacked / _CHECKSUMS)
    if directory.exists():
        directory.rmdir()
    unpacked.rename(directory)


def _read_checksums(path, url):
    """The checksums of `SHA256SUMS.txt`, as a dict by file names."""
    checksums, problems = {}, []
    text = path.read_text(encoding="utf-8", errors="replace")
    for number, line in enumerate(text.splitlines(), 1):
        # PhysioNet writes one space, `sha256sum` a second one or a star.
        match = re.fullmatch(r"([0-9a-fA-F]{64}) [ *]?(.+)", line)
        if match is not None and _is_inside(match[2]):
            checksums[match[2]] = match[1].lower()
        else:
            problems.append(f"line {number} is {line[:100]!r}")
    folders = {
        str(f) for name in checksums for f in PurePosixPath(name).parents
    }
    both = folders & checksums.keys()
    problems += [f"{name!r} is a file and a folder" for name in sorted(both)]
    missing = [n for n in (DATABASE, STATEMENTS) if n not in checksums]
    problems += [f"{name} is missing in it" for name in missing]
    if problems:
        path.unlink()
        place = f"{url} is no list of checksums of PTB-XL"
        raise ValueError(f"{place}: {problems[0]}. {_LIST_REMEDY}")
    return checksums


def _is_inside(name):
    """Whether a path is that of a file inside a folder, in its only form."""
    path = PurePosixPath(name)
    is_inside = bool(path.parts) and not path.is_absolute()
    is_inside &= ".." not in path.parts and set(name).isdisjoint("\\:\0")
    is_short = all(len(os.fsencode(part)) <= 255 for part in path.parts)
    return is_inside and is_short and str(path) == name


def _unpack(archive, url, checksums, folder, verbose):
    """Unpacks the listed files of an archive into a new folder.

    Files that are not in the list cannot be compared, so they are not unpacked.
    After an error, the folder does not exist, nor does a damaged archive.
    """
    if verbose:
        print(f"Unpacking {archive}", flush=True)
    folder.mkdir()
    try:
        with zipfile.ZipFile(archive) as source:
            members = _find_members(source, checksums)
            size = sum(member.file_size for member in members.values())
            check_free_space(folder, size, "unpacked")
            progress = keras.utils.Progbar(
                len(members), unit_name="file", verbose=verbose
            )
            for name, member in members.items():
                found = _extract(source, member, folder / name)
                problem = f"{name} does not have its SHA-256 checksum"
                require_whole(found == checksums[name], problem)
                progress.add(1)
    except BaseException as error:
        shutil.rmtree(folder)
        # A damaged archive raises errors of many kinds, including EINVAL for
        # places before its start. Other errors of the system come from the
        # disk.
        is_damaged = isinstance(error, Exception) and (
            not isinstance(error, OSError) or error.errno == errno.EINVAL
        )
        if not is_damaged:
            raise
        archive.unlink()
        with explain_errors(
            lambda problem: (
                f"The archive of {url} is damaged: {problem}. It has been "
                "deleted: call again to download it."
            )
        ):
            raise


def _find_members(source, checksums):
    """The listed members of an archive, as a dict by names in the list."""
    members = {member.filename: member for member in source.infolist()}
    for name in members:
        is_inside = _is_inside(name.removesuffix("/"))
        require_whole(is_inside, f"the path {name[:100]!r} leads elsewhere")
    # The archive holds the release in a folder.
    folders = [
        name.removesuffix(DATABASE)
        for name in members
        if PurePosixPath(name).name == DATABASE
    ]
    folder = min(folders, key=len, default="")
    for name in checksums:
        require_whole(folder + name in members, f"{name} is missing in it")
    found = {name: members[folder + name] for name in checksums}
    size = sum(member.file_size for member in found.values())
    can_hold = _MAX_EXPANSION * os.path.getsize(source.filename)
    limit = min(can_hold, _MAX_RELEASE_BYTES)
    problem = f"its files have {size} bytes, more than it can hold"
    require_whole(size <= limit, problem)
    for name, member in found.items():
        # Other methods need up to 4 GB of memory.
        is_known = member.compress_type in (ZIP_STORED, ZIP_DEFLATED)
        require_whole(is_known, f"{name} is compressed by an unknown method")
    return found


def _extract(source, member, path):
    """Writes a member of an archive and returns its SHA-256 checksum."""
    path.parent.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256()
    with source.open(member) as content, open(path, "xb") as file:
        while chunk := content.read(_CHUNK_BYTES):
            digest.update(chunk)
            file.write(chunk)
    return digest.hexdigest()
