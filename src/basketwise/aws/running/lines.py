"""Lines of a job's log and its states, as the progress of this command."""

from __future__ import annotations

import re
from collections.abc import Callable

from basketwise.progress import Tick

PROGRESS = re.compile(r"(?P<what>[^0-9]+) (?P<done>[1-9][0-9]*)/(?P<total>[1-9][0-9]*)")
"""Progress in a container's log, see :func:`basketwise.aws.container.layout.ticker`."""

PHASES = {"Starting": 1, "Downloading": 2, "Training": 3, "Uploading": 4, "Completed": 5}
"""The states of a job in their order; a processing job shows only the first and the last."""


def relay(job: str, tick: Tick, report: Callable[[str], None]) -> Callable[[str], None]:
    """Return what takes the lines that a job is followed by: progress is ticked, others reported.

    Examples
    --------
    >>> take = relay("etl-run-7", lambda *progress: print(progress), print)
    >>> take("reading 3/4")
    ('reading', 3, 4)
    >>> take("etl-run-7: Completed")
    ('job: Completed', 5, 5)
    etl-run-7: Completed
    """

    def take(line: str) -> None:
        if progress := PROGRESS.fullmatch(line):
            tick(progress["what"], int(progress["done"]), int(progress["total"]))
            return
        phase = line.removeprefix(f"{job}: ")
        if phase != line:
            tick(f"job: {phase}", PHASES.get(phase, 1), len(PHASES))
        report(line)

    return take
