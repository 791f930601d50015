"""File systems that are mounted for a test."""

import contextlib
import subprocess

import pytest


@contextlib.contextmanager
def mounted_disk(place, size):
    """A new file system of a size such as "12m"; the test is skipped without rights."""
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", place]
    if subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip("a file system cannot be mounted by this user")
    yield place
    subprocess.run(["umount", "--lazy", place], check=True)
