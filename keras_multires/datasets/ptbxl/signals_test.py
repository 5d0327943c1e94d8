import os
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import wfdb

from keras_multires.datasets import ptbxl
from testing.ptbxl_release import FIRST
from testing.ptbxl_release import FIXTURE
from testing.ptbxl_release import read_by_numpy
from testing.ptbxl_release import read_database
from testing.ptbxl_release import replace
from testing.ptbxl_release import waves
from testing.ptbxl_release import write_database
from testing.ptbxl_release import write_record

FOLDS = (range(1, 9), (9,), (10,))


def test_the_fixture_is_what_wfdb_writes(tmp_path):
    """The records of the tests are written by it, too."""
    record = wfdb.rdrecord(str(FIXTURE / FIRST), physical=False)
    path = tmp_path / Path(FIRST).name
    wfdb.wrsamp(
        path.name,
        fs=record.fs,
        units=record.units,
        sig_name=record.sig_name,
        d_signal=record.d_signal,
        fmt=record.fmt,
        adc_gain=record.adc_gain,
        baseline=record.baseline,
        write_dir=str(tmp_path),
    )
    for suffix in (".hea", ".dat"):
        expected = Path(f"{FIXTURE / FIRST}{suffix}").read_bytes()
        assert path.with_suffix(suffix).read_bytes() == expected


@pytest.mark.parametrize("suffix", ["", ".hea", ".dat"])
def test_the_path_of_a_record_may_have_either_suffix_or_neither(
    suffix, monkeypatch
):
    expected = read_by_numpy(FIRST)
    signals = ptbxl.read_record(str(FIXTURE / FIRST) + suffix)
    assert signals.dtype == "float32"
    assert signals.shape == (1000, 12)
    np.testing.assert_allclose(signals, expected, rtol=1e-6, atol=0)
    monkeypatch.chdir((FIXTURE / FIRST).parent)
    np.testing.assert_array_equal(
        ptbxl.read_record(f"00001_lr{suffix}"), signals
    )


def test_a_record_may_have_any_length_and_any_scale(tmp_path):
    write_record(tmp_path / "record", waves(123) * 10, fs=250)
    np.testing.assert_allclose(
        ptbxl.read_record(tmp_path / "record"), waves(123) * 10, atol=6e-4
    )
    header = tmp_path / "record.hea"
    header.write_bytes(header.read_bytes().replace(b"1000.0(0)", b"500.0(20)"))
    np.testing.assert_allclose(
        ptbxl.read_record(tmp_path / "record"),
        (waves(123) * 10_000 - 20) / 500,
        atol=2e-3,
    )


def test_names_of_leads_may_have_small_or_capital_letters(tmp_path):
    for number, change in enumerate((str.upper, str.lower)):
        path = tmp_path / str(number)
        write_record(path, waves(), sig_name=map(change, ptbxl.LEADS))
        assert ptbxl.read_record(path).shape == (1000, 12)


def cut_data(path):
    path = path.with_name(f"{path.name}.dat")
    path.write_bytes(path.read_bytes()[:-100])


def cut_half_a_sample(path):
    path = path.with_name(f"{path.name}.dat")
    path.write_bytes(path.read_bytes()[:-1])


def empty_data(path):
    path.with_name(f"{path.name}.dat").write_bytes(b"")


def change_a_bit(path):
    path = path.with_name(f"{path.name}.dat")
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def empty_header(path):
    path.with_name(f"{path.name}.hea").write_bytes(b"")


def cut_header(path):
    path = path.with_name(f"{path.name}.hea")
    path.write_bytes(path.read_bytes()[:300])


def write_a_page(path):
    path.with_name(f"{path.name}.hea").write_text("<html>\n<body>\n")


def write_bytes(path):
    path.with_name(f"{path.name}.hea").write_bytes(b"\xff\0\n" * 20)


def name_an_unknown_format(path):
    replace(path.with_name(f"{path.name}.hea"), b".dat 16", b".dat 99")


def name_another_file(path):
    shutil.copy(f"{path}.dat", path.with_name("other.dat"))
    replace(path.with_name(f"{path.name}.hea"), b"01_lr.dat", b"../other.dat")


