"""Threads that nobody waits for once their work is in vain."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager


@contextmanager
def abandoning_pool(workers: int) -> Iterator[ThreadPoolExecutor]:
    """Give a pool; when an error or Ctrl-C ends the block, its work is abandoned.

    A plain pool would wait for what is running, and fitting a forest can take half a minute. What
    is abandoned must not write anything but whole checkpoints: it goes on until it is done or the
    process ends.
    """
    pool = ThreadPoolExecutor(workers)
    try:
        yield pool
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        raise
    pool.shutdown()
