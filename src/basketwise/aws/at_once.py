"""Several things at the same time, which end together when one fails or the user interrupts."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextvars import ContextVar
from threading import Event
from typing import TypeVar

AT_ONCE = 8
"""Files fetched, sent or copied at the same time; a client has ten connections."""

HEARD_WITHIN = 0.2
"""Seconds. Libraries like Polars take signals in a way that does not end a wait for a thread, so
Ctrl-C is heard only when a wait is over."""

Thing = TypeVar("Thing")

_ending: ContextVar[Event] = ContextVar("ending")
"""Of the :func:`each` that a task belongs to; none outside of tasks."""


class GivenUpError(Exception):
    """A task ended early, since what it belongs to has ended; nobody is told of it."""


def each(do: Callable[[Thing], None], things: Iterable[Thing]) -> None:
    """Call a function with each thing, in several threads at a time; the first error ends it.

    It returns, or raises, when no task is running any more. A task that takes long calls
    :func:`go_on` between its steps, so that an error elsewhere, or Ctrl-C, is not kept waiting.
    """
    from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait

    ending = Event()
    with ThreadPoolExecutor(AT_ONCE, initializer=_ending.set, initargs=(ending,)) as pool:
        tasks: list[Future[None]] = []
        try:
            tasks.extend(pool.submit(do, thing) for thing in things)
            left: set[Future[None]] = set(tasks)
            while left:
                ended, left = wait(left, HEARD_WITHIN, FIRST_EXCEPTION)
                for task in ended:
                    task.result()
        except BaseException:
            ending.set()
            pool.shutdown(wait=True, cancel_futures=True)
            raise


def is_ending() -> bool:
    """Whether the :func:`each` that this task belongs to has ended with an error."""
    ending = _ending.get(None)
    return ending is not None and ending.is_set()


def go_on() -> None:
    """Return, unless this task is no longer wanted: then raise GivenUpError."""
    if is_ending():
        raise GivenUpError
