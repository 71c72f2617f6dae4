"""How much is to be read, and whether that is worth processes beside this one.

It is asked before anything else of a run, so this imports next to nothing.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path

from basketwise.concurrency import cores
from basketwise.etl.raw.formats import format_of

MUCH = 2**27
"""Bytes of text, a second or two for one core; two processes take one of them to start."""

PACKED = 8
"""Bytes of text in one of a compressed or binary file, about."""

MOST_FILES = 10_000
"""Files that are looked at; of more, the first ones say enough."""


def text_size(size: int, *, plain: bool) -> int:
    """Return about how many bytes of text there are in a file of some size."""
    return size if plain else PACKED * size


def many(sizes: Iterable[int]) -> bool:
    """Whether tables of some bytes of text, one each, are worth a process for each core.

    A table is read by one of them, so there must be some for each.
    """
    own = list(sizes)
    return sum(own) >= MUCH and len(own) >= 4 * cores() > 4


def many_below(data: str) -> bool:
    """Whether that seems to be so of the files of a folder, by their names and sizes alone."""
    return many(islice(_sizes(data), MOST_FILES))


def _sizes(data: str) -> Iterator[int]:
    for folder, _, names in os.walk(data):
        for name in names:
            format_ = format_of(name)
            if format_ is None:
                continue
            with suppress(OSError):
                size = Path(folder, name).stat().st_size
                yield text_size(size, plain=format_.kind == "text" and not format_.packing)
