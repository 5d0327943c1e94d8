"""PTB-XL: electrocardiograms of ten seconds, with several labels each.

A record has 12 leads, in the order of `LEADS`, and a set of statements, each of
which may stand for labels of the six tasks in `TASKS`.
"""

import ast
import csv
import errno
import functools
import hashlib
import re
import shutil
import zipfile
from pathlib import PurePosixPath
from typing import NamedTuple

import keras
import numpy as np

from keras_multires._validation import check_boolean
from keras_multires._validation import check_choice
from keras_multires._validation import check_path
from keras_multires._validation import check_positive
from keras_multires._validation import check_url
from keras_multires._validation import check_verbose
from keras_multires.datasets import cache
from keras_multires.datasets.download import fetch

RELEASE_URL = "https://physionet.org/files/ptb-xl/1.0.3/"
ARCHIVE_URL = (
    "https://physionet.org/static/published-projects/ptb-xl/"
    "ptb-xl-a-large-publicly-available-electrocardiography-dataset-1.0.3.zip"
)

LEADS = (
    *("I", "II", "III"),
    *("aVR", "aVL", "aVF"),
    *("V1", "V2", "V3", "V4", "V5", "V6"),
)
_SECONDS = 10  # of a record

_NUM_LABELS = {
    "all": 71,
    "diagnostic": 44,
    "subdiagnostic": 23,
    "superdiagnostic": 5,
    "form": 19,
    "rhythm": 12,
}
TASKS = tuple(_NUM_LABELS)

_DATABASE = "ptbxl_database.csv"
_STATEMENTS = "scp_statements.csv"
_CHECKSUMS = "SHA256SUMS.txt"
_FILE_COLUMNS = {100: "filename_lr", 500: "filename_hr"}
_PARTS = ("train", "validation", "test")
_NUM_FOLDS = 10
_REMEDY = (
    "If it belongs to the release, get that again, for instance into another "
    "folder by `ptbxl.download(directory)`."
)
# Part of the cache's name: to be raised whenever the same files give other
# arrays.
_CACHE_VERSION = 1
_CHUNK = 1 << 20


class _Record(NamedTuple):
    name: str  # path of its files within the release, without their suffixes
    part: str
    codes: frozenset  # of its statements


