"""How a profile is worded, on a terminal and on its page."""

from __future__ import annotations

from basketwise.doctor.baskets import Gap
from basketwise.doctor.columns import ColumnProfile
from basketwise.doctor.profile import Duplicates
from basketwise.progress import counted
from basketwise.schema import SHOP_DATE, SHOP_WEEK


def share_text(share: float) -> str:
    """Write a share as a percentage; what is not nothing, or not all, is not rounded to it.

    Examples
    --------
    >>> share_text(0.25), share_text(0.00001), share_text(0.99999)
    ('25%', '<0.1%', '>99.9%')
    """
    if 0 < share < 0.0005:
        return "<0.1%"
    if 0.9995 <= share < 1:
        return ">99.9%"
    return f"{round(share * 100, 1):g}%"


def gap_text(gap: Gap) -> str:
    """Name the weeks of a gap.

    Examples
    --------
    >>> gap_text(Gap(200609, 200612, 4)), gap_text(Gap(200609, 200609, 1))
    ('200609 to 200612 (4 weeks)', '200609')
    """
    if gap.weeks == 1:
        return str(gap.first)
    return f"{gap.first} to {gap.last} ({counted(gap.weeks, 'week')})"


def duplicates_text(duplicates: Duplicates) -> str:
    """Say what happens to lines that repeat another.

    Examples
    --------
    >>> duplicates_text(Duplicates("reject", 1, 0))
    '1 line that repeats another is rejected (etl.duplicates: reject)'
    """
    if duplicates.policy == "reject":
        return _repeating(duplicates.rejected, "rejected") + " (etl.duplicates: reject)"
    text = _repeating(duplicates.kept, "kept")
    if duplicates.rejected:
        text += f", {duplicates.rejected:,} rejected"
    return f"{text} (etl.duplicates: {duplicates.policy})"


def _repeating(number: int, outcome: str) -> str:
    if not number:
        return "no line repeats another"
    verbs = ("repeats", "is") if number == 1 else ("repeat", "are")
    return f"{counted(number, 'line')} that {verbs[0]} another {verbs[1]} {outcome}"


def amount(column: ColumnProfile, value: float | str) -> str:
    """Write a minimum or maximum."""
    if isinstance(value, str) or column.name in (SHOP_WEEK, SHOP_DATE):
        return str(value)
    return f"{value:,.10g}"
