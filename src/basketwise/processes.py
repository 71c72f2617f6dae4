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
from collections.abc import Callable, Generator, Iterable
from typing import Any, TypeVar

from basketwise.concurrency import cores, in_turn, side_by_side
from basketwise.errors import DependencyError
from basketwise.memory import reader_memory

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
    workers = cores()
    try:
        from loky import ProcessPoolExecutor
        from loky.process_executor import TerminatedWorkerError

        # As many processes as cores, and a thread in each.
        pool = ProcessPoolExecutor(
            workers,
            initializer=_begin,
            initargs=(os.getpid(), pickle.dumps(work)),
            env={"POLARS_MAX_THREADS": "1"},
            timeout=None,
        )
    except (ImportError, NotImplementedError, OSError):
        # Some sandboxes have no semaphores.
        yield from side_by_side(work, pieces)
        return
    finished = False
    _pools.add(id(pool))
    try:
        # Twice as many as there are processes: none idles while a result is taken.
        yield from in_turn(lambda piece: pool.submit(_do, piece), pieces, 2 * workers)
        finished = True
    except TerminatedWorkerError as error:
        raise DependencyError(
            "The system ended a process that was reading: mostly, because memory ran out.",
            "Free memory, or give this command fewer cores (taskset -c 0 basketwise …).",
        ) from error
    finally:
        _pools.discard(id(pool))
        # None is left, nor what they were started with; after an error, they are not waited for.
        with warnings.catch_warnings():
            # That there is no pgrep to look for processes of theirs: they start none.
            warnings.simplefilter("ignore", UserWarning)
            pool.shutdown(kill_workers=not finished)


_pools: set[int] = set()


def at_work() -> bool:
    """Whether processes do some work now, so that Python has little to do here."""
    return bool(_pools)


_own: list[Callable[[Any], Any]] = []
"""The work of this process, which comes once and not with each piece."""


def _begin(parent: int, work: bytes) -> None:
    """Prepare a process."""
    # Whoever presses Ctrl-C ends the process that has started this one, and that ends it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_outlive_nobody, args=(parent,), daemon=True).start()
    # Before the work is read, and Polars imported.
    reader_memory()
    _own.append(pickle.loads(work))  # noqa: S301 (from the process that started this one)  # nosec B301


def _outlive_nobody(parent: int) -> None:
    """End this process soon after the one that started it, however that ended."""
    while os.getppid() == parent:
        time.sleep(LOOKS_SECONDS)
    os._exit(1)


def _do(piece: Any) -> Any:
    return _own[0](piece)