def load_data(
    directory,
    task="superdiagnostic",
    sampling_rate=100,
    standardize=True,
    download=False,
    cache_dir=None,
    verbose=1,
):
    """PTB-XL: 12-lead electrocardiograms of ten seconds, with their labels.

    The split is that of the release: folds 1 to 8 are the training set, fold 9
    the validation set and fold 10 the test set. A record has several labels, by
    the rule of the published benchmark: each of its statements counts, whatever
    its likelihood (0, for unknown, included). Records that have no label of the
    task are left out; the others keep their order.

    The first call reads the records one by one, which takes minutes for the
    whole release, and keeps their signals on disk for the next time: 1 GB for
    all 21,799 records at 100 Hz, and 5 GB at 500 Hz. All tasks share that file.
    It is made anew when a record's files have changed their size or their time
    of modification, or lie elsewhere; the labels are read every time.

    Args:
        directory: Folder of the release, which holds `ptbxl_database.csv`, or
            of a part of it: the records are those that this file lists. Nothing
            is written there.
        task: Which labels are to be told, one of `TASKS`:

            - `"superdiagnostic"`: the 5 classes of the diagnostic statements.
            - `"subdiagnostic"`: their 23 subclasses.
            - `"diagnostic"`: the 44 diagnostic statements.
            - `"form"`: the 19 statements on the form of the curve.
            - `"rhythm"`: the 12 statements on the rhythm.
            - `"all"`: all 71 statements.
        sampling_rate: 100 or 500, in hertz.
        standardize: Boolean. Whether to subtract the mean of the training set
            and to divide by its deviation: one number each, over all leads and
            steps of the training records that have a label of the task.
        download: Boolean. Whether to download the release (1.8 GB) into
            `directory` if it is not there yet, see `download`.
        cache_dir: Folder where the signals are kept. Defaults to `datasets` in
            Keras's own folder, `~/.keras` or `$KERAS_HOME`.
        verbose: 0 or 1. Whether to show a progress bar.

    Returns:
        Three pairs of numpy arrays `(inputs, targets)`: the training set, the
        validation set and the test set.

        - `inputs`: float32 `(n, 1000, 12)` at 100 Hz and `(n, 5000, 12)` at
          500 Hz, the leads in the order of `LEADS`, in units of the training
          set's deviation, or in millivolts with `standardize=False`.
        - `targets`: float32 `(n, number of labels)`, 1 for a label that the
          record has and 0 for one that it does not have, in the order of
          `label_names(task, directory)`. They are floating-point numbers
          because binary cross-entropy compares them with probabilities.

        Of a part of the release, the validation and test sets may be empty.

    Raises:
        ConnectionError: if the download fails; the same call continues it.
        FileExistsError: if there is something else where the release should be
            downloaded to.
        FileNotFoundError: if `directory`, or one of its files, is missing.
        ImportError: if `wfdb`, which reads the records, is not installed.
        ValueError: if an argument, a file of `directory`, the download or a
            kept file is not what it should be, or if no training record has a
            label of the task. The message names the file or the record, and
            what to do.

    Example:

    >>> from keras_multires.datasets import ptbxl
    >>> train, validation, test = ptbxl.load_data("ptb-xl", download=True)
    >>> train[0].shape[1:], train[1].shape[1:]
    ((1000, 12), (5,))

    Source:

    [PTB-XL 1.0.3 of PhysioNet](https://physionet.org/content/ptb-xl/1.0.3/),
    [doi:10.13026/kfzx-aw45](https://doi.org/10.13026/kfzx-aw45)

    Licence:

    [CC BY 4.0](https://creativecommons.org/licenses/by/4.0/)

    Reference:

    - P. Wagner et al., "PTB-XL, a large publicly available
      electrocardiography dataset", Scientific Data 7:154, 2020,
      [doi:10.1038/s41597-020-0495-6](
      https://doi.org/10.1038/s41597-020-0495-6)
    - N. Strodthoff et al., "Deep Learning for ECG Analysis: Benchmarks and
      Insights from PTB-XL", IEEE Journal of Biomedical and Health Informatics
      25(5), 2021, [doi:10.1109/JBHI.2020.3022989](
      https://doi.org/10.1109/JBHI.2020.3022989)
    """
    directory = check_path("directory", directory).resolve()
    check_choice("task", task, TASKS)
    sampling_rate = check_choice(
        "sampling_rate", sampling_rate, tuple(_FILE_COLUMNS)
    )
    standardize = check_boolean("standardize", standardize)
    download = check_boolean("download", download)
    if cache_dir is not None:
        cache_dir = check_path("cache_dir", cache_dir)
    check_verbose(verbose)
    if download:
        _import_wfdb()  # or the download would be for nothing
        _get_release(directory, RELEASE_URL, ARCHIVE_URL, verbose)
    _check_directory(directory)
    statements = _read_statements(directory)
    labels = _labels_of_statements(task, statements)
    names = sorted(set(labels.values()))
    records = _read_database(directory, sampling_rate, statements)
    targets = {
        part: _make_targets(records, part, labels, names) for part in _PARTS
    }
    # Before the signals are read, since that may take minutes.
    if not targets["train"].any():
        raise ValueError(
            f"{directory / _DATABASE}: no record of the training set (folds 1 "
            f"to 8) has a label of the task {task!r}. Take another task, or "
            "more of the release."
        )
    signals = _load_signals(
        directory, records, sampling_rate, cache_dir, verbose
    )
    for part in _PARTS:
        is_labelled = targets[part].any(axis=1)
        signals[part] = _keep_rows(signals[part], is_labelled)
        targets[part] = targets[part][is_labelled]
    if standardize:
        _standardize(signals)
    return tuple((signals[part], targets[part]) for part in _PARTS)


def label_names(task, directory):
    """The labels of a task, in the order of the columns of its targets.

    They are those of the release's `scp_statements.csv`, so that each part of
    the release has the same ones, sorted as Python sorts strings: digits before
    capital letters before `_`.

    Args:
        task: One of `TASKS`, see `load_data`.
        directory: Folder of the release.

    Returns:
        A list of strings, such as `["CD", "HYP", "MI", "NORM", "STTC"]` for
        `"superdiagnostic"`.

    Raises:
        FileNotFoundError: if `directory`, or one of its files, is missing.
        ValueError: if `task` is none of `TASKS`, `directory` is no path, or
            `scp_statements.csv` does not have its number of labels.

    Example:

    >>> ptbxl.label_names("superdiagnostic", "ptb-xl")
    ['CD', 'HYP', 'MI', 'NORM', 'STTC']
    """
    check_choice("task", task, TASKS)
    directory = check_path("directory", directory)
    _check_directory(directory)
    statements = _read_statements(directory)
    return sorted(set(_labels_of_statements(task, statements).values()))


