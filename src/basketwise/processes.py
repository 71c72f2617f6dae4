"""Work in processes beside this one, where its threads would wait for each other.

Python runs one thread at a time, and threads that map memory wait for one another in the system.
Reading raw files is much of both: two processes read in three quarters of the time of two threads.
"""

from __future__ import annotations

import os
import pickle  # nosec B403
import signal
import threading
import time
import warnings
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from functools import lru_cache, partial
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeVar

from basketwise.concurrency import cores, in_turn, side_by_side
from basketwise.errors import DependencyError
from basketwise.memory import collect_rarely, reader_memory

if TYPE_CHECKING:
    from loky import ProcessPoolExecutor

SMALL = 2**22
"""Bytes of work that may go to a process with each piece; 5,000 products have half as many."""

ENVIRONMENT = {
    "POLARS_MAX_THREADS": "1",
    # loky takes a process that has more memory than at its start for one that leaks, and puts
    # another in its place.
    "LOKY_MAX_MEMORY_LEAK_SIZE": str(2**62),
}
"""Of the processes."""

LOOKS_SECONDS = 0.5
"""Between two looks of a process at who has started it."""

Piece = TypeVar("Piece")
Result = TypeVar("Result")


def in_processes(
    work: Callable[[Piece], Result], pieces: Iterable[Piece]
) -> Generator[Result, None, None]:
    """Work on a piece per core at a time, each in a process; results come in the order of pieces.

    Where no process can be started, threads do it. The processes import what ``work`` and the
    pieces are made of, which must be functions and classes of modules, and not the script that
    called.

    Raises
    ------
    DependencyError
        If the system ends a process: mostly because memory ran out.
    Exception
        What ``work`` raises.
    """
    data = pickle.dumps(work)
    if _ahead and len(data) <= SMALL:
        # It has started without the work, which goes with each piece.
        pool, each = _ahead.pop(), partial(_do, data)
    else:
        pool, each = _started(data), partial(_do, None)
    if pool is None:
        yield from side_by_side(work, pieces)
        return
    from loky.process_executor import TerminatedWorkerError

    finished = False
    _pools.add(id(pool))
    try:
        # Twice as many as there are processes: none idles while a result is taken.
        yield from in_turn(lambda piece: pool.submit(each, piece), pieces, 2 * cores())
        finished = True
    except TerminatedWorkerError as error:
        raise DependencyError(
            "The system ended a process that was reading: mostly, because memory ran out.",
            "Free memory, or give this command fewer cores (taskset -c 0 basketwise …).",
        ) from error
    finally:
        _pools.discard(id(pool))
        _end(pool, kill=not finished)


@contextmanager
def started_ahead(module: str) -> Iterator[None]:
    """Start the processes that will work first within the block.

    They begin while this process does something else, and import a module meanwhile that the work
    needs. Those that got nothing to do end with the block.
    """
    pool = _started(None)
    if pool is None:
        yield
        return
    _ahead.append(pool)
    for _ in range(cores()):
        pool.submit(_load, module)
    try:
        yield
    finally:
        if pool in _ahead:
            _ahead.remove(pool)
            _end(pool, kill=True)


_ahead: list[ProcessPoolExecutor] = []
"""Processes that wait for work."""


def _started(work: bytes | None) -> ProcessPoolExecutor | None:
    """Return a process for each core, with a thread in each; None where none can be started."""
    try:
        from loky import ProcessPoolExecutor

        return ProcessPoolExecutor(
            cores(),
            initializer=_begin,
            initargs=(os.getpid(), work),
            env=ENVIRONMENT,
            timeout=None,
        )
    except (ImportError, NotImplementedError, OSError):
        # Some sandboxes have no semaphores.
        return None


def _end(pool: ProcessPoolExecutor, *, kill: bool) -> None:
    """End processes, and what they were started with.

    ``kill``: in the middle of their work; else they have none left, and end by themselves.
    """
    with warnings.catch_warnings():
        # That there is no pgrep to look for processes of theirs: they start none.
        warnings.simplefilter("ignore", UserWarning)
        pool.shutdown(wait=kill, kill_workers=kill)


_pools: set[int] = set()


def at_work() -> bool:
    """Whether processes do some work now, so that Python has little to do here."""
    return bool(_pools)


_own: list[Callable[[Any], Any]] = []
"""The work of this process, if it came at its start and not with each piece."""


def _begin(parent: int, work: bytes | None) -> None:
    """Prepare a process."""
    # Whoever presses Ctrl-C ends the process that has started this one, and that ends it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_outlive_nobody, args=(parent,), daemon=True).start()
    # Before the work is read, and Polars imported.
    reader_memory()
    collect_rarely()
    if work is not None:
        _own.append(_read(work))


@lru_cache(maxsize=1)
def _read(work: bytes) -> Callable[[Any], Any]:
    read: Callable[[Any], Any] = pickle.loads(work)  # noqa: S301 (from the process that started this one)  # nosec B301
    return read


def _load(module: str) -> None:
    import_module(module)


def _outlive_nobody(parent: int) -> None:
    """End this process soon after the one that started it, however that ended."""
    while os.getppid() == parent:
        time.sleep(LOOKS_SECONDS)
    os._exit(1)


def _do(work: bytes | None, piece: Any) -> Any:
    return (_own[0] if work is None else _read(work))(piece)
