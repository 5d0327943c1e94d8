"""Fixtures of the tests of PTB-XL."""

import shutil
from pathlib import Path

import pytest

from testing.ptbxl_release import FIXTURE
from testing.ptbxl_release import keep_records


@pytest.fixture
def directory(tmp_path):
    """A copy of the small release in `testdata`."""
    return Path(shutil.copytree(FIXTURE, tmp_path / "ptb-xl"))


@pytest.fixture
def small(directory):
    """A release of the first four records of the one in `testdata`."""
    keep_records(directory, lambda table: table.index < 4)
    return directory