def read_record(path, sampling_rate=None):
    """The signals of one electrocardiogram, in millivolts.

    Args:
        path: Path of a WFDB record of 12 leads in the order of `LEADS` (their
            names in small or capital letters): that of its header or of its
            data, or without their suffixes `.hea` and `.dat`.
        sampling_rate: Optional number, in hertz. The record must then have ten
            seconds at this rate, as those of PTB-XL.

    Returns:
        float32 array `(length, 12)`, in millivolts.

    Raises:
        FileNotFoundError: if one of the two files is missing.
        ImportError: if `wfdb` is not installed.
        ValueError: if `path` is no path, `sampling_rate` is not a positive
            number, or the record cannot be read, does not have the checksums of
            its header, lacks samples, or has other leads, units, rate or
            length.

    Example:

    >>> ptbxl.read_record("ptb-xl/records100/00000/00001_lr").shape
    (1000, 12)
    """
    path = check_path("path", path)
    if not path.name:
        raise ValueError(
            "`path` must be that of a record, and not of a folder. "
            f"Received: path={str(path)!r}"
        )
    if sampling_rate is not None:
        check_positive("sampling_rate", sampling_rate)
    if path.suffix in (".hea", ".dat"):
        path = path.with_suffix("")
    signals, rate = _read_record(path)
    if sampling_rate is not None:
        _check_length(path, signals, rate, sampling_rate)
    return signals


def download(directory, url=RELEASE_URL, archive_url=ARCHIVE_URL, verbose=1):
    """Downloads PTB-XL 1.0.3 and unpacks it, unless that has been done.

    The release's list of checksums and its archive (1.8 GB) are downloaded into
    `<directory>.download`, a folder beside `directory`; another 3 GB are needed
    there to unpack them. Each file is compared with its checksum. Only then is
    `directory` made, whole, and the other folder removed. After a broken
    connection the same call continues the download. One process at a time may
    do so.

    Args:
        directory: Folder of the release. If there is one already (it holds
            `ptbxl_database.csv` and `scp_statements.csv`) nothing is done. Else
            it must be missing or empty.
        url: Address of a folder that holds the list `SHA256SUMS.txt`.
        archive_url: Address of the release as a zip archive.
        verbose: 0 or 1. Whether to show progress bars.

    Raises:
        ConnectionError: if the download fails. The message says what is kept.
        FileExistsError: if there is something else in `directory`.
        OSError: if the disk is full.
        ValueError: if an argument is not as above; or if a file is missing in
            the archive or differs from its checksum. The archive is deleted
            then, and the next call gets it anew.

    Example:

    >>> ptbxl.download("ptb-xl")
    """
    directory = check_path("directory", directory).resolve()
    check_url("url", url)
    check_url("archive_url", archive_url)
    check_verbose(verbose)
    _get_release(directory, url, archive_url, verbose)


def _import_wfdb():
    try:
        import wfdb
    except ImportError as error:
        raise ImportError(
            "The records of PTB-XL are read by wfdb, which is not installed. "
            "Install it: pip install wfdb"
        ) from error
    return wfdb


def _check_directory(directory):
    remedy = (
        "`directory` must be the folder of PTB-XL's release that holds "
        f"{_DATABASE} and {_STATEMENTS}. `ptbxl.download(directory)` downloads "
        "it."
    )
    if not directory.is_dir():
        raise FileNotFoundError(f"Not a folder: {directory}. {remedy}")
    for name in (_DATABASE, _STATEMENTS):
        if not (directory / name).is_file():
            raise FileNotFoundError(
                f"No such file: {directory / name}. {remedy}"
            )


# The tables.


def _read_table(path, columns):
    """Yields number and dict of each line of a CSV file."""
    with open(path, encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file, strict=True)
        try:
            missing = [
                name
                for name in columns
                if name not in (reader.fieldnames or ())
            ]
            if missing:
                _fail(path, f"there is no column {missing[0]!r}", 1)
            for row in reader:
                if None in row or None in row.values():
                    _fail(path, "the columns are not complete", reader.line_num)
                yield reader.line_num, row
        except (csv.Error, UnicodeDecodeError) as error:
            _fail(path, str(error), reader.line_num + 1)


