"""One run of the pipeline, and its start."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import datetime

from typing_extensions import TypedDict

from basketwise import clock
from basketwise.redaction import redacted


class Run(TypedDict):
    """One run: ``started_at`` is ISO 8601 with its zone, ``command`` repeats the run.

    ``seconds`` go from the start of the command to the writing of the report. ``data`` is where
    the raw files were, as it was typed; empty where that is not known.
    """

    run_id: str
    started_at: str
    seconds: float
    command: str
    data: str


@dataclass(frozen=True)
class StartedRun:
    """A run before its report is written; ``clock`` is ``time.perf_counter()`` at its start."""

    run_id: str
    command: str
    data: str
    started_at: datetime = field(default_factory=clock.now)
    clock: float = field(default_factory=time.perf_counter)
    commit: str | None = None
    """Of the repository that the command was started in, if that is another machine."""

    def document(self) -> Run:
        """Return what the report says of the run; to be called when the report is written."""
        return Run(
            run_id=self.run_id,
            started_at=self.started_at.isoformat(timespec="seconds"),
            seconds=time.perf_counter() - self.clock,
            command=redacted(self.command),
            data=redacted(self.data),
        )
