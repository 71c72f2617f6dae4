"""How much the tests of this folder try: a little each time, or all that ``make hostile`` does."""

from __future__ import annotations

import os


def tried(always: int, nightly: int) -> int:
    """Return one of two numbers of attempts: the second if BASKETWISE_TEST_HOSTILE is set."""
    return nightly if os.environ.get("BASKETWISE_TEST_HOSTILE") else always
