"""What the C library does with memory that a large request leaves behind."""

from __future__ import annotations

import ctypes
import os

KEPT = 2**24
"""Bytes: three times the text of a thousand baskets of ten lines with all columns."""

TRIM, MMAP = "MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_"
"""Variables by which whoever runs the server decides for himself."""

_PARAMETERS = {TRIM: -1, MMAP: -3}
"""Their numbers in glibc's ``malloc.h``."""


def keep_memory() -> bool:
    """Let glibc keep what is freed, up to :data:`KEPT`, instead of giving it back at once.

    Reading a thousand baskets takes some arrays of the size of their text. Given back to the
    system, each of their pages would have to be mapped and cleared anew with the next request.

    Returns
    -------
    bool
        False where the C library is another one, or the environment has a say in it.
    """
    if any(name in os.environ for name in _PARAMETERS):
        return False
    try:
        set_parameter = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return False
    # Both are set, whatever becomes of the first.
    done = [set_parameter(number, KEPT) for number in _PARAMETERS.values()]
    return all(done)
