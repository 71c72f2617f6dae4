"""The profile as one HTML page with the report's look: works offline and runs no script."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from basketwise import __version__
from basketwise.doctor import wording
from basketwise.doctor.baskets import RARE, Baskets
from basketwise.doctor.profile import Profile
from basketwise.errors import writing
from basketwise.files import write_whole
from basketwise.redaction import redacted
from basketwise.report.html import environment, style

MOST_WEEKS = 530
"""Weeks that the chart can show: ten years."""


class Bar(NamedTuple):
    """One week of the chart; a missing one has no lines."""

    week: int
    lines: int


def render_profile(profile: Profile, data: str) -> str:
    """Render the profile of ``data`` as a page, below 2 MB for data of any size."""
    made = environment("basketwise.doctor")
    functions = {
        function.__name__: function
        for function in (
            wording.amount,
            wording.duplicates_text,
            wording.gap_text,
            wording.share_text,
        )
    }
    return made.get_template("profile.html").render(
        profile=profile,
        baskets=profile.baskets,
        bars=_bars(profile.baskets) if profile.baskets else [],
        data=redacted(data),
        rare=RARE,
        code_version=__version__,
        **functions,
        **style(),
    )


def write_profile(path: Path, profile: Profile, data: str) -> None:
    """Write the page, whole or not at all; a WorkspaceError if it cannot be written."""
    page = render_profile(profile, data)
    with writing(f"{str(path)!r} cannot be written", "Give --html a file in a folder that exists."):
        write_whole(path, page.encode())


def _bars(baskets: Baskets) -> Sequence[Bar]:
    """Return the weeks in order, a long gap as one; empty if there are too many to be seen."""
    present = [Bar(week.week, week.lines) for week in baskets.weeks]
    absent = [Bar(gap.first, 0) for gap in baskets.gaps]
    bars = sorted([*present, *absent])
    return bars if len(bars) <= MOST_WEEKS else []
