"""What the values seen so far say about decimal mark and format of dates."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import polars as pl

from basketwise.etl.lines.date_formats import (
    agree,
    first_misfit,
    fitting_formats,
    one_of_each_order,
    one_of_each_reading,
    parse_dates,
    readable,
    tried_formats,
    written_dates,
)
from basketwise.etl.lines.missing import without_missing
from basketwise.etl.lines.numbers import BOTH, Mark, decimal_mark, undecided
from basketwise.etl.lines.rules import Rules
from basketwise.etl.lines.stored_types import as_looked_at
from basketwise.etl.raw.header import standard_names
from basketwise.etl.raw.raw_frame import RawFrame
from basketwise.schema import AMOUNTS, SHOP_DATE, SHOP_WEEK

FEW_DATES = 1_000
"""Dates that are kept as they are; of more, one of each kind."""

_LOOKED_AT = frozenset({*AMOUNTS, SHOP_DATE})

LONGEST_DATE = 40
"""So many characters of a date are shown."""


@dataclass
class _Numbers:
    """What the values of one column say."""

    marks: set[str] = field(default_factory=set)
    ambiguous: bool = False


class Evidence:
    """What the values seen so far say about decimal mark and dates."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.numbers: dict[str, _Numbers] = {}
        self.semicolons = False
        self.dated = self.with_weeks = False
        self.formats = tried_formats(rules.date_format)
        self.mixed: tuple[str, str] | None = None
        """Two dates that no one format fits."""
        self._dates = pl.Series(SHOP_DATE, [], dtype=pl.String)
        self._garbled = ""

    def look(self, frame: pl.DataFrame) -> Evidence:
        """Take the values of some lines into account."""
        names = standard_names(frame.columns, self.rules.columns)
        given = {
            ours: as_looked_at(frame[own]) if ours in _LOOKED_AT else frame[own]
            for own, ours in zip(frame.columns, names, strict=True)
        }
        self.with_weeks |= SHOP_WEEK in given
        if not self.rules.decimal:
            for name in AMOUNTS:
                if name in given and given[name].dtype == pl.String:
                    self._look_at_numbers(name, given[name])
        if SHOP_DATE in given and (dates := written_dates(given[SHOP_DATE])) is not None:
            self._look_at_dates(dates)
        return self

    def look_at_all(self, frames: Iterable[RawFrame]) -> Evidence:
        """Take the first lines of tables into account, all of them."""
        for raw in frames:
            self.look(raw.frame)
            self.semicolons |= raw.decimal_comma
        return self

    def read_on(self, frames: Iterable[RawFrame]) -> Evidence:
        """Take further lines into account; none is read once nothing is open."""
        if self.open:
            for raw in frames:
                if not self.look(raw.frame).open:
                    break
        return self

    @property
    def open(self) -> bool:
        """Whether more values could decide something."""
        return self.open_dates or (bool(self.numbers) and not self.marks)

    @property
    def open_dates(self) -> bool:
        """Whether more values could tell the format of dates."""
        if self.mixed:
            return False
        if not self.readable:
            return self.dated and not self.with_weeks
        # Dates that agree so far may be of one day, and later ones not: 01/01/2025 tells nothing.
        return len(one_of_each_order(self.formats)) > 1

    @property
    def mark(self) -> Mark:
        """The decimal mark; empty where values do not tell, or do not need it."""
        if told := _one(self.marks):
            return told
        if not self.numbers:
            return ""
        return self.rules.usual_decimal or ("," if self.semicolons and self.ambiguous else "")

    @property
    def by_column(self) -> dict[str, Mark]:
        """The decimal mark by column; where that of one is not told, another's is no evidence."""
        if self.mark != BOTH:
            return dict.fromkeys(self.numbers, self.mark)
        return {
            name: _one(own.marks) or (BOTH if own.ambiguous else "")
            for name, own in self.numbers.items()
        }

    @property
    def marks(self) -> set[str]:
        """The decimal marks that some value has for sure."""
        return set().union(*(own.marks for own in self.numbers.values()))

    @property
    def ambiguous(self) -> bool:
        """Whether some number can be read in two ways."""
        return any(own.ambiguous for own in self.numbers.values())

    @property
    def date_format(self) -> str:
        """The format that all dates fit, if it is one alone."""
        return self.formats[0] if self.dated and self._agreed else ""

    @property
    def readable(self) -> bool:
        """Whether some date has a format that is known."""
        return not self._dates.is_empty()

    @property
    def date(self) -> str:
        """A date that shows why there is no one format."""
        return str(self._dates[0] if self.readable else self._garbled)[:LONGEST_DATE]

    def two_dates(self, first: str, second: str) -> str:
        """Return a date that is another one in each of two formats."""
        apart = parse_dates(self._dates, first) != parse_dates(self._dates, second)
        return str(self._dates.filter(apart)[0])[:LONGEST_DATE]

    @property
    def _agreed(self) -> bool:
        return self.readable and bool(self.formats) and agree(self._dates, self.formats)

    def _look_at_numbers(self, name: str, text: pl.Series) -> None:
        values = text.unique()
        own = self.numbers.setdefault(name, _Numbers())
        own.marks.update(decimal_mark(values))
        own.ambiguous |= undecided(values)

    def _look_at_dates(self, text: pl.Series) -> None:
        values = without_missing(text, self.rules.missing).drop_nulls().unique(maintain_order=True)
        if values.is_empty():
            return
        self.dated = True
        tried = tried_formats(self.rules.date_format)
        dates = readable(values, tried)
        if dates.is_empty():
            # Lines with what is no date are rejected; the others still have one format.
            self._garbled = self._garbled or str(values[0])
            return
        fitting = fitting_formats(dates, self.formats)
        if self.rules.date_format and self.rules.date_format in fitting:
            fitting = (self.rules.date_format,)
        seen = pl.concat([self._dates, dates]).unique(maintain_order=True)
        # Few are enough to tell formats apart, if all kinds are among them.
        self._dates = seen if len(seen) <= FEW_DATES else one_of_each_reading(seen, tried)
        if fitting:
            self.formats = fitting
        elif self.rules.date_format and len(readable(seen, (self.rules.date_format,))):
            self.formats = (self.rules.date_format,)
        elif not self.mixed:
            self.formats = ()
            self.mixed = str(seen[0]), str(seen[first_misfit(seen, tried)])


def _one(marks: set[str]) -> Mark:
    """Return the decimal mark of values that have some; both, if they have both."""
    if "," in marks:
        return BOTH if "." in marks else ","
    return "." if marks else ""
