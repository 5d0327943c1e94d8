"""Packages that only some functions need."""

import importlib


def import_package(module, reason, package=None):
    """Imports a package that only some functions need.

    Args:
        module: Name of the module.
        reason: What the package does here, such as `"Records are read by
            wfdb"`.
        package: Name to install it by, if that is not the module's.

    Returns:
        The module.

    Raises:
        ImportError: if it is not installed. The message says how to install it.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise missing_package(reason, package or module) from error


def missing_package(reason, package):
    """The error of a missing package, which says how to install it."""
    remedy = f"Install it: pip install {package}"
    return ImportError(f"{reason}, which is not installed. {remedy}")
