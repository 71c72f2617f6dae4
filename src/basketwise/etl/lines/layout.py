"""What the settings leave open is settled by a first look: decimal mark and format of dates.

The first lines of some files mostly tell; only where they can be read in two ways are the files
read on, until a value decides. So ``03/04/2025`` is never taken for what is usual somewhere: either
another date of the data shows which it is, or the setting has to.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, TypeVar

import polars as pl

from basketwise.config import DataConfig
from basketwise.digests import Fingerprint, fingerprint
from basketwise.errors import InputError
from basketwise.etl.lines.date_formats import (
    agree,
    first_misfit,
    fitting_formats,
    readable,
    tried_formats,
)
from basketwise.etl.lines.missing import without_missing
from basketwise.etl.lines.numbers import Mark, decimal_mark, undecided
from basketwise.etl.lines.rules import Rules
from basketwise.etl.raw.header import standard_names
from basketwise.etl.raw.raw_frame import RawFrame
from basketwise.etl.raw.reading import read_raw
from basketwise.etl.raw.sources import Source
from basketwise.schema import AMOUNTS, SHOP_DATE, SHOP_WEEK

Table = TypeVar("Table")

FIRST_BYTES = 2**16
"""Of a table's text, so much is looked at first: some 450 of dunnhumby's lines."""

LINE_BYTES = 2**7
"""Of a line as text, about."""

FIRST_TABLES = 8
"""So many tables are looked at first, evenly spaced over all of them."""

LONGEST_DATE = 40
"""So many characters of a date are shown."""


def settle_frame(frame: pl.DataFrame, rules: Rules) -> Rules:
    """Settle what the rules leave open by the values of one table; see :func:`settle_sources`."""
    return _settled(rules, _Evidence(rules).look(frame))


def settle_sources(sources: Sequence[Source], rules: Rules, data: DataConfig) -> Rules:
    """Settle what the rules leave open by a look at the raw tables.

    The last answer is kept: a run asks once to check the split, and once to read. It is given again
    while no file has been written to or replaced.

    Parameters
    ----------
    sources : sequence of Source
        The raw tables.
    rules : Rules
        As the settings, or a model, give them. A format of dates that does not fit is not kept.
    data : DataConfig
        Encoding and column names.

    Returns
    -------
    Rules
        With decimal mark and format of dates, as far as text values need them.

    Raises
    ------
    InputError
        If a table cannot be read; if weeks are to follow from dates that can be read in two ways,
        or in none.
    """
    asked = _Asked.of(sources, rules, data)
    for known, settled in _settled_last:
        if asked is not None and asked == known:
            return settled
    first = glimpses(sources, data, labelled=rules.labelled)
    settled = settle_frames(first, whole(sources, data, labelled=rules.labelled), rules)
    if asked is not None:
        _settled_last[:] = [(asked, settled)]
    return settled


class _Asked(NamedTuple):
    """What an answer on raw tables rests on."""

    files: list[tuple[Source, Fingerprint]]
    rules: Rules
    data: DataConfig

    @classmethod
    def of(cls, sources: Sequence[Source], rules: Rules, data: DataConfig) -> _Asked | None:
        """Return it as it is now; None if a file cannot be reached, which its reader explains."""
        try:
            files = [(source, fingerprint(source.path)) for source in sources]
        except OSError:
            return None
        return cls(files, rules, data)


_settled_last: list[tuple[_Asked, Rules]] = []


def settle_frames(first: Iterable[RawFrame], more: Iterable[RawFrame], rules: Rules) -> Rules:
    """Settle what the rules leave open by frames of which one is read after the other.

    All of ``first`` are looked at; of ``more``, none is read once nothing is open. Errors are those
    of :func:`settle_sources`.
    """
    evidence = _Evidence(rules)
    for raw in first:
        evidence.look(raw.frame)
        if raw.decimal_comma:
            evidence.semicolons = True
    if evidence.open:
        for raw in more:
            if not evidence.look(raw.frame).open:
                break
    return _settled(rules, evidence)


def glimpses(
    sources: Sequence[Source],
    data: DataConfig,
    *,
    labelled: bool = True,
    block: int | None = None,
) -> Iterator[RawFrame]:
    """Read the first lines of some tables, about ``block`` bytes of each (64 KiB by default)."""
    block = block or FIRST_BYTES
    rows = max(block // LINE_BYTES, 1)
    for source in spaced(sources):
        yield from _first(read_raw(source, data, labelled=labelled, block=block, first_rows=rows))


def spaced(sources: Sequence[Table]) -> Sequence[Table]:
    """Return the tables that are looked at first."""
    return sources[:: max(1, -(-len(sources) // FIRST_TABLES))]


def whole(
    sources: Sequence[Source],
    data: DataConfig,
    *,
    labelled: bool = True,
    own_names: bool = False,
) -> Iterator[RawFrame]:
    """Read all tables, frame by frame."""
    for source in sources:
        yield from read_raw(source, data, labelled=labelled, own_names=own_names)


def _first(frames: Iterable[RawFrame]) -> Iterator[RawFrame]:
    for raw in frames:
        yield raw
        return


class _Evidence:
    """What the values seen so far say about decimal mark and dates."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.marks: set[Mark] = set()
        self.numbers = self.ambiguous = self.semicolons = False
        self.dated = self.with_weeks = False
        self.formats = tried_formats(rules.date_format)
        self.mixed: tuple[str, str] | None = None
        """Two dates that no one format fits."""
        self._dates = pl.Series(SHOP_DATE, [], dtype=pl.String)
        self._garbled = ""

    def look(self, frame: pl.DataFrame) -> _Evidence:
        """Take the values of some lines into account."""
        names = standard_names(frame.columns, self.rules.columns)
        given = {ours: frame[own] for own, ours in zip(frame.columns, names, strict=True)}
        self.with_weeks |= SHOP_WEEK in given
        if not self.rules.decimal:
            for name in AMOUNTS:
                if name in given and given[name].dtype == pl.String:
                    self._look_at_numbers(given[name])
        if SHOP_DATE in given and given[SHOP_DATE].dtype == pl.String:
            self._look_at_dates(given[SHOP_DATE])
        return self

    @property
    def open(self) -> bool:
        """Whether more values could decide something."""
        mark = self.ambiguous and not self.marks
        dates = self.dated and not self.with_weeks and not self.mixed
        return mark or (dates and not self._agreed)

    @property
    def mark(self) -> Mark:
        """The decimal mark; empty where values do not tell, or do not need it."""
        if len(self.marks) == 1:
            return next(iter(self.marks))
        if self.marks or not self.numbers:
            return ""
        return self.rules.usual_decimal or ("," if self.semicolons and self.ambiguous else "")

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

    @property
    def _agreed(self) -> bool:
        return self.readable and bool(self.formats) and agree(self._dates, self.formats)

    def _look_at_numbers(self, text: pl.Series) -> None:
        values = text.unique()
        self.numbers = True
        mark = decimal_mark(values)
        if mark:
            self.marks.add(mark)
        self.ambiguous |= undecided(values)

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
        # Few are enough to tell formats apart; the day of the month is what counts.
        self._dates = seen.head(1_000)
        if fitting:
            self.formats = fitting
        elif self.rules.date_format and len(readable(seen, (self.rules.date_format,))):
            self.formats = (self.rules.date_format,)
        elif not self.mixed:
            self.formats = ()
            self.mixed = str(seen[0]), str(seen[first_misfit(seen, tried)])


