"""The memory of a process and of those that it has started, together."""

from __future__ import annotations

import os
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SECONDS = 0.2
"""Between two looks."""

_PAGE = os.sysconf("SC_PAGE_SIZE")


@contextmanager
def watched(root: int) -> Iterator[list[int]]:
    """Give a list with the largest sum seen so far of the resident sets, in bytes.

    Pages that processes share count once for each. Where the system has no ``/proc``, it stays 0.
    """
    peak, over = [0], threading.Event()

    def watch() -> None:
        while not over.wait(SECONDS):
            peak[0] = max(peak[0], resident(root))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield peak
    finally:
        over.set()
        watcher.join()


def resident(root: int) -> int:
    """Return the sum of the resident sets of a process and its descendants, in bytes."""
    children: dict[int, list[int]] = defaultdict(list)
    pages: dict[int, int] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            # The name, in parentheses, may contain anything.
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        children[int(fields[1])].append(int(folder.name))
        pages[int(folder.name)] = int(fields[21])
    own, waiting = 0, [root]
    while waiting:
        process = waiting.pop()
        own += pages.get(process, 0)
        waiting += children[process]
    return own * _PAGE
