"""Opens archives in another process, of 1 GiB of memory, and says what came of each.

``python -m tests.hostile.archives.opening`` reads a line of JSON for each archive, and writes one.
"""

from __future__ import annotations

import json
import os
import re
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.hostile.archives.making import Case

MEMORY = 2**30
SECONDS = 200
"""Until an archive counts as a hang, on a busy machine."""
LINES = [
    {"BASKET_ID": n, "PROD_CODE": f"PRD{n}", "SPEND": 1.5 * n, "QUANTITY": n, "SHOP_WEEK": 200617}
    for n in range(1, 6)
]


@dataclass(frozen=True)
class Outcome:
    """What came of an archive: ``refused``, ``answers``, or anything that must not be."""

    name: str
    right: bool
    """Whether that is as it should be."""
    size: int
    """Of the archive, in bytes."""
    what: str
    headline: str = ""
    seconds: float = 0
    """Of the processor, for the process and those that it started: what a quiet machine takes."""
    peak: int = 0
    """Memory of the process, or of one that it started, at its highest meanwhile, in MiB."""


class Opener:
    """One process for many archives; another one takes over if it dies."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "model.tar.gz"
        self._process = _started()

    def open_all(self, cases: Iterable[Case]) -> list[Outcome]:
        """Open archives one after the other."""
        return [self._open(case) for case in cases]

    def _open(self, case: Case) -> Outcome:
        self._path.write_bytes(case.data)
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        stdin.write(json.dumps([str(self._path), case.job]) + "\n")
        stdin.flush()
        answer = stdout.readline()
        if not answer:
            self.close()
            what = f"ended with {self._process.returncode}"
            self._process = _started()
            return Outcome(case.name, False, len(case.data), what)
        what, *rest = json.loads(answer)
        allowed = ("refused",) if case.refused else ("refused", "answers")
        return Outcome(case.name, what in allowed, len(case.data), what, *rest)

    def close(self) -> None:
        """End the process."""
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()
        self._process.wait()


@contextmanager
def opener(folder: Path) -> Iterator[Opener]:
    """Start a process that opens archives."""
    started = Opener(folder)
    try:
        yield started
    finally:
        started.close()


def _started() -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", __name__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=os.environ | {"POLARS_MAX_THREADS": "1", "OMP_NUM_THREADS": "1"},
        cwd=Path(__file__).parents[3],
    )


def main() -> None:
    """Open what standard input names."""
    import warnings

    from basketwise.errors import InputError

    warnings.simplefilter("ignore")
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
    for line in sys.stdin:
        path, job = json.loads(line)
        children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
        # Unhandled, the signal ends the process: that is a hang.
        signal.alarm(SECONDS)
        # Starts the measuring of the peak anew.
        Path("/proc/self/clear_refs").write_text("5")
        started, headline = _used(), ""
        try:
            what = _extracted(Path(path)) if job else _opened(Path(path))
        except InputError as error:
            what, headline = "refused", error.headline
        except BaseException as error:
            what, headline = type(error).__name__, str(error)[:300]
        signal.alarm(0)
        seconds = round(_used() - started, 2)
        print(json.dumps([what, headline, seconds, _peak(children)]), flush=True)  # noqa: T201


def _used() -> float:
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def _extracted(path: Path) -> str:
    from basketwise.artifact.archive import extract

    with TemporaryDirectory() as folder:
        extract(path, Path(folder), dotted=True)
    return "answers"


def _opened(path: Path) -> str:
    from basketwise.model.archive import load_model_archive

    scores = load_model_archive(path).predict(LINES)
    shares = scores.select("p_low", "p_medium", "p_high").sum_horizontal()
    right = scores.height == len(LINES) and (shares - 1).abs().max() < 1e-6
    return "answers" if right else "answers wrongly"


def _peak(children: int) -> int:
    status = Path("/proc/self/status").read_text()
    own = int(re.search(r"VmHWM:\s*(\d+) kB", status)[1])  # type: ignore[index]
    largest = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    # Known of the largest one only: one that is smaller than an earlier one is not seen.
    return max(own, largest if largest > children else 0) // 1024


if __name__ == "__main__":
    main()