def _settled(rules: Rules, evidence: _Evidence) -> Rules:
    date_format = evidence.date_format if evidence.dated else rules.date_format
    if evidence.mixed or (evidence.dated and not date_format and not evidence.with_weeks):
        raise _no_format(evidence)
    settled = {"decimal": rules.decimal or evidence.mark, "date_format": date_format}
    return rules.model_copy(update=settled) if evidence.dated or evidence.mark else rules


def _no_format(evidence: _Evidence) -> InputError:
    own = evidence.rules.columns.get(SHOP_DATE, SHOP_DATE)
    if evidence.mixed:
        first, second = (date[:LONGEST_DATE] for date in evidence.mixed)
        return InputError(
            f"The dates in {own}, such as {first!r} and {second!r}, are written in several "
            "formats, where one is needed.",
            "Write them alike in all files; with data.date_format, lines of another format are "
            "rejected.",
        )
    if evidence.readable and len(evidence.formats) > 1:
        first, second = evidence.formats[:2]
        return InputError(
            f"The dates in {own}, such as {evidence.date!r}, can be read as {first} and as "
            f"{second}.",
            f'Set data.date_format, for example to "{first}", or write the dates as YYYY-MM-DD.',
        )
    return InputError(
        f"The dates in {own}, such as {evidence.date!r}, have no format that is known.",
        "Set data.date_format in the notation of strptime, write the dates as YYYY-MM-DD, or "
        "deliver SHOP_WEEK (YYYYWW).",
    )
