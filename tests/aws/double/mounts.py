"""The folders of a job, each a mount of its own, as SageMaker lays them out.

A rename from one to another fails then, though all are on one disk; none can be removed; and what
is an input cannot be written. They are so for the job's processes alone. This needs root.

    python mounts.py '[["/opt/ml/model", false], ["/opt/ml/input/data/train", true]]' COMMAND …
"""

from __future__ import annotations

import ctypes
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from functools import cache

NEW_NAMESPACE = 0x00020000
READ_ONLY, REMOUNT, BIND, RECURSIVE, PRIVATE = 1, 32, 4096, 16384, 1 << 18
"""Of Linux (``sched.h``, ``sys/mount.h``); Python knows them from 3.12 on."""

Mount = tuple[str, bool]
"""A folder, and whether it can only be read."""


def enter(mounts: Sequence[Mount]) -> None:
    """Make folders mounts for this process and those that it starts; outer ones come first."""
    libc = ctypes.CDLL(None, use_errno=True)

    def done(code: int, what: str) -> None:
        if code:
            error = ctypes.get_errno()
            raise OSError(error, os.strerror(error), what)

    def mount(path: str, flags: int) -> None:
        target = os.fsencode(path)
        done(libc.mount(target, target, None, ctypes.c_ulong(flags), None), path)

    done(libc.unshare(NEW_NAMESPACE), "a mount namespace")
    mount("/", RECURSIVE | PRIVATE)
    for path, read_only in sorted(mounts):
        mount(path, BIND)
        if read_only:
            mount(path, REMOUNT | BIND | READ_ONLY)


def inside(mounts: Sequence[Mount], command: Sequence[str]) -> list[str]:
    """Return a command that runs another one where folders are mounts."""
    return [sys.executable, "-I", "-S", __file__, json.dumps(mounts), *command]


@cache
def may_mount() -> bool:
    """Whether this process may make mounts."""
    if not sys.platform.startswith("linux"):
        return False
    return subprocess.run(inside([], ["true"]), capture_output=True, check=False).returncode == 0


NOT_ALLOWED = "needs root, and a Linux that lets it mount"
"""Why a test is skipped where nothing can be mounted."""

if __name__ == "__main__":
    enter(json.loads(sys.argv[1]))
    os.execvp(sys.argv[2], sys.argv[2:])  # noqa: S606 - the arguments are the tests' own
