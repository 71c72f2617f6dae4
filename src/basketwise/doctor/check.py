"""What a check says of one thing that a run needs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from basketwise.disk import unreachable
from basketwise.errors import BasketwiseError

if TYPE_CHECKING:
    from basketwise.doctor.profile import Profile

State = Literal["ok", "warning", "failed"]


@dataclass(frozen=True)
class Check:
    """One result."""

    name: str
    state: State
    text: str
    fix: str = ""
    """What to do about it; empty if nothing need be done."""
    exit_code: int = 2
    """What a command ends with if this has failed."""
    profile: Profile | None = field(default=None, compare=False)
    """Of the data that was checked; None for all other checks, and where it cannot be used."""


def failure(name: str, error: BasketwiseError) -> Check:
    """Return an error as a failed check."""
    return Check(name, "failed", error.headline, error.hint, error.exit_code)


def guarded(
    name: str,
    check: Callable[[], Check],
    on_error: Callable[[str, BasketwiseError], Check] = failure,
) -> Check:
    """Make a check; an error is its result."""
    try:
        return check()
    except BasketwiseError as error:
        return on_error(name, error)
    except OSError as error:
        refused = unreachable(error)
        if refused is None:
            raise
        return on_error(name, refused)
