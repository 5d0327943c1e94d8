"""Continues a run from each state that a kill can leave in its folder.

    python continue_from_each_kill.py FOLDER [eagerly]

It prints how many there are.
"""

import shutil
import sys
from pathlib import Path

from testing.file_operations import before_each_change
from testing.small_runs import outcome
from testing.small_runs import train

folder = Path(sys.argv[1])
options = {"epochs": 3, "eagerly": "eagerly" in sys.argv}
states = {}


def keep(operation, path):
    whole = folder / "whole"

    def copy():
        copied = shutil.copytree(whole, folder / f"state_{len(states)}")
        return copied, (copied / Path(path).relative_to(whole))

    copied, _ = copy()
    add(copied, f"before {operation} {path}")
    if operation == "open":
        copied, torn = copy()
        torn.write_bytes(b"half of it")
        add(copied, f"in the middle of {path}")


def add(copied, description):
    content = frozenset(
        (path.relative_to(copied), path.is_file() and path.read_bytes())
        for path in copied.rglob("*")
    )
    if content in states:
        shutil.rmtree(copied)
    else:
        states[content] = (copied, description)


with before_each_change(folder / "whole", keep):
    run, model = train(folder / "whole", **options)
expected = outcome(run, model)
for copied, description in states.values():
    received = outcome(*train(copied, **options))
    assert received == expected, (description, received, expected)
print(len(states))
