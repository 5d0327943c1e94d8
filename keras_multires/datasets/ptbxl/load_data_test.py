import ast
import errno
import hashlib
import io
import os
import re
import shutil
import sys
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import wfdb
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from keras_multires.datasets import download
from keras_multires.datasets import ptbxl
from keras_multires.datasets.download_test import Server

FIXTURE = Path(__file__).parent / "testdata" / "ptbxl"
TASKS = {
    "all": 71,
    "diagnostic": 44,
    "subdiagnostic": 23,
    "superdiagnostic": 5,
    "form": 19,
    "rhythm": 12,
}
FOLDS = (range(1, 9), (9,), (10,))
FIRST = "records100/00000/00001_lr"  # a record of the training set


@pytest.fixture(autouse=True)
def own_home(monkeypatch, tmp_path):
    """No test reads or writes the user's own folder."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "home"))


@pytest.fixture(scope="module")
def cache_dir(tmp_path_factory):
    """Where the signals of the fixture are kept, which are read once."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def load(cache_dir):
    def load(task="superdiagnostic", **arguments):
        return ptbxl.load_data(
            FIXTURE, task, cache_dir=cache_dir, verbose=0, **arguments
        )

    return load


@pytest.fixture
def directory(tmp_path):
    return Path(shutil.copytree(FIXTURE, tmp_path / "ptb-xl"))


@pytest.fixture
def small(directory):
    """A release of the first four records of the fixture."""
    keep_records(directory, lambda table: table.index < 4)
    return directory


def read_database(directory):
    return pd.read_csv(directory / "ptbxl_database.csv", dtype=str)


def write_database(directory, table):
    table.to_csv(directory / "ptbxl_database.csv", index=False)


def keep_records(directory, select):
    table = read_database(directory)
    write_database(directory, table[select(table)])


def labels_by_pandas(task):
    """The labels of each record of the fixture, by another way.

    A frame with a row for each record, a column for each label, and the fold.
    """
    statements = pd.read_csv(FIXTURE / "scp_statements.csv", index_col=0)
    table = read_database(FIXTURE)
    pairs = table.assign(code=table.scp_codes.map(ast.literal_eval).map(list))
    pairs = pairs.explode("code").merge(
        statements, left_on="code", right_index=True
    )
    if task == "superdiagnostic":
        statements["label"] = statements.diagnostic_class
        column = "diagnostic"
    elif task == "subdiagnostic":
        statements["label"] = statements.diagnostic_subclass
        column = "diagnostic"
    else:
        statements["label"] = statements.index
        column = task
    if task != "all":
        pairs = pairs[pairs[column] == 1]
        statements = statements[statements[column] == 1]
    labels = pairs.code.map(statements.label)
    counts = pd.crosstab(pairs.filename_lr, labels)
    result = counts.reindex(
        index=table.filename_lr,
        columns=sorted(statements.label.unique()),
        fill_value=0,
    ).clip(upper=1)
    return result, table.strat_fold.astype(int).to_numpy()


def read_by_numpy(name, directory=FIXTURE):
    """A record in millivolts, from the bytes."""
    gains = re.findall(
        r"16 ([\d.]+)\(0\)/mV", (directory / f"{name}.hea").read_text()
    )
    samples = np.fromfile(directory / f"{name}.dat", "<i2").reshape(-1, 12)
    return samples / np.array(gains, float)


def write_record(path, signals, fs=100, sig_name=ptbxl.LEADS, unit="mV"):
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
    steps = np.arange(length)[:, np.newaxis]
    return np.sin(steps / (5 + np.arange(leads))) + 0.1 * np.arange(leads)


def replace(path, old, new):
    content = path.read_bytes()
    assert old in content
    path.write_bytes(content.replace(old, new, 1))


# The data.


@pytest.mark.parametrize("task", TASKS)
def test_labels_are_those_that_pandas_finds(load, task):
    labels, folds = labels_by_pandas(task)
    assert ptbxl.label_names(task, FIXTURE) == list(labels.columns)
    for (_, targets), part in zip(load(task), FOLDS, strict=True):
        expected = labels[np.isin(folds, part)]
        expected = expected[expected.any(axis=1)]
        assert targets.dtype == "float32"
        np.testing.assert_array_equal(targets, expected)


