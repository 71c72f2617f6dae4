"""Processes of their own that find the slowest libraries imported.

They are forked from a server that has imported these, and nothing of Basketwise: that each imports
itself, from wherever its path leads. What such a process does takes as long as ever; that it starts
takes a tenth of the time.
"""

from __future__ import annotations

import multiprocessing
import os
import runpy
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

LIBRARIES = (
    "click",
    "jinja2",
    "matplotlib.backends.backend_agg",
    "pydantic",
    "scipy.optimize",
    "skops.io",
    "sklearn.ensemble",
    "sklearn.linear_model",
    "sklearn.tree",
    "tests.warm_inspect",
)
"""None of these has threads of its own that a fork would lose, as Polars has; the last is to be
imported after all others."""

POLL_SECONDS = 0.01


class WarmProcess:
    """``python -m MODULE``, in a session of its own; to be used like ``subprocess.Popen``.

    Parameters
    ----------
    module, arguments
        What runs.
    environment
        All of its variables.
    cwd
        Where it runs.
    stdin
        The file that it reads; by default there is nothing to read.
    stdout, stderr
        The files that are appended to.
    first
        Scripts that run before it in the same process, with their arguments.
    enter
        What the process does before all of that.
    """

    def __init__(
        self,
        module: str,
        arguments: Sequence[str],
        *,
        environment: Mapping[str, str],
        cwd: Path,
        stdin: str = os.devnull,
        stdout: Path,
        stderr: Path,
        first: Sequence[Sequence[str]] = (),
        enter: Callable[[], None] | None = None,
    ) -> None:
        self.stdout, self.stderr = stdout, stderr
        self.returncode: int | None = None
        self._lock = threading.Lock()
        context = multiprocessing.get_context("forkserver")
        # The first process starts the server.
        context.set_forkserver_preload(list(LIBRARIES))
        streams = (stdin, str(stdout), str(stderr))
        commands = [*map(list, first), [module, *arguments]]
        self._process = context.Process(
            target=_main, args=(commands, dict(environment), str(cwd), streams, enter)
        )
        self._process.start()
        assert self._process.pid is not None
        self.pid = self._process.pid
        with suppress(ProcessLookupError):
            while self.poll() is None and os.getpgid(self.pid) != self.pid:
                time.sleep(POLL_SECONDS)

    def poll(self) -> int | None:
        """Return how it ended; None while it runs."""
        with self._lock:
            if self.returncode is None:
                self._process.join(0)
                self.returncode = self._process.exitcode
            return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Return how it ended, once it has."""
        end = time.monotonic() + (timeout or float("inf"))
        while (code := self.poll()) is None:
            if time.monotonic() > end:
                raise subprocess.TimeoutExpired(self._process.name, timeout or 0)
            time.sleep(POLL_SECONDS)
        return code

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """Return what it has written, once it has ended."""
        self.wait(timeout)
        return self.stdout.read_text("utf-8"), self.stderr.read_text("utf-8")

    def send_signal(self, number: int) -> None:
        """Send it a signal, to it alone."""
        os.kill(self.pid, number)


def _main(
    commands: list[list[str]],
    environment: dict[str, str],
    cwd: str,
    streams: tuple[str, str, str],
    enter: Callable[[], None] | None,
) -> None:
    """Become the process that was asked for."""
    append = os.O_WRONLY | os.O_APPEND | os.O_CREAT
    for number, (name, flags) in enumerate(
        zip(streams, (os.O_RDWR | os.O_NOCTTY, append, append), strict=True)
    ):
        opened = os.open(name, flags, 0o600)
        os.dup2(opened, number)
        os.close(opened)
    sys.stdin, sys.stdout, sys.stderr = (
        open(number, mode, encoding="utf-8", closefd=False)  # noqa: SIM115
        for number, mode in enumerate("rww")
    )
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(environment)
    tempfile.tempdir = None
    sys.path[:0] = [cwd, *filter(None, environment.get("PYTHONPATH", "").split(os.pathsep))]
    os.setsid()
    if enter is not None:
        enter()
    *first, (module, *arguments) = commands
    try:
        for script in first:
            sys.argv = script
            runpy.run_path(script[0])
        sys.argv = [module, *arguments]
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