def name_a_file_of_the_network(path):
    header = path.with_name(f"{path.name}.hea")
    header.write_text(
        header.read_text().replace(f"{path.name}.dat", "a::http://127.0.0.1/b")
    )


def name_segments(path):
    path.with_name(f"{path.name}.hea").write_text(
        f"{path.name}/2 12 100 1000\na 500\nb 500\n"
    )


def swap_leads(path):
    leads = [*ptbxl.LEADS[:4], "aVF", "aVL", *ptbxl.LEADS[6:]]
    write_record(path, waves(), sig_name=leads)


def leave_out_leads(path):
    write_record(path, waves(leads=8), sig_name=ptbxl.LEADS[:8])


def write_microvolts(path):
    write_record(path, waves(), unit="uV")


def write_a_missing_sample(path):
    signals = waves()
    signals[500, 3] = np.nan
    write_record(path, signals)


def change_header(old, new):
    """Replaces the first occurrence of some bytes in a header."""

    def change(path):
        replace(path.with_name(f"{path.name}.hea"), old, new)

    return change


def write_long_lines(path):
    path.with_name(f"{path.name}.hea").write_text("1" * 1_000_000)


def write_many_signals(path):
    header = path.with_name(f"{path.name}.hea")
    record, *signals = header.read_text().splitlines()
    lines = [record.replace(" 12 ", " 60000 "), *signals * 5000]
    header.write_text("\n".join(lines))


def write_sound(path):
    """A format that is compressed, of a silence of three days."""
    header = path.with_name(f"{path.name}.hea")
    text = header.read_text().replace(".dat 16 ", ".dat 516 ")
    header.write_text(text.replace(" 1000\n", " 25920000\n"))


DAMAGES = [
    (change_header(b" 1000\n", b" 900000000000\n"), "fewer samples"),
    (change_header(b" 1000\n", b" " + b"9" * 5000 + b"\n"), "cannot be read"),
    (change_header(b" 12 ", b" 11 "), "lacks signals"),
    (change_header(b" 12 ", b" 1000000000 "), "lacks signals"),
    (change_header(b"1000.0(0)/mV", b"nan(0)/mV"), "leads must be"),
    (change_header(b"1000.0(0)/mV", b"1e999(0)/mV"), "gain is infinite"),
    (change_header(b"1000.0(0)/mV", b"1e-320(0)/mV"), "samples are missing"),
    (change_header(b"(0)/mV", b"(" + b"9" * 30 + b")/mV"), "cannot be read"),
    (change_header(b".dat 16 ", b".dat 16x1000000000 "), "format is unknown"),
    (change_header(b".dat 16 ", b".dat 16:1000000000 "), "format is unknown"),
    (change_header(b".dat 16 ", b".dat 16+1000000000 "), "format is unknown"),
    (write_sound, "format is unknown"),
    (write_long_lines, "does not describe"),
    (write_many_signals, "does not describe"),
    (cut_data, "cannot be read"),
    (cut_half_a_sample, "cannot be read"),
    (empty_data, "cannot be read"),
    (change_a_bit, "checksum"),
    (empty_header, "does not describe"),
    (cut_header, "cannot be read"),
    (write_a_page, "does not describe"),
    (write_bytes, "does not describe"),
    (name_an_unknown_format, "cannot be read"),
    (name_another_file, "does not describe"),
    (name_a_file_of_the_network, "does not describe"),
    (name_segments, "does not describe"),
    (swap_leads, "leads must be I II .*aVF aVL"),
    (leave_out_leads, "leads must be I II"),
    (write_microvolts, "units must be mV and are uV"),
    (write_a_missing_sample, "samples are missing"),
]


@pytest.mark.parametrize(("damage", "problem"), DAMAGES)
def test_a_damaged_record_is_an_error_that_names_it(small, damage, problem):
    damage(small / FIRST)
    with pytest.raises(ValueError, match=problem) as error:
        ptbxl.read_record(small / FIRST)
    assert str(small / FIRST) in str(error.value)
    assert "get that again" in str(error.value)
    with pytest.raises(ValueError, match=problem) as error:
        ptbxl.load_data(small, verbose=0)
    assert str(small / FIRST) in str(error.value)
    assert not list(small.parent.glob("home/datasets/*"))


