"""What every stage needs to know of the run it is part of."""

from __future__ import annotations

from dataclasses import dataclass

from basketwise.config import Config
from basketwise.platforms.protocol import Platform
from basketwise.progress import Reporter
from basketwise.run.workspace import Workspace


@dataclass(frozen=True)
class Context:
    """Where, how and by what command a run works.

    Attributes
    ----------
    command
        The command that repeats the run, for the report.
    force
        Whether stages run although their outputs still hold.
    """

    workspace: Workspace
    config: Config
    platform: Platform
    reporter: Reporter
    command: str
    force: bool = False
