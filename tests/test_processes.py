"""Work in processes: the same as in threads, and none of them is left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest
from loky import process_executor

from basketwise import processes
from basketwise.errors import DependencyError, InputError
from basketwise.processes import at_work, in_processes, started_ahead

Result = TypeVar("Result")

HERE = os.getpid()


def squared(number: int) -> tuple[int, int]:
    return number**2, os.getpid()


def refusing(number: int) -> int:
    if number == 2:
        raise InputError("2 is odd for a number.", "Choose another.")
    return number


def killed(number: int) -> int:
    os.kill(os.getpid(), signal.SIGKILL)
    return number


@pytest.fixture(autouse=True)
def two_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "cores", lambda: 2)


def test_results_come_in_the_order_of_pieces_from_other_processes() -> None:
    results = list(in_processes(squared, range(9)))
    assert [number for number, _ in results] == [number**2 for number in range(9)]
    workers = {process for _, process in results}
    assert len(workers) <= 2
    assert HERE not in workers


def test_pieces_are_taken_as_results_are() -> None:
    taken = []

    def pieces() -> Iterator[int]:
        for number in range(20):
            taken.append(number)
            yield number

    results = in_processes(squared, pieces())
    next(results)
    assert len(taken) == 5
    assert at_work()
    results.close()
    assert not at_work()


def test_an_error_is_that_of_the_work() -> None:
    with pytest.raises(InputError, match="2 is odd for a number") as raised:
        list(in_processes(refusing, range(9)))
    assert raised.value.hint == "Choose another."


def test_a_process_that_the_system_ends_is_named() -> None:
    with pytest.raises(DependencyError, match="ended a process"):
        list(in_processes(killed, range(3)))


HELD: list[bytearray] = []


def holding(number: int) -> int:
    """Keep some memory from the second piece on, as long as loky takes to look."""
    if number == 1:
        HELD.append(bytearray(b"1") * 2**29)
    time.sleep(process_executor._MEMORY_LEAK_CHECK_DELAY * 1.1)
    return os.getpid()


def test_a_process_that_keeps_memory_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "cores", lambda: 1)
    pytest.importorskip("psutil", reason="without it, loky does not look")
    assert len(set(in_processes(holding, range(3)))) == 1


def test_processes_that_were_started_ahead_get_the_first_work() -> None:
    with started_ahead("json"):
        waiting = list(processes._ahead)
        assert len(waiting) == 1
        results = list(in_processes(squared, range(5)))
        assert [number for number, _ in results] == [number**2 for number in range(5)]
        assert not processes._ahead
        # Who comes next starts others.
        others = list(in_processes(squared, range(5)))
    assert not {process for _, process in results} & {process for _, process in others}


def test_work_that_is_large_does_not_go_with_each_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "SMALL", 10)
    with started_ahead("json"):
        assert [number for number, _ in in_processes(squared, range(5))] == [0, 1, 4, 9, 16]
        assert len(processes._ahead) == 1
    assert not processes._ahead


def test_processes_without_work_end_with_the_block() -> None:
    with pytest.raises(InputError), started_ahead("json"):
        raise InputError("There is nothing to read.", "Deliver it.")
    assert not processes._ahead
    assert not at_work()


def test_without_semaphores_none_is_started_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*args: object, **options: object) -> None:
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr("loky.ProcessPoolExecutor", refused)
    with started_ahead("json"):
        assert {process for _, process in in_processes(squared, range(4))} == {HERE}


def test_without_semaphores_threads_do_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*args: object, **options: object) -> None:
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr("loky.ProcessPoolExecutor", refused)
    results = list(in_processes(squared, range(4)))
    assert {process for _, process in results} == {HERE}


SCRIPT = """
import os, sys, time
from pathlib import Path
from basketwise.processes import in_processes
import slow_work

print("started", flush=True)
for result in in_processes(slow_work.work, range(4)):
    print(result, flush=True)
"""

SLOW = """
import os, time
from pathlib import Path

def work(number):
    Path(os.environ["PIDS"], str(os.getpid())).touch()
    time.sleep(60)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc")
@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGTERM])
def test_processes_end_with_the_one_that_started_them(tmp_path: Path, sent: signal.Signals) -> None:
    (tmp_path / "slow_work.py").write_text(SLOW)
    script, pids = tmp_path / "script.py", tmp_path / "pids"
    script.write_text(SCRIPT)
    pids.mkdir()
    process = subprocess.Popen(
        [sys.executable, script],
        env={**os.environ, "PYTHONPATH": str(tmp_path), "PIDS": str(pids)},
        stdout=subprocess.PIPE,
        text=True,
    )
    workers = awaited(lambda: list(pids.iterdir()))
    process.send_signal(sent)
    output, _ = process.communicate()
    # The script itself is not run again where the work is done.
    assert output == "started\n"
    assert awaited(lambda: not any(Path("/proc", path.name).exists() for path in workers))


def awaited(value: Callable[[], Result]) -> Result:
    for _ in range(200):
        if result := value():
            return result
        time.sleep(0.05)
    raise AssertionError("it did not happen within ten seconds")
