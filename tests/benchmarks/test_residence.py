"""What processes take together."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

from benchmarks.residence import family, share, watched

CHILD = "import sys; kept = b'1' * 50_000_000; print(flush=True); sys.stdin.read()"
PARENT = (
    "import subprocess, sys; "
    f"child = subprocess.Popen([sys.executable, '-c', {CHILD!r}], stdout=subprocess.PIPE); "
    "child.stdout.readline(); print(flush=True); child.wait()"
)


@pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc")
def test_child_processes_count() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        processes = family(process.pid)
        assert len(processes) == 2
        assert 50_000_000 < sum(map(share, processes)) <= sum(processes.values()) < 150_000_000
        with watched(process.pid) as peak:
            while not peak[0]:
                time.sleep(0.05)
        assert peak[0] > 50_000_000
        process.communicate()
    assert sum(family(process.pid).values()) == 0