@pytest.mark.parametrize(
    ("length", "fs", "problem"),
    [
        (999, 100, "999 steps at 100 Hz"),
        (5000, 500, "5000 steps at 500 Hz"),
        (1000, 500, "1000 steps at 500 Hz"),
    ],
)
def test_a_record_of_another_length_or_rate_is_an_error_that_names_it(
    small, length, fs, problem
):
    write_record(small / FIRST, waves(length), fs=fs)
    with pytest.raises(ValueError, match=f"{problem}.*1000 at 100") as error:
        ptbxl.load_data(small, verbose=0)
    assert str(small / FIRST) in str(error.value)
    assert not list(small.parent.glob("home/datasets/*"))
    with pytest.raises(ValueError, match=f"{problem}.*1000 at 100") as error:
        ptbxl.read_record(small / FIRST, sampling_rate=100)
    assert str(small / FIRST) in str(error.value)


@pytest.mark.parametrize("suffix", [".hea", ".dat"])
def test_a_missing_file_of_a_record_is_an_error_that_names_it(small, suffix):
    path = small / f"{FIRST}{suffix}"
    path.unlink()
    for call in (
        lambda: ptbxl.load_data(small, verbose=0),
        lambda: ptbxl.read_record(small / FIRST),
    ):
        with pytest.raises(FileNotFoundError, match="again") as error:
            call()
        assert str(path) in str(error.value)


# Signals kept on disk.


@pytest.fixture
def kept(small, tmp_path):
    """The file in which the signals of `small` are kept."""
    ptbxl.load_data(small, cache_dir=tmp_path / "cache", verbose=0)
    [path] = (tmp_path / "cache").iterdir()
    return path


def load_kept(small, kept, task="superdiagnostic", **arguments):
    return ptbxl.load_data(
        small, task, cache_dir=kept.parent, verbose=0, **arguments
    )


def test_records_are_read_once_for_all_tasks(small, kept, monkeypatch):
    raw = load_kept(small, kept, standardize=False)
    monkeypatch.delattr(ptbxl.signals, "_read_signals")
    monkeypatch.setitem(sys.modules, "wfdb", None)
    for task in ptbxl.TASKS:
        load_kept(small, kept, task)
    again = load_kept(small, kept, standardize=False)
    for (inputs, targets), (other, others) in zip(again, raw, strict=True):
        assert inputs.dtype == other.dtype
        assert targets.dtype == others.dtype
        np.testing.assert_array_equal(inputs, other)
    assert list(kept.parent.iterdir()) == [kept]


def test_changed_labels_are_read_without_reading_the_records_again(
    small, kept, monkeypatch
):
    monkeypatch.delattr(ptbxl.signals, "_read_signals")
    table = read_database(small)
    table["scp_codes"] = "{'IMI': 0.0, 'CLBBB': 50.0}"
    write_database(small, table)
    for _, targets in load_kept(small, kept):
        for row in targets:
            assert row.tolist() == [1, 0, 1, 0, 0]  # CD and MI


def test_a_record_that_has_changed_is_read_again(small, kept):
    path = small / f"{FIRST}.dat"
    samples = np.fromfile(path, "<i2").reshape(-1, 12)
    # This changes neither the size nor the checksum.
    samples[::-1].tofile(path)
    # The clock may be too coarse.
    os.utime(path, ns=(0, 123_456_789_000))
    (inputs, _), _, _ = load_kept(small, kept, standardize=False)
    np.testing.assert_allclose(inputs[0], samples[::-1] / 1000, rtol=1e-6)


def test_changed_folds_or_records_are_read_again(small, kept):
    table = read_database(small)
    table["strat_fold"] = ["1", "2", "9", "10"]
    write_database(small, table)
    load_kept(small, kept)
    # This does not change the sizes of the parts.
    table["strat_fold"] = ["9", "2", "10", "1"]
    for rows in (table, table[::-1], table[:-1]):
        write_database(small, rows)
        parts = load_kept(small, kept, "all", standardize=False)
        for (inputs, _), part in zip(parts, FOLDS, strict=True):
            is_in_part = rows.strat_fold.astype(int).isin(part)
            for signals, name in zip(
                inputs, rows.filename_lr[is_in_part], strict=True
            ):
                np.testing.assert_allclose(
                    signals, read_by_numpy(name, small), rtol=1e-6
                )


