"""Opens archives in another process, of 1 GiB of memory, and says what came of each.

``python -m tests.hostile.archives.opening`` reads a path per line and writes a line of JSON each.
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
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tests.hostile.archives.corpus import Case

MEMORY = 2**30
SECONDS = 40
"""Of one archive, on a busy machine."""
LINES = [
    {"BASKET_ID": n, "PROD_CODE": f"PRD{n}", "SPEND": 1.5 * n, "QUANTITY": n, "SHOP_WEEK": 200617}
    for n in range(1, 6)
]


@dataclass(frozen=True)
class Outcome:
    """What came of an archive: ``refused``, ``answers``, or anything that must not be."""

    name: str
    what: str
    headline: str
    seconds: float
    peak: int
    """Memory of the process at its highest meanwhile, in MiB."""


def open_all(cases: Iterable[Case], folder: Path) -> list[Outcome]:
    """Open archives one after the other in one process; another one takes over if it dies."""
    outcomes, process = [], _started()
    for number, case in enumerate(cases):
        path = folder / f"{number}.tar.gz"
        path.write_bytes(case.data)
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(f"{path}\n")
        process.stdin.flush()
        answer = process.stdout.readline()
        if answer:
            outcomes.append(Outcome(case.name, *json.loads(answer)))
        else:
            outcomes.append(Outcome(case.name, f"ended with {process.wait()}", "", 0, 0))
            _close(process)
            process = _started()
        path.unlink()
    _close(process)
    return outcomes


def wrong(cases: Iterable[Case], outcomes: Iterable[Outcome]) -> list[Outcome]:
    """Return what must not be."""
    return [
        outcome
        for case, outcome in zip(cases, outcomes, strict=True)
        if outcome.what not in (("refused",) if case.refused else ("refused", "answers"))
    ]


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


def _close(process: subprocess.Popen[str]) -> None:
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            stream.close()
    process.wait()


def main() -> None:
    """Open what standard input names."""
    import warnings

    from basketwise.errors import InputError
    from basketwise.model.archive import load_model_archive

    warnings.simplefilter("ignore")
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
    for line in sys.stdin:
        # Unhandled, the signal ends the process: that is a hang.
        signal.alarm(SECONDS)
        # Starts the measuring of the peak anew.
        Path("/proc/self/clear_refs").write_text("5")
        started, headline = time.perf_counter(), ""
        try:
            scores = load_model_archive(Path(line.strip())).predict(LINES)
            shares = scores.select("p_low", "p_medium", "p_high").sum_horizontal()
            right = scores.height == len(LINES) and (shares - 1).abs().max() < 1e-6
            what = "answers" if right else "answers wrongly"
        except InputError as error:
            what, headline = "refused", error.headline
        except BaseException as error:
            what, headline = type(error).__name__, str(error)[:300]
        signal.alarm(0)
        peak = _peak()
        seconds = round(time.perf_counter() - started, 2)
        print(json.dumps([what, headline, seconds, peak]), flush=True)  # noqa: T201


def _peak() -> int:
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"VmHWM:\s*(\d+) kB", status)[1]) // 1024  # type: ignore[index]


if __name__ == "__main__":
    main()