@pytest.mark.parametrize("task", TASKS)
def test_signals_are_those_in_the_bytes_of_the_files(load, task):
    labels, folds = labels_by_pandas(task)
    is_labelled = labels.any(axis=1).to_numpy()
    parts = load(task, standardize=False)
    for (inputs, targets), part in zip(parts, FOLDS, strict=True):
        names = labels.index[np.isin(folds, part) & is_labelled]
        assert inputs.dtype == "float32"
        assert inputs.shape == (len(targets), 1000, 12)
        assert len(inputs) == len(names) > 4
        for signals, name in zip(inputs, names, strict=True):
            np.testing.assert_allclose(
                signals, read_by_numpy(name), rtol=1e-6, atol=0
            )


@pytest.mark.parametrize("task", TASKS)
def test_inputs_are_standardised_by_the_training_set(load, task):
    train, validation, test = load(task)
    raw = load(task, standardize=False)
    train_signals = raw[0][0].astype("float64")
    mean, deviation = train_signals.mean(), train_signals.std()
    for (inputs, _), (signals, _) in zip(
        (train, validation, test), raw, strict=True
    ):
        assert inputs.dtype == "float32"
        np.testing.assert_allclose(
            inputs, (signals - mean) / deviation, rtol=1e-4, atol=1e-5
        )
    assert abs(train[0].mean(dtype="float64")) < 1e-6
    assert abs(train[0].std(dtype="float64") - 1) < 1e-6


@pytest.mark.parametrize(("task", "size"), TASKS.items())
def test_each_task_has_its_number_of_labels_in_order(load, task, size):
    names = ptbxl.label_names(task, str(FIXTURE))
    assert len(set(names)) == size
    assert names == sorted(names)
    for _, targets in load(task):
        assert targets.shape[1] == size
        assert set(np.unique(targets)) <= {0, 1}
        assert targets.any(axis=1).all()


def test_the_tasks_are_the_six_of_the_benchmark():
    assert tuple(TASKS) == ptbxl.TASKS
    assert ptbxl.label_names("superdiagnostic", FIXTURE) == [
        "CD",
        "HYP",
        "MI",
        "NORM",
        "STTC",
    ]


def test_the_first_record_has_the_labels_that_its_line_names(load):
    """Record 1: `{'NORM': 100.0, 'LVOLT': 0.0, 'SR': 0.0}`, fold 3."""
    for task, labels in (
        ("superdiagnostic", ["NORM"]),
        ("form", ["LVOLT"]),
        ("rhythm", ["SR"]),
        ("all", ["LVOLT", "NORM", "SR"]),
    ):
        (_, targets), _, _ = load(task)
        names = np.array(ptbxl.label_names(task, FIXTURE))
        assert names[targets[0] == 1].tolist() == labels


def test_the_fixture_has_what_the_tests_need(load):
    """Every class in training, and labels by statements of likelihood 0."""
    for _, targets in load():
        assert len(targets) > 4
        assert targets.any(axis=0).all()
    labels, _ = labels_by_pandas("superdiagnostic")
    assert not labels.any(axis=1).all()
    table = read_database(FIXTURE)
    statements = pd.read_csv(FIXTURE / "scp_statements.csv", index_col=0)
    likely = [
        {statements.diagnostic_class[code] for code in codes if codes[code] > 0}
        for codes in table.scp_codes.map(ast.literal_eval)
    ]
    assert any(
        set(labels.columns[row]) - classes
        for row, classes in zip(labels.to_numpy(bool), likely, strict=True)
    )


def test_targets_and_inputs_may_be_changed_without_changing_what_is_kept(load):
    first = load()
    first[0][0][:] = 0
    first[0][1][:] = 7
    (inputs, targets), _, _ = load()
    assert inputs.std() > 0.9
    assert targets.max() == 1


def test_the_release_is_not_written_to(directory, tmp_path):
    def state():
        return sorted(
            (path, path.stat().st_mtime_ns) for path in directory.rglob("*")
        )

    before = state()
    ptbxl.load_data(directory, cache_dir=tmp_path / "cache", verbose=0)
    assert state() == before


