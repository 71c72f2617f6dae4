"""Whether a stage has to run, and from where its outputs are taken if it has not."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from basketwise.run.record import Stage, Step, stale_reasons

FORCED = "--force"
SHOWN = 3
"""Maximum number of reasons that are shown."""


@dataclass(frozen=True)
class Cached:
    """A stage whose outputs of an earlier run are still valid."""

    folder: Path


@dataclass(frozen=True)
class Recorded:
    """A folder with the record of a stage, whose other outputs are elsewhere.

    ``digests`` returns the sha256 of each of its files, by name.
    """

    folder: Path
    digests: Callable[[], Mapping[str, str]]


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
    def why(self) -> str:
        """What made it run; empty if it was cached."""
        return str(self.decision) if self.ran else ""

    def __str__(self) -> str:
        return f"ran: {self.why}" if self.ran else "cached"


def look_up(plan: Step, folders: Iterable[Path | Recorded], *, force: bool) -> Cached | Stale:
    """Decide whether a stage has to run; with ``force`` it has.

    The folders, where its outputs may be, are read one by one in order of preference, as far as is
    needed. The first with valid outputs is taken; if there is none, the answer says what makes
    those of the first folder invalid.
    """
    if force:
        return Stale((FORCED,))
    stale = None
    for place in folders:
        folder, digests = (
            (place.folder, place.digests) if isinstance(place, Recorded) else (place, None)
        )
        reasons = stale_reasons(plan, folder, digests)
        if not reasons:
            return Cached(folder)
        stale = stale or Stale(tuple(reasons))
    return stale or Stale(("first time",))


def settle(decision: Cached | Stale, interrupted: Path, staged: Path) -> Path:
    """Return the folder that has a stage's outputs, or is to get them.

    What a run that was killed had staged is moved to ``staged``, an empty folder, if it is valid.
    """
    if isinstance(decision, Stale):
        return staged
    if decision.folder != interrupted:
        return decision.folder
    staged.rmdir()
    interrupted.rename(staged)
    return staged
