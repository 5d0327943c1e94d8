"""What a result depends on besides the code: the machine and the versions."""

import importlib
import os
import platform

import keras


def describe_machine(accelerators):
    """The processor and the accelerators, in words.

    Args:
        accelerators: List of names.
    """
    cores = f"{os.cpu_count()} CPU cores ({platform.machine()})"
    return ", ".join([cores, *accelerators])


def list_versions():
    """Dict from names of packages to versions."""
    # The modules know them. Names of distributions differ by hardware.
    names = ("keras_multires", "keras", keras.backend.backend(), "numpy")
    versions = {
        name: importlib.import_module(name).__version__ for name in names
    }
    return {**versions, "python": platform.python_version()}