def test_500_hertz_are_read_from_records_of_their_own(small):
    table = read_database(small)
    table["strat_fold"] = ["1", "10", "9", "8"]
    write_database(small, table)
    expected = {}
    for index, name in enumerate(table.filename_hr):
        expected[name] = waves(5000) * (index + 1)
        write_record(small / name, expected[name], fs=500)
    shutil.rmtree(small / "records100")
    parts = ptbxl.load_data(
        small, "all", sampling_rate=500, standardize=False, verbose=0
    )
    for (inputs, targets), rows in zip(parts, ([0, 3], [2], [1]), strict=True):
        assert inputs.dtype == "float32"
        assert inputs.shape == (len(rows), 5000, 12)
        assert targets.shape == (len(rows), 71)
        for signals, row in zip(inputs, rows, strict=True):
            np.testing.assert_allclose(
                signals, expected[table.filename_hr[row]], rtol=0, atol=6e-4
            )
    (inputs, _), _, _ = ptbxl.load_data(
        small, "all", sampling_rate=500, verbose=0
    )
    assert abs(inputs.mean(dtype="float64")) < 1e-6
    assert abs(inputs.std(dtype="float64") - 1) < 1e-6


def test_each_fold_goes_to_its_part(small):
    table = pd.concat([read_database(small)[:1]] * 10)
    table["strat_fold"] = [str(fold) for fold in range(1, 11)]
    write_database(small, table)
    parts = ptbxl.load_data(small, verbose=0)
    assert [len(targets) for _, targets in parts] == [8, 1, 1]


def test_a_part_of_the_release_may_lack_validation_and_test(small):
    keep_records(small, lambda table: table.strat_fold.astype(int) < 9)
    (inputs, _), *others = ptbxl.load_data(small, verbose=0)
    assert len(inputs) > 0
    for inputs, targets in others:
        assert inputs.shape == (0, 1000, 12)
        assert targets.shape == (0, 5)


@pytest.mark.parametrize("folds", ["9", "unlabelled"])
def test_a_training_set_without_labels_is_an_error_that_says_so(
    directory, folds
):
    if folds == "9":
        keep_records(directory, lambda table: table.strat_fold == "9")
    else:
        keep_records(directory, lambda t: ~t.scp_codes.str.contains("LVOLT"))
        table = read_database(directory)
        table["scp_codes"] = "{'SR': 0.0}"
        write_database(directory, table)
    with pytest.raises(ValueError, match=r"folds 1 to 8.*'form'") as error:
        ptbxl.load_data(directory, "form", verbose=0)
    assert str(directory / "ptbxl_database.csv") in str(error.value)
    assert not list(directory.parent.rglob("*.npz"))


def test_a_constant_training_set_is_an_error_that_says_what_to_do(small):
    keep_records(small, lambda table: table.index < 1)
    write_record(small / FIRST, np.ones((1000, 12)))
    with pytest.raises(ValueError, match="standardize=False"):
        ptbxl.load_data(small, verbose=0)
    (inputs, _), _, _ = ptbxl.load_data(small, standardize=False, verbose=0)
    np.testing.assert_array_equal(inputs, 1)


# Arguments.


@pytest.mark.parametrize("task", ["Form", "superdiagnostics", "", None, 5])
def test_a_wrong_task_is_an_error_that_names_it(task):
    for call in (
        lambda: ptbxl.load_data(FIXTURE, task),
        lambda: ptbxl.label_names(task, FIXTURE),
    ):
        with pytest.raises(
            ValueError, match=r"`task`.*'form'.*Received: task="
        ):
            call()


@pytest.mark.parametrize("rate", [250, 100.0, "100", None, True, [100]])
def test_a_wrong_sampling_rate_is_an_error_that_names_it(rate):
    with pytest.raises(
        ValueError,
        match=r"`sampling_rate` must be 100 or 500.*Received: sampling_rate=",
    ):
        ptbxl.load_data(FIXTURE, sampling_rate=rate)


def test_a_sampling_rate_may_be_one_of_numpy(load):
    assert load(sampling_rate=np.int64(100))[0][0].shape[1] == 1000


