"""Small releases of PTB-XL for tests, made from the one in `testdata`."""

import hashlib
import io
import re
import zipfile

import numpy as np
import pandas as pd
import wfdb

from keras_multires.datasets.ptbxl import LEADS
from testing.paths import TESTDATA

__all__ = [
    "ARCHIVE",
    "FIRST",
    "FIXTURE",
    "LIST",
    "TOP",
    "keep_records",
    "list_checksums",
    "pack",
    "read_by_numpy",
    "read_database",
    "replace",
    "serve",
    "waves",
    "write_database",
    "write_record",
]

FIXTURE = TESTDATA / "ptbxl"
FIRST = "records100/00000/00001_lr"  # a record of the training set
# Where a server has the release, and the archive its files.
LIST = "/files/SHA256SUMS.txt"
ARCHIVE = "/archive.zip"
TOP = "ptb-xl-1.0.3/"


def read_database(directory):
    """The table of the records, with strings in every column."""
    return pd.read_csv(directory / "ptbxl_database.csv", dtype=str)


def write_database(directory, table):
    """Replaces the table of the records."""
    table.to_csv(directory / "ptbxl_database.csv", index=False)


def keep_records(directory, select):
    """Keeps only some lines in the table of the records.

    Args:
        directory: Folder of the release.
        select: Function from the table to a mask of its lines.
    """
    table = read_database(directory)
    write_database(directory, table[select(table)])


def read_by_numpy(name, directory=FIXTURE):
    """A record in millivolts, read from the bytes of its files."""
    gains = re.findall(
        r"16 ([\d.]+)\(0\)/mV", (directory / f"{name}.hea").read_text()
    )
    samples = np.fromfile(directory / f"{name}.dat", "<i2").reshape(-1, 12)
    return samples / np.array(gains, float)


def write_record(path, signals, fs=100, sig_name=LEADS, unit="mV"):
    """Writes signals in millivolts, rounded to microvolts."""
    path.parent.mkdir(parents=True, exist_ok=True)
    leads = signals.shape[1]
    wfdb.wrsamp(
        path.name,
        fs=fs,
        units=[unit] * leads,
        sig_name=list(sig_name),
        p_signal=np.asarray(signals, "float64"),
        fmt=["16"] * leads,
        adc_gain=[1000.0] * leads,
        baseline=[0] * leads,
        write_dir=str(path.parent),
    )


def waves(length=1000, leads=12):
    """Signals in millivolts with another frequency in each lead."""
    steps = np.arange(length)[:, np.newaxis]
    return np.sin(steps / (5 + np.arange(leads))) + 0.1 * np.arange(leads)


def pack(files, compression=zipfile.ZIP_DEFLATED):
    """A zip archive of a dict of contents by name, as bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def list_checksums(files):
    """The list of the checksums of a dict of contents by name."""
    return "".join(
        # With one space, as PhysioNet writes it.
        f"{hashlib.sha256(content).hexdigest()} {name}\n"
        for name, content in files.items()
    ).encode()


def serve(server, files):
    """Gives a `WebServer` a release, a dict of contents by name."""
    sums = list_checksums(files)
    members = {TOP + name: content for name, content in files.items()}
    server.files[LIST] = sums
    server.files[ARCHIVE] = pack({f"{TOP}SHA256SUMS.txt": sums, **members})


def replace(path, old, new):
    """Replaces the first occurrence of some bytes in a file."""
    content = path.read_bytes()
    assert old in content
    path.write_bytes(content.replace(old, new, 1))
