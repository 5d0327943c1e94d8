"""Fixtures of the tests of all data sets."""

import pytest


@pytest.fixture(autouse=True)
def own_home(monkeypatch, tmp_path):
    """Keeps every test away from the user's own folder."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "home"))
