"""Folders of the repository."""

from pathlib import Path

ROOT = Path(__file__).parents[1]
GOLDEN = ROOT / "golden"
EXAMPLES = ROOT / "examples"
PROGRAMS = ROOT / "integration_tests" / "programs"
TESTDATA = ROOT / "keras_multires" / "datasets" / "testdata"
