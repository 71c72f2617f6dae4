"""Calls in parallel threads, which stop together when one fails or the user interrupts."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextvars import ContextVar
from threading import Event
from typing import TypeVar

WORKERS = 8
"""Files downloaded, uploaded or copied at the same time; a client has ten connections."""

INTERRUPT_SECONDS = 0.2
"""Seconds between two checks for Ctrl-C: libraries like Polars handle signals so that they do not
end a wait for a thread."""

Item = TypeVar("Item")
Result = TypeVar("Result")

_cancelled: ContextVar[Event] = ContextVar("cancelled")
"""Set when the :func:`for_each` of a task stops; without a value outside of tasks."""


class CancelledTaskError(Exception):
    """A task stopped early because its :func:`for_each` stops; never shown to the user."""


def for_each(function: Callable[[Item], None], items: Iterable[Item]) -> None:
    """Call a function with each item, in several threads; the first error stops all of them.

    It returns, or raises, when no task is running any more. A long task calls
    :func:`check_cancelled` between its steps, so that it stops soon after an error or Ctrl-C.
    """
    from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait

    cancelled = Event()
    with ThreadPoolExecutor(WORKERS, initializer=_cancelled.set, initargs=(cancelled,)) as pool:
        tasks: list[Future[None]] = []
        try:
            tasks.extend(pool.submit(function, item) for item in items)
            pending: set[Future[None]] = set(tasks)
            while pending:
                done, pending = wait(pending, INTERRUPT_SECONDS, FIRST_EXCEPTION)
                for task in done:
                    task.result()
        except BaseException:
            cancelled.set()
            pool.shutdown(wait=True, cancel_futures=True)
            raise


def results_of(function: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
    """Return what a function gives for each item, in their order; in several threads.

    For short requests: each is waited for, whatever becomes of the others.
    """
    from concurrent.futures import ThreadPoolExecutor

    asked = list(items)
    if len(asked) <= 1:
        return [function(item) for item in asked]
    with ThreadPoolExecutor(WORKERS) as pool:
        return list(pool.map(function, asked))


def is_cancelled() -> bool:
    """Whether the :func:`for_each` of this task has stopped."""
    cancelled = _cancelled.get(None)
    return cancelled is not None and cancelled.is_set()


def check_cancelled() -> None:
    """Raise CancelledTaskError if the :func:`for_each` of this task has stopped."""
    if is_cancelled():
        raise CancelledTaskError
