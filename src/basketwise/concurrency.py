"""The number of worker threads, and the ways to work in several of them."""

from __future__ import annotations

import math
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

Piece = TypeVar("Piece")
Result = TypeVar("Result")

CGROUPS = Path("/sys/fs/cgroup")


def cores() -> int:
    """Return how many cores this process may use: those of its affinity, within its CPU quota.

    A container is often given two cores of a machine that has sixty-four. Results never depend on
    this number; how much is in flight at once, and so memory, does.
    """
    affinity = getattr(os, "sched_getaffinity", None)
    own = len(affinity(0)) if affinity else os.cpu_count() or 1
    return max(1, math.ceil(min(own, cpu_quota(CGROUPS))))


def cpu_quota(cgroups: Path) -> float:
    """Return how many cores' time a control group (version 1 or 2) grants; infinite without one.

    Parameters
    ----------
    cgroups : Path
        Where control groups are mounted. Within a container that is the container's own group.
    """
    with suppress(OSError, ValueError, ZeroDivisionError):
        if (cgroups / "cpu.max").is_file():
            quota, period = (cgroups / "cpu.max").read_text().split()
        else:
            quota, period = (
                (cgroups / "cpu" / f"cpu.cfs_{name}_us").read_text() for name in ("quota", "period")
            )
        share = int(quota) / int(period)
        return share if share > 0 else math.inf
    return math.inf


def worker_pool() -> ThreadPoolExecutor:
    """Return a pool of as many threads as there are cores."""
    return ThreadPoolExecutor(cores())


def side_by_side(work: Callable[[Piece], Result], pieces: Iterable[Piece]) -> Iterator[Result]:
    """Work on a piece per core at a time; results come in the order of the pieces.

    Each piece takes memory once it is read, so at most one more waits: an executor's own ``map``
    would read all of them at once.
    """
    workers = cores()
    with ThreadPoolExecutor(workers) as pool:
        yield from in_turn(lambda piece: pool.submit(work, piece), pieces, workers)


def in_turn(
    submit: Callable[[Piece], Future[Result]], pieces: Iterable[Piece], ahead: int
) -> Iterator[Result]:
    """Hand pieces to a pool, and give the results in their order.

    Parameters
    ----------
    submit : callable
        Hands a piece to the pool.
    pieces : iterable
        Is read as results are taken.
    ahead : int
        So many pieces are read before the first result is waited for.
    """
    waiting: deque[Future[Result]] = deque()
    for piece in pieces:
        waiting.append(submit(piece))
        if len(waiting) > ahead:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


@contextmanager
def abandoning_pool(workers: int | None = None) -> Iterator[ThreadPoolExecutor]:
    """Give a pool, of as many threads as there are cores by default; an error abandons its work.

    Ctrl-C does too. A plain pool would wait for what is running, and fitting a forest can take half
    a minute. What is abandoned must not write anything but whole checkpoints: it goes on until it
    is done or the process ends.
    """
    pool = ThreadPoolExecutor(workers or cores())
    try:
        yield pool
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        raise
    pool.shutdown()
