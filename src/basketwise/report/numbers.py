"""How the report writes numbers and text; every value on the page passes through here."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from typing import Any, TypeGuard

from markupsafe import Markup, escape
from pydantic import JsonValue

from basketwise.settings import flatten
from basketwise.terminal import replaced

TEXT_LIMIT = 160
"""Longest piece of data shown, in characters."""

LABEL_LIMIT = 60
"""Longest name of a slice shown, in characters."""

PROSE_LIMIT = 2_000
"""Longest sentence or command shown, in characters."""

_MOST_DIGITS = 9

GAP = "\N{NARROW NO-BREAK SPACE}"
NOT_MEASURED = Markup('<abbr class="na" title="not measured">–</abbr>')


def shown(score: float, *, threshold: float = 1.0, decimals: int = 4) -> str:
    """Round a score, but never across the threshold, nor up to a perfection that is not there.

    Examples
    --------
    >>> shown(0.99647), shown(0.99996), shown(1.0)
    ('0.9965', '0.99996', '1.0000')
    >>> shown(0.79996, threshold=0.8, decimals=3)
    '0.79996'
    """
    text = f"{score:.{decimals}f}"
    faithful = all((float(text) >= line) == (score >= line) for line in (threshold, 1.0))
    return text if faithful else shown(score, threshold=threshold, decimals=decimals + 1)


def score(value: float, sign: str = "", digits: int = 4) -> str:
    """Write four decimals, with a real minus; ``sign="+"`` shows the plus too.

    A score below 1 gets as many more as it takes not to round it up to 1, a difference as many as
    it takes not to round it to 0.
    """
    # A margin of none is -0.0 in the document.
    text = f"{value + 0.0:{sign}.{digits}f}"
    if value < 1 and float(text) == 1 and not sign:
        text = shown(value)
    if sign and value and float(text) == 0 and digits < _MOST_DIGITS:
        return score(value, sign, digits + 1)
    return text.replace("-", "−")


def percent(value: float) -> str:
    """Write a share as a percentage with at most one decimal."""
    return f"{round(value * 100, 1):g}%"


def count(value: float) -> str:
    """Write a whole number, thousands separated by a narrow no-break space.

    Examples
    --------
    >>> count(1234567).split()
    ['1', '234', '567']
    """
    return f"{value:,.0f}".replace(",", GAP).replace("-", "−")


def duration(seconds: float) -> str:
    """Write seconds with three digits, from a minute on minutes and seconds.

    Examples
    --------
    >>> duration(0.64), duration(252.4)
    ('0.64\u202fs', '4\u202fmin 12\u202fs')
    """
    if seconds < 59.95:
        return f"{seconds:.{2 if seconds < 10 else 1}f}{GAP}s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}{GAP}h {minutes}{GAP}min" if hours else f"{minutes}{GAP}min {rest}{GAP}s"


def size(number: float) -> str:
    """Write bytes in decimal units."""
    for unit in ("B", "kB", "MB", "GB"):
        if number < 999.5:
            return f"{number:.0f}{GAP}{unit}" if unit == "B" else f"{number:.3g}{GAP}{unit}"
        number /= 1000
    return f"{count(number)}{GAP}TB"


def figure(value: float) -> str:
    """Write an integer as a count, any other number as a score."""
    return count(value) if isinstance(value, int) else score(value)


def measured(value: float | None) -> TypeGuard[float]:
    """Return whether there is a finite number to show."""
    return isinstance(value, int | float) and math.isfinite(value)


def _measured(form: Callable[[float], str]) -> Callable[[float | None], str]:
    return lambda value: form(value) if measured(value) else NOT_MEASURED


def money(value: float | None, currency: str, sign: str = "") -> str:
    """Write money in whole units, with its currency if any; ``sign="+"`` shows the plus too."""
    if not measured(value):
        return NOT_MEASURED
    amount = round(value)
    return ("−" if amount < 0 else sign) + _in_currency(count(abs(amount)), currency)


def price(value: float | None, currency: str) -> str:
    """Write a price to the hundredth, with its currency if there is one."""
    return _in_currency(score(value, digits=2), currency) if measured(value) else NOT_MEASURED


def _in_currency(amount: str, currency: str) -> str:
    return f"{replaced(currency, 12)}{GAP}{amount}" if currency else amount


def position(value: float | None, low: float = 0.0, high: float = 1.0) -> str:
    """Return a value's position between two ends, as a percentage for SVG."""
    if not measured(value) or not high > low:
        return "0%"
    return f"{100 * min(max((value - low) / (high - low), 0), 1):.2f}%"


def finish(value: Any) -> Any:
    """Finish the value of any template expression on its way to the page."""
    if value is None:
        return NOT_MEASURED
    if isinstance(value, str) and not isinstance(value, Markup):
        return replaced(value, TEXT_LIMIT, lines=True)
    return value


def moment_utc(text: str) -> str:
    """Write an ISO 8601 time in UTC to the minute; anything else stays as it is."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return text
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC" if moment.tzinfo else text


def plain(value: JsonValue) -> str:
    """Write a setting for people: thousands separated, no superfluous decimals."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return f"{value:,.10g}".replace(",", GAP).replace("-", "−")
    return value if isinstance(value, str) else json.dumps(value)


@dataclass(frozen=True)
class Capped:
    """The first items of something long, and how many were left out."""

    shown: list[Any]
    more: int


def capped(items: Collection[Any], limit: int, total: int = 0) -> Capped:
    """Keep the first items; ``total`` counts if the list was already cut before."""
    shown = list(islice(items, limit))
    return Capped(shown, max(total, len(items)) - len(shown))


def flat(config: Mapping[str, JsonValue]) -> list[tuple[str, str]]:
    """List nested settings as dotted names with their JSON."""
    return [(name, json.dumps(v, ensure_ascii=False)) for name, v in flatten(config).items()]


def prose(text: str, limit: int = PROSE_LIMIT) -> Markup:
    """Escape a sentence, which may be longer than other text."""
    return escape(replaced(text, limit, lines=True))


def label(text: str) -> Markup:
    """Escape a short name; a page may contain hundreds."""
    return prose(text, LABEL_LIMIT)


_NUMBERS: Mapping[str, Callable[[float], str]] = {
    "score": score,
    "signed": partial(score, sign="+"),
    "short": partial(score, digits=2),
    "percent": percent,
    "count": count,
    "duration": duration,
    "size": size,
    "figure": figure,
}

FILTERS: Mapping[str, Callable[..., Any]] = {
    **{name: _measured(form) for name, form in _NUMBERS.items()},
    "capped": capped,
    "flat": flat,
    "label": label,
    "moment": moment_utc,
    "money": money,
    "position": position,
    "plain": plain,
    "price": price,
    "prose": prose,
}
"""By the names that the templates use."""