@pytest.mark.parametrize(
    "name", ["", "none", "ptb-xl/records100", "ptb-xl/LICENSE.txt"]
)
def test_a_wrong_directory_is_an_error_that_says_what_it_should_hold(
    directory, name
):
    wrong = directory.parent / name
    for call in (
        lambda: ptbxl.load_data(wrong),
        lambda: ptbxl.label_names("all", wrong),
    ):
        with pytest.raises(
            FileNotFoundError, match=r"ptbxl_database\.csv.*download"
        ) as error:
            call()
        assert str(wrong) in str(error.value)


@pytest.mark.parametrize("name", ["ptbxl_database.csv", "scp_statements.csv"])
def test_a_missing_table_is_an_error_that_names_it(directory, name):
    (directory / name).unlink()
    with pytest.raises(FileNotFoundError, match="download") as error:
        ptbxl.load_data(directory)
    assert str(directory / name) in str(error.value)


def test_missing_wfdb_is_an_error_that_says_what_to_install(
    tmp_path, monkeypatch
):
    monkeypatch.setitem(sys.modules, "wfdb", None)
    for call in (
        lambda: ptbxl.load_data(FIXTURE, verbose=0),
        lambda: ptbxl.load_data(tmp_path / "none", download=True),
        lambda: ptbxl.read_record(FIXTURE / FIRST),
    ):
        with pytest.raises(ImportError, match=r"pip install wfdb"):
            call()


# The tables.


@pytest.mark.parametrize(
    ("column", "value", "problem"),
    [
        ("scp_codes", "", "`scp_codes`"),
        ("scp_codes", "['NORM']", "`scp_codes`"),
        ("scp_codes", "{'NORM': 100.0", "`scp_codes`"),
        ("scp_codes", "{[]: 0}", "`scp_codes`"),
        ("scp_codes", "dict(NORM=__import__('pytest').fail())", "`scp_codes`"),
        ("scp_codes", "(" * 10_000, "`scp_codes`"),
        ("scp_codes", "{'NORMAL': 100.0}", "'NORMAL' is unknown"),
        ("scp_codes", "{1: 100.0}", "1 is unknown"),
        ("strat_fold", "0", "`strat_fold` is '0'"),
        ("strat_fold", "11", "`strat_fold` is '11'"),
        ("strat_fold", "", "`strat_fold` is ''"),
        ("filename_lr", "", "`filename_lr` is ''"),
        ("filename_lr", "../00001_lr", "`filename_lr` is '../00001_lr'"),
        ("filename_lr", "records500/00000/00001_hr", "`filename_lr`"),
        ("filename_hr", "records500/00000/0000", "`filename_hr`"),
    ],
)
def test_a_malformed_line_is_an_error_that_names_file_and_line(
    small, column, value, problem
):
    table = read_database(small)
    table.loc[2, column] = value
    write_database(small, table)
    with pytest.raises(ValueError, match=rf"line 4: .*{problem}") as error:
        ptbxl.load_data(small, verbose=0)
    assert str(error.value).startswith(str(small / "ptbxl_database.csv"))
    assert "get that again" in str(error.value)


@pytest.mark.parametrize(
    ("name", "column"),
    [
        ("ptbxl_database.csv", "scp_codes"),
        ("ptbxl_database.csv", "strat_fold"),
        ("ptbxl_database.csv", "filename_hr"),
        ("scp_statements.csv", "rhythm"),
        ("scp_statements.csv", "diagnostic_subclass"),
    ],
)
def test_a_missing_column_is_an_error_that_names_it(directory, name, column):
    path = directory / name
    replace(path, f",{column}".encode(), b",renamed")
    with pytest.raises(ValueError, match=rf"line 1: .*'{column}'") as error:
        ptbxl.load_data(directory)
    assert str(path) in str(error.value)


@pytest.mark.parametrize("name", ["ptbxl_database.csv", "scp_statements.csv"])
@pytest.mark.parametrize(
    "content", [b"", b"<html>\n", b"\xff\xfe\x00", b'"\n', b"a\0b\n"]
)
def test_a_file_that_is_no_table_is_an_error_that_names_it(
    directory, name, content
):
    (directory / name).write_bytes(content)
    with pytest.raises(ValueError, match="get that again") as error:
        ptbxl.load_data(directory)
    assert str(directory / name) in str(error.value)


