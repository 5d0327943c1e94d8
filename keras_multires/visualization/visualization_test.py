import os
import subprocess
import sys


def test_the_package_works_without_matplotlib():
    code = "import sys; sys.modules['matplotlib'] = None; import keras_multires"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)
