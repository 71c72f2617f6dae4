"""What becomes of memory that this process no longer needs.

Frames of a week's lines come and go by the gigabyte. Where each is given back to the system at
once, every page of the next one is mapped and cleared anew. Python looks for cycles of objects that
nothing else refers to, and finds next to none.
"""

from __future__ import annotations

import ctypes
import gc
import os

TRIM, MMAP = "MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_"
ARENAS, MAPPED = "MALLOC_ARENA_MAX", "MALLOC_MMAP_MAX_"
"""Variables by which whoever runs a process decides for himself."""

_PARAMETERS = {TRIM: -1, MMAP: -3, ARENAS: -8, MAPPED: -4}
"""Their numbers in glibc's ``malloc.h``."""

POLARS = "_RJEM_MALLOC_CONF"
"""Variable that Polars appends to its own settings of its allocator when it is imported."""

HUGE = "NUMPY_MADVISE_HUGEPAGE"
"""Variable by which NumPy asks the system for pages of 2 MiB, or does not, when it is imported."""

KEPT = 2**24
"""Bytes: three times the text of a thousand baskets of ten lines with all columns."""

LARGE = 2**25
"""Bytes of a block that glibc still takes from what it has: the most that it accepts."""

TEXT = 2**27
"""Bytes of freed memory that a process that reads keeps: two blocks of text, as one becomes the
next (see :data:`basketwise.etl.raw.text.BLOCK_BYTES`)."""

RARELY = (100_000, 50, 100)
"""New objects after which Python looks for garbage among them, and how often among older ones."""

USUALLY = gc.get_threshold()
"""The same as Python itself has it."""

DECAY = "dirty_decay_ms:1500"
"""Polars keeps freed memory for half a second; a week of lines takes some seconds."""


def keep_memory(kept: int = KEPT) -> bool:
    """Let glibc keep what is freed, up to some bytes, instead of giving it back at once.

    Returns
    -------
    bool
        False where the C library is another one, or the environment has a say in it.
    """
    return _set({TRIM: kept, MMAP: kept})


def pool_memory() -> bool:
    """Let a process of the command line reuse what is freed: for frames of millions of lines.

    Of glibc's arenas, two serve all threads: each keeps what its own threads have freed. NumPy asks
    for no large pages: where memory is full of files that were read, the system makes room for each
    before it gives it. Neither Polars nor NumPy must have been imported yet.

    Returns
    -------
    bool
        False where glibc is left as it is, see :func:`keep_memory`.
    """
    _tell_libraries()
    return _set({TRIM: 2 * LARGE, MMAP: LARGE, ARENAS: 2})


def reader_memory() -> bool:
    """Let a process that reads one file after the other reuse even its blocks of text.

    They are larger than what glibc keeps, unless it may not map any block by itself. As in
    :func:`pool_memory`, neither Polars nor NumPy must have been imported yet.

    Returns
    -------
    bool
        False where glibc is left as it is, see :func:`keep_memory`.
    """
    _tell_libraries()
    return _set({TRIM: TEXT, MAPPED: 0, ARENAS: 2})


def collect_rarely() -> None:
    """Let Python look for garbage less often, in a process that ends with its command.

    scikit-learn, XGBoost and MLflow define hundreds of thousands of objects that stay until the
    end; looking through them again and again takes a fifth of the time of loading them.
    """
    gc.set_threshold(*RARELY)


def collect_usually() -> None:
    """Let Python look for garbage as it does by itself, in a process that stays."""
    gc.set_threshold(*USUALLY)


def _tell_libraries() -> None:
    os.environ.setdefault(POLARS, DECAY)
    os.environ.setdefault(HUGE, "0")


def _set(values: dict[str, int]) -> bool:
    if any(name in os.environ for name in _PARAMETERS):
        return False
    try:
        set_parameter = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return False
    # All are set, whatever becomes of the first.
    done = [set_parameter(_PARAMETERS[name], value) for name, value in values.items()]
    return all(done)
