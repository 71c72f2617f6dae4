"""The memory of a process and of those that it has started, together."""

from __future__ import annotations

import os
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

SECONDS = 0.2
"""Between two looks."""

_PAGE = os.sysconf("SC_PAGE_SIZE")


@contextmanager
def watched(root: int) -> Iterator[list[int]]:
    """Give a list with the most bytes seen so far that the processes have in memory together.

    Where the system does not tell (``/proc``), it stays 0.
    """
    peak, over = [0], threading.Event()

    def watch() -> None:
        while not over.wait(SECONDS):
            processes = family(root)
            # What they share takes long to tell, and is only less.
            if sum(processes.values()) > peak[0]:
                peak[0] = max(peak[0], sum(map(share, processes)))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield peak
    finally:
        over.set()
        watcher.join()


def family(root: int) -> dict[int, int]:
    """Return the resident sets, in bytes, of a process and its descendants, by their numbers."""
    children: dict[int, list[int]] = defaultdict(list)
    resident: dict[int, int] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            # The name, in parentheses, may contain anything.
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            children[int(fields[1])].append(int(folder.name))
            resident[int(folder.name)] = int(fields[21]) * _PAGE
    own, waiting = {}, [root]
    while waiting:
        process = waiting.pop()
        own[process] = resident.get(process, 0)
        waiting += children[process]
    return own


def share(process: int) -> int:
    """Return what a process has in memory, in bytes: of pages that others share, its part.

    With all of them for each, the libraries alone would count as often as there are processes.
    """
    with suppress(OSError):
        for line in Path(f"/proc/{process}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    return 0
