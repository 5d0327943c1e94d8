"""The machine and the packages, as the results describe them."""

import importlib.metadata
import os
import platform
import subprocess

BACKENDS = ("jax", "tensorflow", "torch")
PACKAGES = ("keras", "numpy", *BACKENDS)


def describe_machine():
    machine = f"{os.cpu_count()} CPU cores ({platform.machine()})"
    # How the process gets its memory decides a third of the time.
    if tunables := os.environ.get("GLIBC_TUNABLES"):
        machine += f", GLIBC_TUNABLES={tunables}"
    return machine


def gpu_name():
    """Name of the GPU of this machine, or None."""
    try:
        return subprocess.run(
            ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
    except (FileNotFoundError, subprocess.CalledProcessError):
        return None


def installed_versions():
    versions = {}
    for package in PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions
