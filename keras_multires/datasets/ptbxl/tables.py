"""The tables of PTB-XL: which records there are, and which labels they have.

`ptbxl_database.csv` lists the records with their statements and their folds.
`scp_statements.csv` says which labels a statement stands for.
"""

import csv
import functools
import re
from typing import NamedTuple

import numpy as np

from keras_multires._validation import check_choice
from keras_multires._validation import check_path
from keras_multires.datasets._checks import check_files
from keras_multires.datasets._checks import require_content

__all__ = [
    "DATABASE",
    "PARTS",
    "REMEDY",
    "SAMPLING_RATES",
    "STATEMENTS",
    "TASKS",
    "Record",
    "check_release",
    "label_names",
    "labels_by_statement",
    "make_targets",
    "read_database",
    "read_statements",
    "require_valid",
]

DATABASE = "ptbxl_database.csv"
STATEMENTS = "scp_statements.csv"
PARTS = ("train", "validation", "test")

_NUM_LABELS = {
    "all": 71,
    "diagnostic": 44,
    "subdiagnostic": 23,
    "superdiagnostic": 5,
    "form": 19,
    "rhythm": 12,
}
TASKS = tuple(_NUM_LABELS)

# The column with the files of a record, by the sampling rate in hertz.
_FILE_COLUMNS = {100: "filename_lr", 500: "filename_hr"}
SAMPLING_RATES = tuple(_FILE_COLUMNS)

_PART_OF_FOLD = {str(fold): "train" for fold in range(1, 9)}
_PART_OF_FOLD |= {"9": "validation", "10": "test"}

# The statements of a record, as Python writes a dict of them.
_STATEMENT = r"'([^'\\]+)': \d+(?:\.\d+)?"
_DICT_OF_STATEMENTS = rf"\{{(?:{_STATEMENT}(?:, (?=')|(?=\}})))*\}}"

_DIRECTORY_REMEDY = (
    "`directory` must be the folder of PTB-XL's release that holds "
    f"{DATABASE} and {STATEMENTS}. `ptbxl.download(directory)` downloads it."
)
REMEDY = (
    "If it belongs to the release, get that again, for instance into another "
    "folder by `ptbxl.download(directory)`."
)
require_valid = functools.partial(
    require_content,
    remedy=f"The file is damaged or not one of PTB-XL's. {REMEDY}",
)


class Record(NamedTuple):
    """A line of `ptbxl_database.csv`."""

    name: str  # path of its files within the release, without suffixes
    part: str  # one of `PARTS`
    codes: frozenset  # its statements


def label_names(task, directory):
    """The labels of a task, in the order of the columns of its targets.

    They come from `scp_statements.csv`, so every part of the release has the
    same labels. They are in the order in which Python sorts strings: digits,
    then capital letters, then `_`.

    Args:
        task: One of `TASKS`, see `load_data`.
        directory: Folder of the release.

    Returns:
        A list of strings, such as `["CD", "HYP", "MI", "NORM", "STTC"]` for
        `"superdiagnostic"`.

    Raises:
        FileNotFoundError: if `directory`, or one of its files, is missing.
        ValueError: if `task` is not one of `TASKS`, `directory` is not a path,
            or `scp_statements.csv` does not have the right number of labels.

    Example:

    >>> ptbxl.label_names("superdiagnostic", "ptb-xl")
    ['CD', 'HYP', 'MI', 'NORM', 'STTC']
    """
    check_choice("task", task, TASKS)
    directory = check_path("directory", directory)
    check_release(directory)
    statements = read_statements(directory)
    return sorted(set(labels_by_statement(task, statements).values()))


def check_release(directory):
    """Accepts a folder that has the two tables of the release."""
    tables = (directory / DATABASE, directory / STATEMENTS)
    check_files(tables, _DIRECTORY_REMEDY)


def read_statements(directory):
    """The rows of `scp_statements.csv`, as a dict by their codes."""
    path = directory / STATEMENTS
    columns = ("diagnostic", "form", "rhythm")
    columns += ("diagnostic_class", "diagnostic_subclass")
    statements = {row[""]: row for _, row in _read_table(path, ("", *columns))}
    # A file that lacks lines would otherwise change the labels silently.
    for task, expected in _NUM_LABELS.items():
        count = len(set(labels_by_statement(task, statements).values()))
        problem = f"there are {count} labels of the task {task!r}"
        require_valid(count == expected, path, f"{problem}, and not {expected}")
    return statements


def labels_by_statement(task, statements):
    """The label, by code, of each statement that stands for a label."""
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


def read_database(directory, sampling_rate, statements):
    """The records that `ptbxl_database.csv` lists, in its order."""
    path = directory / DATABASE
    columns = ("scp_codes", "strat_fold", *_FILE_COLUMNS.values())
    records = []
    for line, row in _read_table(path, columns):
        # Not by Python's own parser, which can run for minutes.
        text = row["scp_codes"]
        problem = "`scp_codes` is no dict of statements"
        is_dict = re.fullmatch(_DICT_OF_STATEMENTS, text)
        require_valid(is_dict, path, problem, line=line)
        codes = re.findall(_STATEMENT, text)
        for code in codes:
            problem = f"the statement {code!r} is unknown"
            require_valid(code in statements, path, problem, line=line)
        fold = row["strat_fold"]
        problem = f"`strat_fold` is {fold!r}, and not 1 to 10"
        require_valid(fold in _PART_OF_FOLD, path, problem, line=line)
        # Both names, since a truncated line ends in the second one.
        for rate, column in _FILE_COLUMNS.items():
            name = row[column]
            pattern = rf"records{rate}/[0-9]+/[0-9]+_{column[-2:]}"
            problem = f"`{column}` is {name!r}"
            is_name = re.fullmatch(pattern, name)
            require_valid(is_name, path, problem, line=line)
        name = row[_FILE_COLUMNS[sampling_rate]]
        records.append(Record(name, _PART_OF_FOLD[fold], frozenset(codes)))
    require_valid(records, path, "there are no records in it")
    is_unique = len({record.name for record in records}) == len(records)
    require_valid(is_unique, path, "two lines name the same record")
    return records


def make_targets(records, labels):
    """The targets of the records of each part.

    Args:
        records: List of `Record`.
        labels: Dict of labels by statement.

    Returns:
        Dict by part of float32 arrays `(n, number of labels)`.
    """
    names = sorted(set(labels.values()))
    columns = {name: column for column, name in enumerate(names)}
    targets = {}
    for part in PARTS:
        in_part = [record for record in records if record.part == part]
        rows = np.zeros((len(in_part), len(names)), dtype="float32")
        for row, record in zip(rows, in_part, strict=True):
            for code in record.codes & labels.keys():
                row[columns[labels[code]]] = 1
        targets[part] = rows
    return targets


def _read_table(path, columns):
    """Yields the number and the dict of each line of a CSV file."""
    with open(path, encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file, strict=True)
        try:
            found = reader.fieldnames or ()
            for name in columns:
                problem = f"there is no column {name!r}"
                require_valid(name in found, path, problem, line=1)
            for row in reader:
                is_complete = None not in row and None not in row.values()
                problem = "the columns are not complete"
                require_valid(is_complete, path, problem, line=reader.line_num)
                yield reader.line_num, row
        except (csv.Error, UnicodeDecodeError) as error:
            require_valid(False, path, error, line=reader.line_num + 1)