def test_a_table_without_records_is_an_error(directory):
    keep_records(directory, lambda table: table.index < 0)
    with pytest.raises(ValueError, match="no records"):
        ptbxl.load_data(directory)


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_a_truncated_database_is_an_error_unless_whole_lines_are_left(
    tmp_path_factory, data
):
    content = (FIXTURE / "ptbxl_database.csv").read_bytes()
    size = data.draw(st.integers(0, len(content) - 2))
    directory = tmp_path_factory.mktemp("truncated")
    (directory / "ptbxl_database.csv").write_bytes(content[:size])
    statements = ptbxl._read_statements(FIXTURE)
    lines = content[:size].rstrip(b"\n")
    if content.startswith(lines + b"\n") and lines.count(b"\n") > 0:
        records = ptbxl._read_database(directory, 100, statements)
        assert len(records) == lines.count(b"\n")
    else:
        with pytest.raises(ValueError, match=r"ptbxl_database\.csv"):
            ptbxl._read_database(directory, 100, statements)


@pytest.mark.parametrize("removed", [1, 10, 100, 1000, 5000])
def test_truncated_statements_are_an_error(directory, removed):
    path = directory / "scp_statements.csv"
    path.write_bytes(path.read_bytes().rstrip(b"\n")[:-removed])
    with pytest.raises(ValueError, match="get that again") as error:
        ptbxl.label_names("superdiagnostic", directory)
    assert str(path) in str(error.value)


def test_a_missing_statement_is_an_error_for_every_task(directory):
    path = directory / "scp_statements.csv"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:-1]))
    for task in TASKS:
        with pytest.raises(ValueError, match=r"70 labels.*'all'.*71"):
            ptbxl.label_names(task, directory)


# Records.


@pytest.mark.parametrize("suffix", ["", ".hea", ".dat"])
def test_a_record_is_read_by_any_of_its_names(suffix, monkeypatch):
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


def test_leads_are_named_in_small_or_capital_letters(tmp_path):
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


