"""A process that is the first of its container, which loses every signal that it does not handle.

This needs root, as :mod:`tests.aws.double.mounts` does.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

STOPPED_SECONDS = 5.0
"""A process that lasts longer after SIGTERM has not obeyed."""


class FirstProcess:
    """One that runs, as seen from outside."""

    def __init__(self, outer: subprocess.Popen[str]) -> None:
        self._outer = outer
        while not (inner := self._children()) and outer.poll() is None:
            time.sleep(0.005)
        self.pid = int(inner)

    def _children(self) -> str:
        pid = self._outer.pid
        try:
            return Path(f"/proc/{pid}/task/{pid}/children").read_text().strip()
        except FileNotFoundError:
            return ""

    def handles(self, number: signal.Signals) -> bool:
        """Whether it has blocked a signal, to wait for it, or has a handler of its own."""
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        fields = dict(line.split(":\t", 1) for line in lines if ":\t" in line)
        return any(int(fields[name], 16) >> (number - 1) & 1 for name in ("SigBlk", "SigCgt"))

    def running(self) -> bool:
        """Whether it has not ended."""
        return self._outer.poll() is None

    def terminate(self) -> int:
        """Send SIGTERM; return the exit code, which must come at once."""
        os.kill(self.pid, signal.SIGTERM)
        return self._outer.wait(STOPPED_SECONDS)


@contextmanager
def first_process(
    command: Sequence[str], environment: Mapping[str, str], log: Path
) -> Iterator[FirstProcess]:
    """Run a command as the first process of a container while the block lasts."""
    with log.open("w") as output:
        outer = subprocess.Popen(
            ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc", *command],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            text=True,
        )
    try:
        yield FirstProcess(outer)
    finally:
        # With the first process all others of its container end.
        outer.kill()
        outer.wait()
