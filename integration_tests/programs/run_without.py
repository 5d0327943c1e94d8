"""Runs a script where Python does not find some package.

python run_without.py PACKAGE SCRIPT [OPTIONS]
"""

import runpy
import sys
from pathlib import Path

missing, script = sys.argv[1:3]
sys.modules[missing] = None
sys.argv = sys.argv[2:]
sys.path[0] = str(Path(script).parent)
runpy.run_path(script, run_name="__main__")