DAMAGES = [
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
    monkeypatch.delattr(ptbxl, "_read_record")
    monkeypatch.setitem(sys.modules, "wfdb", None)
    for task in TASKS:
        load_kept(small, kept, task)
    again = load_kept(small, kept, standardize=False)
    for (inputs, targets), (other, others) in zip(again, raw, strict=True):
        assert inputs.dtype == other.dtype
        assert targets.dtype == others.dtype
        np.testing.assert_array_equal(inputs, other)
    assert list(kept.parent.iterdir()) == [kept]


def test_changed_labels_are_read_without_the_records(small, kept, monkeypatch):
    monkeypatch.delattr(ptbxl, "_read_record")
    table = read_database(small)
    table["scp_codes"] = "{'IMI': 0.0, 'CLBBB': 50.0}"
    write_database(small, table)
    for _, targets in load_kept(small, kept):
        for row in targets:
            assert row.tolist() == [1, 0, 1, 0, 0]  # CD and MI


def test_a_record_that_has_changed_is_read_again(small, kept):
    path = small / f"{FIRST}.dat"
    samples = np.fromfile(path, "<i2").reshape(-1, 12)
    # Neither the size changes by that nor the checksum.
    samples[::-1].tofile(path)
    # The clock may be too coarse.
    os.utime(path, ns=(0, 123_456_789_000))
    (inputs, _), _, _ = load_kept(small, kept, standardize=False)
    np.testing.assert_allclose(inputs[0], samples[::-1] / 1000, rtol=1e-6)


def test_a_change_of_folds_or_records_is_noticed(small, kept):
    table = read_database(small)
    table["strat_fold"] = ["1", "2", "9", "10"]
    write_database(small, table)
    load_kept(small, kept)
    # The parts keep their sizes by that.
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


def test_each_folder_and_rate_has_a_file_of_its_own(small, kept):
    other = Path(shutil.copytree(small, small.with_name("other")))
    load_kept(other, kept)
    assert len(list(kept.parent.iterdir())) == 2
    for name in read_database(small).filename_hr:
        write_record(small / name, waves(5000), fs=500)
    load_kept(small, kept, sampling_rate=500)
    assert len(list(kept.parent.iterdir())) == 3


def test_the_same_folder_by_another_path_has_the_same_file(
    small, kept, monkeypatch
):
    monkeypatch.chdir(small.parent)
    load_kept("ptb-xl", kept)
    assert list(kept.parent.iterdir()) == [kept]


def test_signals_of_another_format_version_are_not_read(
    small, kept, monkeypatch
):
    monkeypatch.setattr(ptbxl, "_CACHE_VERSION", -1)
    load_kept(small, kept)
    assert len(list(kept.parent.iterdir())) == 2


def test_the_default_folder_is_that_of_keras(small):
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
def test_a_damaged_file_is_an_error_that_says_what_to_do(small, kept, damage):
    damage(kept)
    with pytest.raises(ValueError, match="Delete the file") as error:
        load_kept(small, kept)
    assert str(kept) in str(error.value)
    kept.unlink()
    assert load_kept(small, kept)[0][0].shape[1:] == (1000, 12)


def test_being_killed_while_reading_leaves_no_file(
    small, tmp_path, monkeypatch
):
    original = ptbxl._read_record
    read = []

    def read_or_stop(path):
        if len(read) == 2:
            raise KeyboardInterrupt
        read.append(path)
        return original(path)

    monkeypatch.setattr(ptbxl, "_read_record", read_or_stop)
    with pytest.raises(KeyboardInterrupt):
        ptbxl.load_data(small, cache_dir=tmp_path / "cache", verbose=0)
    assert not list((tmp_path / "cache").iterdir())


def test_nothing_is_left_of_a_file_that_could_not_be_written_whole(
    small, tmp_path, monkeypatch
):
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


# The download.

TOP = "ptb-xl-1.0.3/"
LIST = "/files/SHA256SUMS.txt"
ARCHIVE = "/archive.zip"


def pack(files, compression=zipfile.ZIP_DEFLATED):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def list_checksums(files):
    return "".join(
        f"{hashlib.sha256(content).hexdigest()}  {name}\n"
        for name, content in files.items()
    ).encode()


@pytest.fixture(scope="module")
def release():
    """Contents of the release by name; only some records, to be fast."""
    table = read_database(FIXTURE)[:3]
    names = ["LICENSE.txt", "scp_statements.csv"]
    names += [
        f"{n}{end}" for n in table.filename_lr for end in (".hea", ".dat")
    ]
    files = {name: (FIXTURE / name).read_bytes() for name in names}
    files["ptbxl_database.csv"] = table.to_csv(index=False).encode()
    return files


@pytest.fixture
def server(release, monkeypatch):
    monkeypatch.setattr(download, "_WAIT_SECONDS", 0)
    # The server is on this machine, whatever proxies the user has.
    monkeypatch.setenv("no_proxy", "*")
    with Server({}) as server:
        monkeypatch.setattr(ptbxl, "RELEASE_URL", f"{server.url}/files/")
        monkeypatch.setattr(ptbxl, "ARCHIVE_URL", f"{server.url}{ARCHIVE}")
        serve(server, release)
        yield server


def serve(server, release):
    sums = list_checksums(release)
    members = {TOP + name: content for name, content in release.items()}
    server.files[LIST] = sums
    server.files[ARCHIVE] = pack({f"{TOP}SHA256SUMS.txt": sums, **members})


@pytest.fixture
def target(tmp_path):
    return tmp_path / "data" / "ptb-xl"


def get(server, target, **arguments):
    ptbxl.download(
        target,
        f"{server.url}/files",
        f"{server.url}{ARCHIVE}",
        verbose=0,
        **arguments,
    )


def assert_release(target, release):
    """The release is there whole, and nothing is beside it."""
    found = {
        path.relative_to(target).as_posix(): path.read_bytes()
        for path in target.rglob("*")
        if path.is_file()
    }
    del found["SHA256SUMS.txt"]
    assert found == release
    assert list(target.parent.iterdir()) == [target]


def test_the_addresses_are_those_of_physionet():
    for url in (ptbxl.RELEASE_URL, ptbxl.ARCHIVE_URL):
        assert url.startswith("https://physionet.org/")
        assert "1.0.3" in url


def test_the_release_is_downloaded_and_unpacked(server, target, release):
    get(server, str(target))
    assert_release(target, release)
    assert [request.path for request in server.requests] == [LIST, ARCHIVE]
    assert (target / "SHA256SUMS.txt").read_bytes() == server.files[LIST]


def test_load_data_downloads_the_release_once(server, target, release):
    for _ in range(2):
        parts = ptbxl.load_data(target, "all", download=True, verbose=0)
        assert sum(len(inputs) for inputs, _ in parts) == 3
        assert len(server.requests) == 2
    assert_release(target, release)


def test_nothing_is_downloaded_unless_asked_for(server, target):
    with pytest.raises(FileNotFoundError):
        ptbxl.load_data(target)
    assert server.requests == []
    assert not target.parent.exists()


def test_an_empty_directory_is_filled(server, target, release):
    target.mkdir(parents=True)
    get(server, target)
    assert_release(target, release)


@pytest.mark.parametrize("name", ["notes.txt", "ptbxl_database.csv"])
def test_a_directory_of_something_else_stays_as_it_is(server, target, name):
    target.mkdir(parents=True)
    (target / name).write_text("mine")
    for call in (
        lambda: get(server, target),
        lambda: ptbxl.load_data(target, download=True),
    ):
        with pytest.raises(FileExistsError, match="empty folder") as error:
            call()
        assert str(target) in str(error.value)
    assert (target / name).read_text() == "mine"
    assert server.requests == []
    assert list(target.parent.iterdir()) == [target]


def test_a_file_in_place_of_the_directory_stays_as_it_is(server, target):
    target.parent.mkdir()
    target.write_text("mine")
    with pytest.raises(FileExistsError, match="empty folder"):
        get(server, target)
    assert target.read_text() == "mine"


def test_a_broken_download_is_continued_by_the_next_call(
    server, target, release
):
    size = len(server.files[LIST])
    attempts = download._ATTEMPTS
    server.cuts = [size, 20_000, *[0] * attempts]
    with pytest.raises(ConnectionError, match="the same call"):
        get(server, target)
    assert not target.exists()
    get(server, target)
    assert_release(target, release)
    last = server.requests[-1]
    assert (last.path, last.range, last.status) == (
        ARCHIVE,
        "bytes=20000-",
        206,
    )


@pytest.mark.parametrize("path", [LIST, ARCHIVE])
def test_a_missing_download_is_an_error_that_names_it(server, target, path):
    del server.files[path]
    with pytest.raises(ConnectionError, match="404") as error:
        get(server, target)
    assert f"{server.url}{path}" in str(error.value)
    assert not target.exists()


def lack_a_file(server, release):
    files = {**release}
    del files[f"{FIRST}.dat"]
    server.files[ARCHIVE] = pack({TOP + n: c for n, c in files.items()})
    return f"{FIRST}.dat is missing"


def lack_the_database(server, release):
    server.files[ARCHIVE] = pack({f"{TOP}LICENSE.txt": b""})
    return "is missing"


def change_a_file(server, release):
    files = {**release, f"{FIRST}.dat": b"changed"}
    server.files[ARCHIVE] = pack({TOP + n: c for n, c in files.items()})
    return f"{FIRST}.dat does not have its SHA-256 checksum"


def truncate_the_archive(server, release):
    server.files[ARCHIVE] = server.files[ARCHIVE][:-1000]
    return "not a zip file"


def cut_out_of_the_archive(server, release):
    content = server.files[ARCHIVE]
    server.files[ARCHIVE] = content[:10_000] + content[30_000:]
    return ""


def change_bits_of_the_archive(server, release):
    content = bytearray(server.files[ARCHIVE])
    content[len(content) // 2] ^= 255
    server.files[ARCHIVE] = bytes(content)
    return ""


def empty_the_archive(server, release):
    server.files[ARCHIVE] = b""
    return "not a zip file"


def send_a_page(server, release):
    server.files[ARCHIVE] = b"<html>Log in</html>"
    return "not a zip file"


def lead_out(name, server, release):
    members = {TOP + n: c for n, c in release.items()}
    server.files[ARCHIVE] = pack({**members, name: b"evil"})
    return "leads elsewhere"


def lead_up(server, release):
    return lead_out(f"{TOP}../../../evil", server, release)


def lead_to_the_root(server, release):
    return lead_out("/evil", server, release)


def lead_up_by_backslashes(server, release):
    return lead_out("..\\..\\evil", server, release)


@pytest.mark.parametrize(
    "damage",
    [
        lack_a_file,
        lack_the_database,
        change_a_file,
        truncate_the_archive,
        cut_out_of_the_archive,
        change_bits_of_the_archive,
        empty_the_archive,
        send_a_page,
        lead_up,
        lead_to_the_root,
        lead_up_by_backslashes,
    ],
)
def test_a_damaged_archive_is_an_error_and_the_next_call_gets_it_anew(
    server, target, release, damage
):
    problem = damage(server, release)
    with pytest.raises(ValueError, match=rf"damaged: .*{problem}") as error:
        get(server, target)
    assert f"{server.url}{ARCHIVE}" in str(error.value)
    assert "again" in str(error.value)
    assert not target.exists()
    files = [path for path in target.parent.rglob("*") if path.is_file()]
    assert [path.name for path in files] == ["SHA256SUMS.txt"]
    assert not list(target.parent.parent.rglob("*evil*"))
    serve(server, release)
    get(server, target)
    assert_release(target, release)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<html>Log in</html>",
        b"0123 ptbxl_database.csv\n",
        b"0" * 64 + b"  LICENSE.txt\n",
        *(
            list_checksums(
                {
                    "ptbxl_database.csv": b"",
                    "scp_statements.csv": b"",
                    evil: b"",
                }
            )
            for evil in ("../evil", "/evil", "a/../../evil", "..\\evil")
        ),
    ],
)
def test_a_wrong_list_of_checksums_is_an_error(
    server, target, release, content
):
    server.files[LIST] = content
    with pytest.raises(ValueError, match="no list of checksums") as error:
        get(server, target)
    assert f"{server.url}{LIST}" in str(error.value)
    assert len(server.requests) == 1
    assert not target.exists()
    serve(server, release)
    get(server, target)
    assert_release(target, release)