def _fail(path, problem, line=None):
    place = path if line is None else f"{path}, line {line}"
    raise ValueError(
        f"{place}: {problem}. The file is damaged or not one of PTB-XL's. "
        f"{_REMEDY}"
    )


def _read_statements(directory):
    """The rows of `scp_statements.csv`, by their codes."""
    columns = ("diagnostic", "form", "rhythm")
    columns += ("diagnostic_class", "diagnostic_subclass")
    rows = _read_table(directory / _STATEMENTS, ("", *columns))
    statements = {row[""]: row for _, row in rows}
    # Else a file that lacks lines would change the labels without a word.
    for task, expected in _NUM_LABELS.items():
        labels = set(_labels_of_statements(task, statements).values())
        if len(labels) != expected:
            _fail(
                directory / _STATEMENTS,
                f"there are {len(labels)} labels of the task {task!r}, and not "
                f"{expected}",
            )
    return statements


def _labels_of_statements(task, statements):
    """The label, by code, of each statement that stands for one."""
    if task == "all":
        return {code: code for code in statements}
    mark, label = {
        "superdiagnostic": ("diagnostic", "diagnostic_class"),
        "subdiagnostic": ("diagnostic", "diagnostic_subclass"),
    }.get(task, (task, ""))
    return {
        code: row[label]
        for code, row in statements.items()
        if row[mark] in ("1.0", "1")
    }


def _read_database(directory, sampling_rate, statements):
    """The records that `ptbxl_database.csv` lists, in its order."""
    path = directory / _DATABASE
    columns = ("scp_codes", "strat_fold", *_FILE_COLUMNS.values())
    records = []
    for line, row in _read_table(path, columns):
        try:
            codes = ast.literal_eval(row["scp_codes"])
        except (
            ValueError,
            TypeError,
            SyntaxError,
            MemoryError,
            RecursionError,
        ):
            codes = None
        if not isinstance(codes, dict):
            _fail(path, "`scp_codes` is no dict of statements", line)
        for code in codes:
            if code not in statements:
                _fail(path, f"the statement {code!r} is unknown", line)
        fold = row["strat_fold"]
        if fold not in map(str, range(1, _NUM_FOLDS + 1)):
            _fail(path, f"`strat_fold` is {fold!r}, and not 1 to 10", line)
        # Both, since a line that is cut off ends in the second one.
        for rate, column in _FILE_COLUMNS.items():
            if not re.fullmatch(
                rf"records{rate}/\d+/\d+_{column[-2:]}", row[column]
            ):
                _fail(path, f"`{column}` is {row[column]!r}", line)
        part = {"9": "validation", "10": "test"}.get(fold, "train")
        name = row[_FILE_COLUMNS[sampling_rate]]
        records.append(_Record(name, part, frozenset(codes)))
    if not records:
        _fail(path, "there are no records in it")
    return records


def _make_targets(records, part, labels, names):
    columns = {name: column for column, name in enumerate(names)}
    records = [record for record in records if record.part == part]
    targets = np.zeros((len(records), len(names)), dtype="float32")
    for row, record in zip(targets, records, strict=True):
        for code in record.codes & labels.keys():
            row[columns[labels[code]]] = 1
    return targets


# The signals.


def _load_signals(directory, records, sampling_rate, cache_dir, verbose):
    """The signals of each part in millivolts, kept or read from the records.

    The name of the kept file depends on what is cheap to know of the files that
    it was made from: where they lie, their sizes and their times of
    modification. Their labels and the rest of the tables do not matter.
    """
    digest = hashlib.sha256(str(directory).encode())
    for record in records:
        digest.update(f"\n{record.part} {record.name}".encode())
        for path in _files_of_record(directory / record.name):
            status = path.stat()
            digest.update(f" {status.st_size} {status.st_mtime_ns}".encode())
    path = cache.cache_file(
        f"ptbxl-v{_CACHE_VERSION}-{sampling_rate}hz-"
        f"{digest.hexdigest()[:16]}.npz",
        cache_dir,
    )
    length = _SECONDS * sampling_rate
    shapes = {
        part: (sum(record.part == part for record in records), length, 12)
        for part in _PARTS
    }
    if path.exists():
        return cache.read_arrays(
            path, functools.partial(_check_arrays, shapes=shapes)
        )
    _import_wfdb()
    signals = {part: np.empty(shapes[part], "float32") for part in _PARTS}
    rows = {part: iter(signals[part]) for part in _PARTS}
    progress = keras.utils.Progbar(
        len(records), unit_name="record", verbose=verbose
    )
    for record in records:
        name = directory / record.name
        signal, rate = _read_record(name)
        _check_length(name, signal, rate, sampling_rate)
        next(rows[record.part])[:] = signal
        progress.add(1)
    # Signals do not shrink by much, and compression takes longer than reading.
    cache.write_arrays(path, signals, compress=False)
    return signals


