"""The README's examples run as they stand."""

import re

import pytest

from testing.backends import BACKENDS
from testing.paths import ROOT
from testing.programs import run_python


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_code_of_the_readme_runs(backend):
    text = (ROOT / "README.md").read_text()
    blocks = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    assert len(blocks) == 4
    result = run_python("-c", "\n".join(blocks), backend=backend)
    assert "1365514" in result.stdout
