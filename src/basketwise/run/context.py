"""What every stage needs to know of the run it is part of."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from basketwise import clock
from basketwise.config import Config
from basketwise.platforms.protocol import Platform
from basketwise.progress import Reporter
from basketwise.report.types.run import StartedRun
from basketwise.run.workspace import Workspace


@dataclass(frozen=True)
class Context:
    """Where, how and by what command a run works; made when the command starts."""

    workspace: Workspace
    config: Config
    platform: Platform
    reporter: Reporter
    command: str
    """Repeats the run; for the report."""
    force: bool = False
    """Whether stages run although their outputs are still valid."""
    source: str = ""
    """What documents call the data; empty: by their path."""
    tables: Callable[[Path, Path], None] | None = None
    """Writes what is in these folders, silver and gold, as tables as well."""
    started_at: datetime = field(default_factory=clock.now)
    clock: float = field(default_factory=time.perf_counter)

    @property
    def seconds(self) -> float:
        """Seconds since the command started."""
        return time.perf_counter() - self.clock

    def new_run(self) -> str:
        """Name a run after the time the command started."""
        return self.workspace.new_run(self.started_at)

    def started_run(self, run_id: str, data: str) -> StartedRun:
        """Return what the report says of this run."""
        return StartedRun(run_id, self.command, data, self.started_at, self.clock)