def _check_arrays(arrays, shapes):
    """Raises an error if kept arrays are not signals of these shapes."""
    for part, shape in shapes.items():
        if (arrays[part].shape, arrays[part].dtype) != (shape, "float32"):
            raise ValueError(f"Unexpected contents of {part}.")


def _files_of_record(path):
    """The header and the data of a record, which must be there."""
    files = [path.with_name(f"{path.name}{end}") for end in (".hea", ".dat")]
    for file in files:
        if not file.is_file():
            raise FileNotFoundError(f"No such file: {file}. {_REMEDY}")
    return files


def _read_record(path):
    """The signals of a record in millivolts, and their sampling rate.

    Args:
        path: `pathlib.Path` of the record, without a suffix.
    """
    wfdb = _import_wfdb()
    header, data = _files_of_record(path)
    # wfdb reads whatever files a header names, from the network too.
    firsts = [
        line.split()[0]
        for line in header.read_text("utf-8", errors="replace").splitlines()
        if line.strip() and not line.startswith("#")
    ]
    if set(firsts[1:]) != {data.name}:
        _fail(header, f"it does not describe the signals of {data.name} alone")
    try:
        record = wfdb.rdrecord(
            str(path.absolute()), physical=False, return_res=32
        )
        digital = record.d_signal
        signals = record.dac(return_res=32)  # (length, lead)
    # Damaged files raise all kinds of errors in it.
    except Exception as error:
        raise ValueError(
            f"The record {path} cannot be read "
            f"({str(error) or type(error).__name__}): {header.name} or "
            f"{data.name} is damaged. {_REMEDY}"
        ) from error
    names = [str(name) for name in record.sig_name]
    if [name.upper() for name in names] != [name.upper() for name in LEADS]:
        _fail(
            header,
            f"the leads must be {' '.join(LEADS)} and are {' '.join(names)}",
        )
    if set(record.units) != {"mV"}:
        _fail(header, f"the units must be mV and are {' '.join(record.units)}")
    for name, column, checksum in zip(
        names, digital.T, record.checksum, strict=True
    ):
        if checksum is not None and (int(column.sum()) - checksum) % 65536:
            _fail(data, f"lead {name} does not have the header's checksum")
    if not np.isfinite(signals).all():
        _fail(data, "some samples are missing (not a number)")
    return signals, record.fs


def _check_length(path, signals, rate, sampling_rate):
    length = _SECONDS * sampling_rate
    if (rate, len(signals)) != (sampling_rate, length):
        _fail(
            f"{path}.hea",
            f"the record has {len(signals)} steps at {rate} Hz, and not "
            f"{length} at {sampling_rate} Hz",
        )


def _keep_rows(array, is_kept):
    """The rows that are kept, moved to the start of the same memory.

    A copy would need as much memory again, up to 5 GB.
    """
    rows = np.flatnonzero(is_kept)
    for target, source in enumerate(rows):
        if target != source:
            array[target] = array[source]
    return array[: len(rows)]


def _standardize(signals):
    """Standardises the parts in place, by the training set."""
    train = signals["train"]
    # Record by record, so that no copy in float64 of the whole is made.
    mean = np.mean([record.mean(dtype="float64") for record in train])
    deviation = np.sqrt(
        np.mean(
            [
                np.square(record.astype("float64") - mean).mean()
                for record in train
            ]
        )
    )
    if not deviation > 0:
        raise ValueError(
            "The training set cannot be standardised: all its samples are "
            "equal. Pass standardize=False."
        )
    for part in _PARTS:
        signals[part] -= mean.astype("float32")
        signals[part] /= deviation.astype("float32")


# The release.


