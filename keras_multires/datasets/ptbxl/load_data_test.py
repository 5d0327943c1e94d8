import ast
import shutil
import sys

import numpy as np
import pandas as pd
import pytest

from keras_multires.datasets import ptbxl
from testing.ptbxl_release import FIRST
from testing.ptbxl_release import FIXTURE
from testing.ptbxl_release import keep_records
from testing.ptbxl_release import read_by_numpy
from testing.ptbxl_release import read_database
from testing.ptbxl_release import waves
from testing.ptbxl_release import write_database
from testing.ptbxl_release import write_record

TASKS = {
    "all": 71,
    "diagnostic": 44,
    "subdiagnostic": 23,
    "superdiagnostic": 5,
    "form": 19,
    "rhythm": 12,
}
FOLDS = (range(1, 9), (9,), (10,))


@pytest.fixture(scope="module")
def cache_dir(tmp_path_factory):
    """A cache for all tests, so that the signals are read only once."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def load(cache_dir):
    """Function that loads the release in `testdata`."""

    def load(task="superdiagnostic", **arguments):
        return ptbxl.load_data(
            FIXTURE, task, cache_dir=cache_dir, verbose=0, **arguments
        )

    return load


def labels_by_pandas(task):
    """The labels of each record of the fixture, found in another way.

    A frame with a row for each record and a column for each label, and an array
    of the folds.
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
    """Every class is in the training set, some with a likelihood of 0."""
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


def test_changing_the_arrays_does_not_change_the_cache(load):
    first = load()
    first[0][0][:] = 0
    first[0][1][:] = 7
    (inputs, targets), _, _ = load()
    assert inputs.std() > 0.9
    assert targets.max() == 1


def test_reading_does_not_change_the_release(directory, tmp_path):
    def state():
        return sorted(
            (path, path.stat().st_mtime_ns) for path in directory.rglob("*")
        )

    before = state()
    ptbxl.load_data(directory, cache_dir=tmp_path / "cache", verbose=0)
    assert state() == before


def test_signals_of_500_hertz_are_read_from_their_own_files(small):
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


def test_each_fold_is_in_the_documented_part(small):
    table = pd.concat([read_database(small)[:1]] * 10)
    table["strat_fold"] = [str(fold) for fold in range(1, 11)]
    table["filename_lr"] = [
        f"records100/00000/{fold:05}_lr" for fold in range(1, 11)
    ]
    for name in table["filename_lr"]:
        write_record(small / name, waves())
    write_database(small, table)
    parts = ptbxl.load_data(small, verbose=0)
    assert [len(targets) for _, targets in parts] == [8, 1, 1]


def test_the_validation_and_test_sets_may_be_empty(small):
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


def test_the_sampling_rate_may_be_a_numpy_integer(load):
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