def test_what_is_not_listed_is_not_unpacked(server, target, release):
    members = {TOP + name: content for name, content in release.items()}
    extra = {f"{TOP}extra": b"", f"{TOP}folder/": b"", "elsewhere": b""}
    server.files[ARCHIVE] = pack({**extra, **members})
    get(server, target)
    assert_release(target, release)


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError(errno.EIO, "")])
def test_an_archive_that_could_not_be_unpacked_is_kept(
    server, target, release, monkeypatch, error
):
    def fail(*args):
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(ptbxl, "_extract", fail)
        with pytest.raises((KeyboardInterrupt, OSError)):
            get(server, target)
    assert not target.exists()
    assert not list(target.parent.rglob("unpacked"))
    get(server, target)
    assert_release(target, release)
    paths = [request.path for request in server.requests]
    assert paths.count(ARCHIVE) == 1


def test_what_a_killed_call_had_unpacked_is_not_used(server, target, release):
    unpacked = target.with_name("ptb-xl.download") / "unpacked"
    unpacked.mkdir(parents=True)
    (unpacked / "LICENSE.txt").write_text("half of it")
    (unpacked / "stray").write_text("")
    get(server, target)
    assert_release(target, release)


def test_a_disk_too_full_to_unpack_is_an_error_that_keeps_the_archive(
    server, target, release, monkeypatch
):
    needed = sum(map(len, release.values()))
    usage = shutil.disk_usage(FIXTURE)._replace(free=needed - 1)
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "disk_usage", lambda path: usage)
        with pytest.raises(OSError, match=f"{needed} bytes") as error:
            get(server, target)
    assert error.value.errno == errno.ENOSPC
    assert not target.exists()
    get(server, target)
    assert_release(target, release)
    assert len(server.requests) == 3


def test_progress_is_shown_while_downloading(server, target, capsys, release):
    ptbxl.load_data(target, "all", download=True)
    output = capsys.readouterr().out
    for text in (f"{server.url}{ARCHIVE}", "Unpacking", f"{len(release)}/"):
        assert text in output