def _get_release(directory, url, archive_url, verbose):
    if all((directory / name).is_file() for name in (_DATABASE, _STATEMENTS)):
        return
    if directory.exists() and (
        not directory.is_dir() or any(directory.iterdir())
    ):
        raise FileExistsError(
            f"{directory} is not empty, and not PTB-XL's release: there is no "
            f"{_DATABASE} or no {_STATEMENTS} in it. Name an empty folder, or "
            "one that is still to be made."
        )
    workplace = directory.with_name(f"{directory.name}.download")
    archive = workplace / "archive.zip"
    unpacked = workplace / "unpacked"
    # What an earlier call left that was killed.
    if unpacked.exists():
        shutil.rmtree(unpacked)
    list_url = f"{url.rstrip('/')}/{_CHECKSUMS}"
    fetch(list_url, workplace / _CHECKSUMS, verbose=verbose)
    checksums = _read_checksums(workplace / _CHECKSUMS, list_url)
    if not archive.exists():
        fetch(archive_url, archive, verbose=verbose)
    _unpack(archive, archive_url, checksums, unpacked, verbose)
    (workplace / _CHECKSUMS).rename(unpacked / _CHECKSUMS)
    if directory.exists():
        directory.rmdir()
    unpacked.rename(directory)
    shutil.rmtree(workplace)


def _read_checksums(path, url):
    """The checksums of `SHA256SUMS.txt`, by the files' names."""

    def fail(problem):
        path.unlink()
        raise ValueError(
            f"{url} is no list of checksums of PTB-XL: {problem}. It has been "
            "deleted. Check the address, and call again to get it anew."
        )

    checksums = {}
    text = path.read_text(encoding="utf-8", errors="replace")
    for number, line in enumerate(text.splitlines(), 1):
        match = re.fullmatch(r"([0-9a-fA-F]{64}) [ *](.+)", line)
        if match is None or not _is_inside(match[2]):
            fail(f"line {number} is {line[:100]!r}")
        checksums[match[2]] = match[1].lower()
    for name in (_DATABASE, _STATEMENTS):
        if name not in checksums:
            fail(f"{name} is missing in it")
    return checksums


def _is_inside(name):
    """Whether a path, relative to a folder, cannot leave it."""
    path = PurePosixPath(name)
    return not (
        path.is_absolute() or ".." in path.parts or set(name) & {*"\\:"}
    )


def _unpack(archive, url, checksums, folder, verbose):
    """Unpacks the listed files of an archive into a new folder.

    What the list does not name, and so cannot be compared, is not unpacked.
    After an error there is no such folder, and no archive if that is damaged.
    """
    if verbose:
        print(f"Unpacking {archive}", flush=True)
    folder.mkdir()
    try:
        with zipfile.ZipFile(archive) as source:
            members = _find_members(source, checksums)
            needed = sum(member.file_size for member in members.values())
            free = shutil.disk_usage(folder).free
            if needed > free:
                raise OSError(
                    errno.ENOSPC,
                    f"{needed} bytes are to be unpacked and only {free} are "
                    "free on the disk",
                    str(folder),
                )
            progress = keras.utils.Progbar(
                len(members), unit_name="file", verbose=verbose
            )
            for name, member in members.items():
                if _extract(source, member, folder / name) != checksums[name]:
                    raise zipfile.BadZipFile(
                        f"{name} does not have its SHA-256 checksum"
                    )
                progress.add(1)
    except BaseException as error:
        shutil.rmtree(folder)
        # Damaged archives raise errors of half a dozen modules, EINVAL for
        # places before their start among them. Others come from the disk.
        is_damaged = isinstance(error, Exception) and (
            not isinstance(error, OSError) or error.errno == errno.EINVAL
        )
        if not is_damaged:
            raise
        archive.unlink()
        raise ValueError(
            f"The archive of {url} is damaged: "
            f"{str(error) or type(error).__name__}. It has been deleted: call "
            "again to get it anew."
        ) from error


def _find_members(source, checksums):
    """The members of an archive that are listed, by the names in the list."""
    members = {member.filename: member for member in source.infolist()}
    for name in members:
        if not _is_inside(name):
            raise zipfile.BadZipFile(f"the path {name!r} leads elsewhere")
    # All is in one folder there.
    folders = [
        name.removesuffix(_DATABASE)
        for name in members
        if PurePosixPath(name).name == _DATABASE
    ]
    folder = min(folders, key=len, default="")
    for name in checksums:
        if folder + name not in members:
            raise zipfile.BadZipFile(f"{name} is missing in it")
    return {name: members[folder + name] for name in checksums}


def _extract(source, member, path):
    """Writes a member of an archive and returns its SHA-256 checksum."""
    path.parent.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256()
    with source.open(member) as content, open(path, "xb") as file:
        while chunk := content.read(_CHUNK):
            digest.update(chunk)
            file.write(chunk)
    return digest.hexdigest()
