"""The signals of PTB-XL: WFDB records, their cache, and standardisation."""

import functools
import hashlib

import keras
import numpy as np

from keras_multires._files import explain_errors
from keras_multires._packages import import_package
from keras_multires._validation import check_path
from keras_multires._validation import check_positive
from keras_multires._validation import require
from keras_multires.datasets import _cache
from keras_multires.datasets._checks import check_files
from keras_multires.datasets._checks import require_whole
from keras_multires.datasets.ptbxl.tables import PARTS
from keras_multires.datasets.ptbxl.tables import REMEDY
from keras_multires.datasets.ptbxl.tables import require_valid

__all__ = [
    "LEADS",
    "import_wfdb",
    "keep_rows",
    "load_signals",
    "read_record",
    "standardize_parts",
]

LEADS = (
    *("I", "II", "III"),
    *("aVR", "aVL", "aVF"),
    *("V1", "V2", "V3", "V4", "V5", "V6"),
)
_RECORD_SECONDS = 10
# Characters. That of a record of PTB-XL has 600.
_MAX_HEADER = 1 << 14
# Those of WFDB that are not compressed.
_FORMATS = {"8", "16", "24", "32", "61", "80", "160", "212", "310", "311"}
# Part of the name of the cached file. Increase it whenever the same files give
# other arrays.
_CACHE_VERSION = 1

import_wfdb = functools.partial(
    import_package, "wfdb", "The records of PTB-XL are read by wfdb"
)


def read_record(path, sampling_rate=None):
    """The signals of one electrocardiogram, in millivolts.

    Args:
        path: Path of a WFDB record of 12 leads in the order of `LEADS` (their
            names in small or capital letters), in one data file that is not
            compressed: the path of its header or of its data, or the path
            without the suffixes `.hea` and `.dat`.
        sampling_rate: Optional number, in hertz. The record must then have this
            rate and last ten seconds, as those of PTB-XL do.

    Returns:
        float32 array `(length, 12)`, in millivolts.

    Raises:
        FileNotFoundError: if one of the two files is missing.
        ImportError: if `wfdb` is not installed.
        ValueError: if `path` is not a path, `sampling_rate` is not a positive
            number, or the record cannot be read, does not have the checksums of
            its header, lacks samples, or has other leads, units, rate or
            length.

    Example:

    >>> ptbxl.read_record("ptb-xl/records100/00000/00001_lr").shape
    (1000, 12)
    """
    path = check_path("path", path)
    expected = "`path` must be that of a record, and not of a folder."
    require(path.name, expected, path=str(path))
    if sampling_rate is not None:
        check_positive("sampling_rate", sampling_rate)
    if path.suffix in (".hea", ".dat"):
        path = path.with_suffix("")
    return _read_signals(path, sampling_rate)


def load_signals(directory, records, sampling_rate, cache_dir, verbose):
    """The signals of each part in millivolts, from the cache or the records.

    The name of the cached file depends on what is quickly known about the files
    that it was made from: where they are, their sizes and their modification
    times. It does not depend on their labels or the rest of the tables.
    """
    digest = hashlib.sha256(str(directory).encode())
    for record in records:
        digest.update(f"\n{record.part} {record.name}".encode())
        for path in _files_of_record(directory / record.name):
            status = path.stat()
            digest.update(f" {status.st_size} {status.st_mtime_ns}".encode())
    path = _cache.cache_file(
        f"ptbxl-v{_CACHE_VERSION}-{sampling_rate}hz-"
        f"{digest.hexdigest()[:16]}.npz",
        cache_dir,
    )
    length = _RECORD_SECONDS * sampling_rate
    shapes = {
        part: (sum(record.part == part for record in records), length, 12)
        for part in PARTS
    }
    return _cache.keep_arrays(
        path,
        functools.partial(_have_shapes, shapes=shapes),
        lambda: _read_parts(directory, records, sampling_rate, shapes, verbose),
        # Compression would take longer than reading, and gain little.
        compress=False,
        verbose=verbose,
    )


def _read_parts(directory, records, sampling_rate, shapes, verbose):
    """The signals of each part, from the records."""
    import_wfdb()
    signals = {part: np.empty(shapes[part], "float32") for part in PARTS}
    rows = {part: iter(signals[part]) for part in PARTS}
    progress = keras.utils.Progbar(
        len(records), unit_name="record", verbose=verbose
    )
    for record in records:
        row = next(rows[record.part])
        row[:] = _read_signals(directory / record.name, sampling_rate)
        progress.add(1)
    return signals


