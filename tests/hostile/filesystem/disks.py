"""Disks of a few bytes: file systems in memory, where the tests may mount them."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


def _mount(*arguments: str) -> bool:
    return not subprocess.run(["mount", *arguments], capture_output=True, check=False).returncode


@contextmanager
def disk(folder: Path, size: int) -> Iterator[Path]:
    """Mount a disk of so many bytes; skips the test where that is not allowed."""
    folder.mkdir()
    allowed = hasattr(os, "geteuid") and os.geteuid() == 0
    if not (allowed and _mount("-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder))):
        pytest.skip("only root can mount a small disk")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def enlarge(folder: Path, size: int) -> None:
    """Make room on a disk that is mounted."""
    assert _mount("-o", f"remount,size={size}", str(folder))
