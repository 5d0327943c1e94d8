"""What `import keras_multires` loads, and what its distribution holds."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

NEW_MODULES = """
import sys
import keras
before = set(sys.modules)
import keras_multires
new = {name.partition(".")[0] for name in set(sys.modules) - before}
print(*sorted(new))
"""


@pytest.mark.parametrize("backend", ["jax", "tensorflow", "torch"])
def test_import_loads_nothing_that_keras_does_not_but_pywavelets(backend):
    result = subprocess.run(
        [sys.executable, "-c", NEW_MODULES],
        env={**os.environ, "KERAS_BACKEND": backend},
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    new = set(result.stdout.split()) - sys.stdlib_module_names
    # Cython's own, which PyWavelets brings.
    new = {name for name in new if "cython" not in name.lower()}
    assert new == {"keras_multires", "pywt"}


def test_the_wheel_holds_the_package_and_no_tests(tmp_path):
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--no-deps", ROOT],
        cwd=tmp_path,
        check=True,
        capture_output=True,
    )
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert "keras_multires/layers/multires_layer.py" in names
    assert not [name for name in names if "test" in name]
    assert any(name.endswith("LICENSE") for name in names)