def keep_rows(array, is_kept):
    """Moves the rows to keep to the start of an array, and returns them.

    A copy would need as much memory again, up to 5 GB.
    """
    rows = np.flatnonzero(is_kept)
    for target, source in enumerate(rows):
        if target != source:
            array[target] = array[source]
    return array[: len(rows)]


def standardize_parts(signals):
    """Standardises a dict of parts in place, by the training set."""
    train = signals["train"]
    # Record by record, to avoid a copy of the whole in float64.
    mean = np.mean([record.mean(dtype="float64") for record in train])
    squares = (np.square(record.astype("float64") - mean) for record in train)
    deviation = np.sqrt(np.mean([square.mean() for square in squares]))
    problem = "The training set cannot be standardised: all its samples are "
    problem += "equal. Pass standardize=False."
    require_whole(deviation > 0, problem)
    for part in PARTS:
        signals[part] -= mean.astype("float32")
        signals[part] /= deviation.astype("float32")


def _have_shapes(arrays, shapes):
    return all(
        (arrays[part].shape, arrays[part].dtype) == (shape, "float32")
        for part, shape in shapes.items()
    )


def _files_of_record(path):
    """The header and the data of a record, which must exist."""
    files = [path.with_name(f"{path.name}{end}") for end in (".hea", ".dat")]
    check_files(files, REMEDY)
    return files


def _check_header(header, data):
    """Accepts a header whose signals take no more memory than their data."""
    require_whole(header.n_sig == len(header.fmt), "it lacks signals")
    are_plain = _FORMATS.issuperset(header.fmt)
    are_plain &= not any((*header.skew, *header.byte_offset))
    are_plain &= {1, None}.issuperset(header.samps_per_frame)
    require_whole(are_plain, "its format is unknown")
    num_samples = header.n_sig * (header.sig_len or 0)
    # Each takes at least one byte.
    fits = num_samples <= data.stat().st_size
    require_whole(fits, "there are fewer samples than it says")
    require_whole(np.isfinite(header.adc_gain).all(), "a gain is infinite")


def _read_signals(path, sampling_rate=None):
    """The signals of a record in millivolts.

    Args:
        path: `pathlib.Path` of the record, without a suffix.
        sampling_rate: Optional number, in hertz, as in `read_record`.
    """
    wfdb = import_wfdb()
    header, data = _files_of_record(path)
    # wfdb reads any files that a header names, even from the network, and needs
    # a time that grows with the square of the length of a line.
    with open(header, encoding="utf-8", errors="replace") as file:
        text = file.read(_MAX_HEADER + 1)
    lines = (line for line in text.splitlines() if not line.startswith("#"))
    firsts = [line.split()[0] for line in lines if line.strip()]
    problem = f"it does not describe the signals of {data.name} alone"
    is_plain = len(text) <= _MAX_HEADER and set(firsts[1:]) == {data.name}
    require_valid(is_plain, header, problem)
    with explain_errors(
        lambda problem: (
            f"The record {path} cannot be read ({problem}): {header.name} or "
            f"{data.name} is damaged. {REMEDY}"
        )
    ):
        _check_header(wfdb.rdheader(str(path.absolute())), data)
        record = wfdb.rdrecord(
            str(path.absolute()), physical=False, return_res=32
        )
        digital = record.d_signal
        # Gains that are out of the range give samples that are not finite.
        with np.errstate(all="ignore"):
            signals = record.dac(return_res=32)  # (length, lead)
    names = [str(name) for name in record.sig_name]
    are_leads = [name.upper() for name in names] == list(map(str.upper, LEADS))
    problem = f"the leads must be {' '.join(LEADS)} and are {' '.join(names)}"
    require_valid(are_leads, header, problem)
    problem = f"the units must be mV and are {' '.join(record.units)}"
    require_valid(set(record.units) == {"mV"}, header, problem)
    sums = zip(names, digital.sum(axis=0), record.checksum, strict=True)
    for name, found, checksum in sums:
        is_right = checksum is None or (int(found) - checksum) % 65536 == 0
        problem = f"lead {name} does not have the header's checksum"
        require_valid(is_right, data, problem)
    problem = "some samples are missing (not a number)"
    require_valid(np.isfinite(signals).all(), data, problem)
    if sampling_rate is not None:
        found = (len(signals), record.fs)
        length = _RECORD_SECONDS * sampling_rate
        problem = f"the record has {found[0]} steps at {found[1]} Hz, and not "
        problem += f"{length} at {sampling_rate} Hz"
        require_valid(found == (length, sampling_rate), header, problem)
    return signals
