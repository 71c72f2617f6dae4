"""Files and folders that even root cannot change, where the file system can make them so."""

from __future__ import annotations

import fcntl
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

GET_FLAGS, SET_FLAGS = 0x80086601, 0x40086602
"""Requests of Linux that ``chattr`` makes."""

IMMUTABLE = 0x10


def _set(descriptor: int, on: bool) -> None:
    (flags,) = struct.unpack("l", fcntl.ioctl(descriptor, GET_FLAGS, bytes(8)))
    changed = flags | IMMUTABLE if on else flags & ~IMMUTABLE
    fcntl.ioctl(descriptor, SET_FLAGS, struct.pack("l", changed))


@contextmanager
def immutable(path: Path) -> Iterator[None]:
    """Let nobody change a file, or what a folder contains; skips the test where that fails.

    It ends for the same file, wherever that has been moved with its folder.
    """
    descriptor = os.open(path, os.O_RDONLY)
    try:
        try:
            _set(descriptor, True)
        except OSError:
            pytest.skip("only root can make files immutable, and not on every file system")
        try:
            yield
        finally:
            _set(descriptor, False)
    finally:
        os.close(descriptor)
