"""Whether a step had to run, and from where its outputs were taken."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from basketwise.progress import StageLog
from basketwise.run.record import Stage, Step, why_again

FORCED = "--force"


@dataclass(frozen=True)
class Outcome:
    """Whether a stage had to run.

    Attributes
    ----------
    why
        What made it run; empty where its outputs were taken as they are.
    """

    stage: Stage
    why: str

    @property
    def status(self) -> Literal["cached", "ran"]:
        """In one word."""
        return "ran" if self.why else "cached"

    def __str__(self) -> str:
        return f"ran: {self.why}" if self.why else "cached"


def place(plan: Step, current: Path, left: Path, fresh: Path, *, force: bool) -> tuple[Path, str]:
    """Choose the folder that holds a stage's outputs, or is to hold them.

    Returns
    -------
    folder : Path
        The current one; or the fresh one, with what an interrupted run had finished moved in.
    why : str
        Why the stage must run; empty if it need not.
    """
    if force:
        return fresh, FORCED
    why = why_again(plan, current)
    if not why:
        return current, ""
    if left.is_dir() and not why_again(plan, left):
        fresh.rmdir()
        left.rename(fresh)
        return fresh, ""
    return fresh, why


def tell(log: StageLog, outcome: Outcome, result: str) -> None:
    """Say what a step made, and whether it had to run for it."""
    log.finish(f"{result}; {outcome}")
