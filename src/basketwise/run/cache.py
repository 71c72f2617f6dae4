"""Whether a stage has to run, and from where its outputs are taken if it has not."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from basketwise.progress import StageLog
from basketwise.run.record import Stage, Step, stale_reasons

FORCED = "--force"
SHOWN = 3
"""So many reasons are shown; more than that nobody reads."""


@dataclass(frozen=True)
class Cached:
    """A stage whose outputs of an earlier run are still valid."""

    folder: Path

    def __str__(self) -> str:
        return ""


@dataclass(frozen=True)
class Stale:
    """A stage that has to run, and why."""

    reasons: tuple[str, ...]

    def __str__(self) -> str:
        more = len(self.reasons) - SHOWN
        return "; ".join(self.reasons[:SHOWN]) + (f"; and {more} more" if more > 0 else "")


@dataclass(frozen=True)
class Outcome:
    """Whether a stage had to run."""

    stage: Stage
    decision: Cached | Stale

    @property
    def ran(self) -> bool:
        """Whether the stage ran."""
        return isinstance(self.decision, Stale)

    @property
    def status(self) -> Literal["cached", "ran"]:
        """In one word."""
        return "ran" if self.ran else "cached"

    @property
    def why(self) -> str:
        """What made it run; empty if it was cached."""
        return str(self.decision)

    def __str__(self) -> str:
        return f"ran: {self.why}" if self.ran else "cached"


def look_up(plan: Step, folders: Iterable[Path], *, force: bool) -> Cached | Stale:
    """Decide whether a stage has to run.

    Parameters
    ----------
    plan : Step
        The stage that is about to run.
    folders : iterable of Path
        Where its outputs may be, in order of preference; read one by one, as far as is needed.
    force : bool
        Whether it has to run anyway.

    Returns
    -------
    Cached or Stale
        The first folder with valid outputs; else what makes those of the first folder invalid.
    """
    if force:
        return Stale((FORCED,))
    stale = None
    for folder in folders:
        reasons = stale_reasons(plan, folder)
        if not reasons:
            return Cached(folder)
        stale = stale or Stale(tuple(reasons))
    return stale or Stale(("first time",))


def settle(decision: Cached | Stale, interrupted: Path, staged: Path) -> Path:
    """Return the folder that has a stage's outputs, or is to get them.

    Parameters
    ----------
    decision : Cached or Stale
        From :func:`look_up`.
    interrupted : Path
        What a run that was killed had staged; if that is valid, it is moved to ``staged``.
    staged : Path
        An empty folder.
    """
    if isinstance(decision, Stale):
        return staged
    if decision.folder != interrupted:
        return decision.folder
    staged.rmdir()
    interrupted.rename(staged)
    return staged


def report_outcome(log: StageLog, outcome: Outcome, result: str) -> None:
    """Say what a stage made, and whether it had to run for it."""
    log.finish(f"{result}; {outcome}")
