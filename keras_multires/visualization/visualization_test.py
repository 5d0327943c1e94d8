import os
import subprocess
import sys
from pathlib import Path

TESTDATA = Path(__file__).parent / "testdata"


def test_the_package_can_be_imported_without_matplotlib():
    program = TESTDATA / "import_without_matplotlib.py"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, program], env=environment, check=True)
