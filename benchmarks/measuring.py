"""Runs a command as a process of its own and measures it from outside.

Nothing is measured inside this process, and it imports nothing heavy: on Linux the peak memory of
a child starts at what its parent held when it was started.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from benchmarks.residence import watched

_MB = 1_000_000
_RSS_UNIT = 1 if sys.platform == "darwin" else 1024
_TAIL = 2_000


@dataclass(frozen=True)
class Measured:
    """What one command cost.

    Attributes
    ----------
    wall
        Seconds from start to end.
    cpu
        Seconds of user and system time, over all threads and all child processes.
    peak_mb
        Largest resident set in MB (10**6 bytes): of the process, or, where that is more, of it and
        its child processes together, as seen five times a second; what they share counts once.
    stdout
        What it printed.
    """

    wall: float
    cpu: float
    peak_mb: float
    stdout: str


class CommandFailedError(Exception):
    """A measured command did not end well; the end of its stderr is in the message."""


def measure(command: Sequence[str], *, repeats: int = 1, fresh: Path | None = None) -> Measured:
    """Run a command and return the quickest of ``repeats`` runs.

    A folder ``fresh`` is removed before each run, so that none finds what another one left.

    Raises
    ------
    CommandFailedError
        When a run ends with another exit code than 0.
    """
    runs = []
    for _ in range(repeats):
        if fresh is not None:
            shutil.rmtree(fresh, ignore_errors=True)
        runs.append(_measure_once(command))
    return min(runs, key=lambda run: run.wall)


def _measure_once(command: Sequence[str]) -> Measured:
    print(f"running: {' '.join(command)}", file=sys.stderr, flush=True)
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        started = time.perf_counter()
        process = subprocess.Popen(command, stdout=out, stderr=err)
        try:
            with watched(process.pid) as together:
                # Popen.wait() would throw away what the process used.
                _, status, used = os.wait4(process.pid, 0)
        except BaseException:
            process.kill()
            raise
        wall = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        texts = []
        for stream in (out, err):
            stream.seek(0)
            texts.append(stream.read().decode(errors="replace"))
    if process.returncode:
        raise CommandFailedError(
            f"Exit code {process.returncode} from: {' '.join(command)}\n{texts[1][-_TAIL:]}"
        )
    peak = max(used.ru_maxrss * _RSS_UNIT, *together)
    return Measured(wall, used.ru_utime + used.ru_stime, peak / _MB, texts[0])


def python(module: str, *arguments: str | Path) -> list[str]:
    """Return the command that runs one of our scripts with this interpreter."""
    return [sys.executable, "-m", module, *map(str, arguments)]


def basketwise(command: str, *arguments: str | Path, settings: Sequence[str] = ()) -> list[str]:
    """Return the command line of the ``basketwise`` that is installed beside this interpreter."""
    program = str(Path(sys.executable).with_name("basketwise"))
    changed = [word for setting in settings for word in ("--set", setting)]
    return [program, command, *map(str, arguments), *changed]


def warm_up(folder: Path) -> None:
    """Read every file once, so that the first command does not pay for the disk."""
    for path in sorted(folder.iterdir()):
        if path.is_file():
            with path.open("rb") as stream:
                while stream.read(_MB):
                    pass


def machine() -> str:
    """Say in a line what the figures were measured on."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    libraries = ", ".join(f"{name} {version(name)}" for name in ("polars", "pandas", "numpy"))
    return (
        f"{cores} cores, {memory:.0f} GB memory, {sys.platform}, "
        f"Python {sys.version.split()[0]}, {libraries}."
    )


def table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Return a Markdown table; all columns but the first are set flush right."""
    lines = [header, ["---", *["---:"] * (len(header) - 1)], *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)
