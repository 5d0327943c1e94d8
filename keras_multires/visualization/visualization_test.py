from pathlib import Path

from testing.programs import run_python

TESTDATA = Path(__file__).parent / "testdata"


def test_the_package_can_be_imported_without_matplotlib():
    run_python(TESTDATA / "import_without_matplotlib.py")
