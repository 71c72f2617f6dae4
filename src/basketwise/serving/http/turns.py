"""Which requests are worked on, which wait, and which are shed, so that none waits for long."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from http import HTTPStatus
from time import perf_counter
from typing import Any, TypeVar

from polars.exceptions import PanicException

from basketwise.serving.http.limits import Limits, later, too_many

Result = TypeVar("Result")

_WEIGHT = 1 / 32
"""Of the latest interval in the average: of the last hundred requests, a few do not tell."""


class Pace:
    """Knows at which intervals requests end while others wait.

    A server that refuses more than it answers is slower for it, as is one beside other work: then
    the same queue takes longer.

    Parameters
    ----------
    seconds
        How long a request is to wait at most.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._interval = 0.0
        self._last: float | None = None

    def ended(self, *, others_wait: bool, now: float | None = None) -> None:
        """Note that a request has ended; ``now`` is by default the time of a monotonic clock."""
        now = perf_counter() if now is None else now
        if self._last is not None:
            self._interval += _WEIGHT * (now - self._last - self._interval)
        self._last = now if others_wait else None

    def places(self, most: int) -> int:
        """Return how many may wait: at least half of ``most``, so that large requests have room."""
        if not self._interval:
            return most
        return max(-(-most // 2), int(min(most, self._seconds / self._interval)))


class Turns:
    """Lets some requests at a time work in threads; a bounded number waits, and the rest is shed.

    A thread cannot be stopped: a request whose time is over keeps its turn until its thread ends.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._pool = ThreadPoolExecutor(limits.concurrency, thread_name_prefix="scoring")
        self._free = asyncio.Semaphore(limits.concurrency)
        self._running: set[Future[Any]] = set()
        self._pace = Pace(limits.wait_seconds)
        self.waiting = 0

    async def run(self, work: Callable[[], Result]) -> Result:
        """Return what ``work`` returns, once it had its turn.

        Raises
        ------
        ProblemError
            429 if too many wait, 503 if the turn does not come, or the work does not end.
        """
        await self._turn()
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Result] = loop.create_future()

        def settle(future: Future[Result]) -> None:
            self._pace.ended(others_wait=self.waiting > 0)
            self._free.release()
            if future.cancelled():
                answer.cancel()
            elif not answer.done():
                error = future.exception()
                if error is None:
                    answer.set_result(future.result())
                else:
                    answer.set_exception(error)

        def ended(future: Future[Result]) -> None:
            self._running.discard(future)
            # The loop is woken once for both, which takes a part of the time of a short answer. One
            # that is closed has no more requests.
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(settle, future)

        try:
            future = self._pool.submit(_without_panic, work)
        except BaseException:
            self._free.release()
            raise
        self._running.add(future)
        future.add_done_callback(ended)
        try:
            async with asyncio.timeout(self._limits.seconds):
                return await answer
        except TimeoutError as error:
            raise later(
                HTTPStatus.SERVICE_UNAVAILABLE,
                f"The request took longer than {self._limits.seconds:g} seconds.",
                "Send fewer baskets at a time.",
            ) from error

    @property
    def full(self) -> bool:
        """Whether as many wait as may wait: one more is shed."""
        return self._free.locked() and self.waiting >= self._pace.places(self._limits.waiting)

    async def _turn(self) -> None:
        if self.full:
            raise too_many()
        self.waiting += 1
        try:
            async with asyncio.timeout(self._limits.queue_seconds):
                await self._free.acquire()
        except TimeoutError as error:
            raise later(
                HTTPStatus.SERVICE_UNAVAILABLE,
                "Too many requests are waiting.",
                "Send it again later.",
            ) from error
        finally:
            self.waiting -= 1

    def close(self) -> bool:
        """Take on no more work; whether all of it has ended."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        return all(future.done() for future in list(self._running))


def _without_panic(work: Callable[[], Result]) -> Result:
    """Turn a panic of Polars, which is no Exception, into an error of this request alone."""
    try:
        return work()
    except PanicException as error:
        raise RuntimeError(f"Polars panicked: {error}") from error