def test_each_folder_and_sampling_rate_has_its_own_cache(small, kept):
    other = Path(shutil.copytree(small, small.with_name("other")))
    load_kept(other, kept)
    assert len(list(kept.parent.iterdir())) == 2
    for name in read_database(small).filename_hr:
        write_record(small / name, waves(5000), fs=500)
    load_kept(small, kept, sampling_rate=500)
    assert len(list(kept.parent.iterdir())) == 3


def test_another_path_of_the_same_folder_has_the_same_cache(
    small, kept, monkeypatch
):
    monkeypatch.chdir(small.parent)
    load_kept("ptb-xl", kept)
    assert list(kept.parent.iterdir()) == [kept]


def test_a_cache_of_another_version_is_not_read(small, kept, monkeypatch):
    monkeypatch.setattr(ptbxl.signals, "_CACHE_VERSION", -1)
    load_kept(small, kept)
    assert len(list(kept.parent.iterdir())) == 2


def test_the_default_cache_is_in_the_folder_of_keras(small):
    ptbxl.load_data(small, verbose=0)
    assert list((small.parent / "home/datasets").glob("ptbxl-*-100hz-*.npz"))


def truncate(path):
    path.write_bytes(path.read_bytes()[:-200])


def empty(path):
    path.write_bytes(b"")


def change_a_byte(path):
    # In the training set, which comes first.
    content = bytearray(path.read_bytes())
    content[len(content) // 4] ^= 16
    path.write_bytes(content)


def change_array(path, change):
    with np.load(path) as file:
        arrays = dict(file)
    arrays["train"] = change(arrays["train"])
    np.savez(path, **arrays)


def leave_out_an_array(path):
    with np.load(path) as file:
        arrays = dict(file)
    del arrays["test"]
    np.savez(path, **arrays)


def drop_a_row(path):
    change_array(path, lambda array: array[1:])


def change_the_type(path):
    change_array(path, lambda array: array.astype("float64"))


def write_objects(path):
    change_array(path, lambda array: array.astype(object))


@pytest.mark.parametrize(
    "damage",
    [
        truncate,
        empty,
        change_a_byte,
        leave_out_an_array,
        drop_a_row,
        change_the_type,
        write_objects,
    ],
)
def test_a_damaged_cache_is_an_error_that_says_what_to_do(small, kept, damage):
    damage(kept)
    with pytest.raises(ValueError, match="Delete the file") as error:
        load_kept(small, kept)
    assert str(kept) in str(error.value)
    kept.unlink()
    assert load_kept(small, kept)[0][0].shape[1:] == (1000, 12)


def test_a_call_that_is_killed_while_reading_leaves_no_cache(
    small, tmp_path, monkeypatch
):
    original = ptbxl.signals._read_signals
    read = []

    def read_or_stop(path, sampling_rate):
        if len(read) == 2:
            raise KeyboardInterrupt
        read.append(path)
        return original(path, sampling_rate)

    monkeypatch.setattr(ptbxl.signals, "_read_signals", read_or_stop)
    with pytest.raises(KeyboardInterrupt):
        ptbxl.load_data(small, cache_dir=tmp_path / "cache", verbose=0)
    assert not list((tmp_path / "cache").iterdir())


def test_a_full_disk_leaves_no_part_of_the_cache(small, tmp_path, monkeypatch):
    def fill_the_disk(file, **arrays):
        file.write(b"half of it")
        raise OSError("No space left on device")

    monkeypatch.setattr(np, "savez", fill_the_disk)
    with pytest.raises(OSError, match="No space left"):
        ptbxl.load_data(small, cache_dir=tmp_path / "cache", verbose=0)
    assert not list((tmp_path / "cache").iterdir())


def test_a_progress_bar_is_shown_while_reading(small, capsys):
    ptbxl.load_data(small)
    assert "4/4" in capsys.readouterr().out
    ptbxl.load_data(small)
    assert capsys.readouterr().out == ""
