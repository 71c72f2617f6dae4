"""Acting as another user, where the tests are root's."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

NOBODY = 65534

needs_root = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can become another user"
)


@contextmanager
def another_user(number: int = NOBODY) -> Iterator[None]:
    """Give this process the rights of a user without groups, and take them back afterwards.

    Modules that are imported meanwhile must be readable by everybody: whatever is called should
    have been called before.
    """
    groups = os.getgroups()
    os.setgroups([])
    os.setresgid(number, number, 0)
    os.setresuid(number, number, 0)
    try:
        yield
    finally:
        os.setresuid(0, 0, 0)
        os.setresgid(0, 0, 0)
        os.setgroups(groups)
