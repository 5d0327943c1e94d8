"""What `import keras_multires` imports, and what its distribution holds."""

import sys
import zipfile

import pytest

from testing.backends import BACKENDS
from testing.paths import ROOT
from testing.programs import run_program
from testing.programs import run_python


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_only_package_imported_besides_those_of_keras_is_pywavelets(
    backend,
):
    result = run_program("list_new_modules", backend=backend)
    new = set(result.stdout.split()) - sys.stdlib_module_names
    # Cython's own modules, which PyWavelets brings.
    new = {name for name in new if "cython" not in name.lower()}
    assert new == {"keras_multires", "pywt"}


def test_the_wheel_holds_the_package_and_no_tests(tmp_path):
    run_python("-m", "pip", "wheel", "--no-deps", ROOT, cwd=tmp_path)
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert "keras_multires/layers/multires_layer.py" in names
    assert not [name for name in names if "test" in name]
    folders = {name.partition("/")[0] for name in names}
    assert len(folders) == 2  # the package and its metadata
    assert any(name.endswith("LICENSE") for name in names)
