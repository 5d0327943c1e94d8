import ast

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from keras_multires.datasets import ptbxl
from keras_multires.datasets.ptbxl import tables
from testing.ptbxl_release import FIXTURE
from testing.ptbxl_release import keep_records
from testing.ptbxl_release import read_database
from testing.ptbxl_release import replace
from testing.ptbxl_release import write_database


@pytest.mark.parametrize(
    ("column", "value", "problem"),
    [
        ("scp_codes", "", "`scp_codes`"),
        ("scp_codes", "['NORM']", "`scp_codes`"),
        ("scp_codes", "{'NORM': 100.0", "`scp_codes`"),
        ("scp_codes", "{[]: 0}", "`scp_codes`"),
        ("scp_codes", "dict(NORM=__import__('pytest').fail())", "`scp_codes`"),
        ("scp_codes", "(" * 10_000, "`scp_codes`"),
        ("scp_codes", "{'NORM': -" + "-" * 10_000 + "1}", "`scp_codes`"),
        ("scp_codes", "{" + "1+" * 10_000 + "1: 1.0}", "`scp_codes`"),
        ("scp_codes", "{'" + "A" * 10_000 + "': 1.0}", "'AAA"),
        ("scp_codes", "{'NORM': 0.0}" + " " * 200_000, "field larger"),
        ("scp_codes", "{'NORMAL': 100.0}", "'NORMAL' is unknown"),
        ("scp_codes", "{1: 100.0}", "`scp_codes`"),
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
    assert len(str(error.value)) < 2000


def test_two_lines_of_the_same_record_are_an_error(small):
    """Each line takes memory for its record's signals."""
    table = read_database(small)
    table.loc[2, "filename_lr"] = table.loc[1, "filename_lr"]
    write_database(small, table)
    with pytest.raises(ValueError, match="the same record") as error:
        ptbxl.load_data(small, verbose=0)
    assert str(small / "ptbxl_database.csv") in str(error.value)


def test_the_fixture_is_what_pandas_writes(tmp_path):
    """PTB-XL's tables come from pandas, as these tests change them."""
    path = FIXTURE / "ptbxl_database.csv"
    content = path.read_bytes()
    table = pd.read_csv(path, index_col="ecg_id")
    assert table.to_csv().encode() == content
    write_database(tmp_path, read_database(FIXTURE))
    assert (tmp_path / path.name).read_bytes() == content
    # The statements are written as Python writes a dict.
    for codes in table.scp_codes:
        assert str(ast.literal_eval(codes)) == codes


def test_statements_are_those_that_python_reads():
    statements = tables.read_statements(FIXTURE)
    records = tables.read_database(FIXTURE, 100, statements)
    table = read_database(FIXTURE)
    for record, codes in zip(records, table.scp_codes, strict=True):
        assert record.codes == ast.literal_eval(codes).keys()


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
def test_a_file_that_is_not_a_table_is_an_error_that_names_it(
    directory, name, content
):
    (directory / name).write_bytes(content)
    with pytest.raises(ValueError, match="get that again") as error:
        ptbxl.load_data(directory)
    assert str(directory / name) in str(error.value)


def test_a_database_without_records_is_an_error(directory):
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
    statements = tables.read_statements(FIXTURE)
    lines = content[:size].rstrip(b"\n")
    if content.startswith(lines + b"\n") and lines.count(b"\n") > 0:
        records = tables.read_database(directory, 100, statements)
        assert len(records) == lines.count(b"\n")
    else:
        with pytest.raises(ValueError, match=r"ptbxl_database\.csv"):
            tables.read_database(directory, 100, statements)


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
    for task in ptbxl.TASKS:
        with pytest.raises(ValueError, match=r"70 labels.*'all'.*71"):
            ptbxl.label_names(task, directory)
