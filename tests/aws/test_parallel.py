"""Many things at once: all are done, or they end together."""

from __future__ import annotations

import subprocess
import sys
import threading
import time

import pytest

from basketwise.aws.parallel import CancelledTaskError, check_cancelled, for_each, results_of

INTERRUPTED = """
import signal, threading, time
signal.signal(signal.SIGINT, signal.default_int_handler)
import polars
from basketwise.aws.parallel import check_cancelled, for_each

def work(number):
    time.sleep(0.5)  # So that the main thread waits.
    signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
    end = time.monotonic() + 20
    while time.monotonic() < end:
        check_cancelled()
        time.sleep(0.01)

begun = time.monotonic()
try:
    for_each(work, [1])
except KeyboardInterrupt:
    print("heard" if time.monotonic() - begun < 10 else "late")
"""


def test_everything_is_done() -> None:
    seen: list[int] = []
    for_each(seen.append, range(50))
    assert sorted(seen) == list(range(50))
    for_each(seen.append, [])


def test_outside_of_tasks_nothing_is_cancelled() -> None:
    check_cancelled()


def test_an_error_ends_the_others_between_two_steps() -> None:
    running, ended = threading.Barrier(2), threading.Event()

    def work(name: str) -> None:
        running.wait()
        if name == "fails":
            raise ValueError(name)
        try:
            for _ in range(1000):
                check_cancelled()
                time.sleep(0.01)
        except CancelledTaskError:
            ended.set()
            raise

    # The one that fails comes last, and is heard first.
    with pytest.raises(ValueError, match="fails"):
        for_each(work, ["works", "fails"])
    assert ended.is_set()


def test_what_has_not_begun_does_not_begin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("basketwise.aws.parallel.WORKERS", 1)
    begun: list[int] = []

    def work(number: int) -> None:
        begun.append(number)
        time.sleep(0.05)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        for_each(work, range(10))
    assert len(begun) <= 2


def test_ctrl_c_works_with_libraries_that_handle_signals() -> None:
    command = [sys.executable, "-c", INTERRUPTED]
    assert subprocess.run(command, capture_output=True, check=True).stdout == b"heard\n"


def test_results_come_in_the_order_of_the_items() -> None:
    def slow_first(number: int) -> int:
        time.sleep(0.05 if number == 0 else 0)
        return number**2

    assert results_of(slow_first, range(9)) == [number**2 for number in range(9)]
