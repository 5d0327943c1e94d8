"""Faults of the machine that a test can cause."""

import contextlib
import resource


@contextlib.contextmanager
def full_disk(max_bytes=1000):
    """A context in which no file of this process gets longer."""
    # Python ignores the signal that would otherwise end the process.
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (max_bytes, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
