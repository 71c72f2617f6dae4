"""What the settings leave open is settled by a first look: decimal mark and format of dates.

The first lines of some files mostly tell; only where they can be read in two ways, or no amount has
decimals, are the files read on, until a value decides. So ``03/04/2025`` is never taken for what is
usual somewhere: either another date of the data shows which it is, or the setting has to.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from operator import attrgetter
from typing import NamedTuple, TypeVar

import polars as pl

from basketwise.config import DataConfig
from basketwise.digests import Fingerprint, fingerprint
from basketwise.errors import InputError
from basketwise.etl.lines.date_formats import one_of_each_order
from basketwise.etl.lines.evidence import LONGEST_DATE, Evidence
from basketwise.etl.lines.numbers import BOTH, Mark
from basketwise.etl.lines.rules import Rules
from basketwise.etl.raw.commas import commas_possible
from basketwise.etl.raw.raw_frame import RawFrame
from basketwise.etl.raw.reading import read_raw
from basketwise.etl.raw.sources import Source
from basketwise.schema import SHOP_DATE

Table = TypeVar("Table")

FIRST_BYTES = 2**16
"""Of a table's text, so much is looked at first: some 450 of dunnhumby's lines."""

LINE_BYTES = 2**7
"""Of a line as text, about."""

FIRST_TABLES = 8
"""So many tables of each kind are looked at first, evenly spaced over all of them."""

KIND = attrgetter("kind")
"""Of a raw table."""


def settle_frame(frame: pl.DataFrame, rules: Rules) -> Rules:
    """Settle what the rules leave open by the values of one table; see :func:`settle_sources`."""
    evidence = Evidence(rules).look(frame)
    settled = _settled(rules, evidence)
    if evidence.mark != BOTH:
        return settled
    return settled.model_copy(update={"decimal_by_column": evidence.by_column})


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
        If a table cannot be read; if dates can be read in two ways; if weeks are to follow from
        dates that can be read in none.
    """
    asked = _Asked.of(sources, rules, data)
    for known, settled in _settled_last:
        if asked is not None and asked == known:
            return settled
    evidence = Evidence(rules)
    looks = Looks(
        first=glimpses(sources, data, labelled=rules.labelled),
        others=beginnings(unglimpsed(sources, KIND), data, labelled=rules.labelled),
        more=whole(_telling(sources, data, evidence), data, labelled=rules.labelled),
        tables=_named(sources, data, labelled=rules.labelled),
    )
    settled = settle_looks(evidence, looks)
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


class Looks(NamedTuple):
    """What can be looked at, the shortest first; none is read before it is iterated over.

    Attributes
    ----------
    first, others
        The beginnings of some tables, and of all others.
    more
        All lines of the tables that may decide what is open.
    tables
        All lines of all tables, with the table's name.
    """

    first: Iterable[RawFrame]
    others: Iterable[RawFrame]
    more: Iterable[RawFrame]
    tables: Iterable[tuple[str, RawFrame]]


def settle_looks(evidence: Evidence, looks: Looks) -> Rules:
    """Settle what the rules leave open by as few looks as decide it.

    Beginnings of some tables mostly do. Where there are decimal commas, other tables may have
    points: the beginnings of all are looked at, and where marks differ, each table has its own.
    Errors are those of :func:`settle_sources`.
    """
    evidence.look_at_all(looks.first).read_on(looks.more)
    if "," in evidence.marks:
        evidence.look_at_all(looks.others)
    settled = _settled(evidence.rules, evidence)
    if evidence.mark != BOTH:
        return settled
    return settled.model_copy(update={"decimal_by_table": _marks(evidence.rules, looks.tables)})


def _marks(rules: Rules, tables: Iterable[tuple[str, RawFrame]]) -> dict[str, dict[str, Mark]]:
    own: dict[str, Evidence] = {}
    for name, raw in tables:
        own.setdefault(name, Evidence(rules)).look_at_all([raw])
    return {name: evidence.by_column for name, evidence in own.items()}


def _telling(sources: Sequence[Source], data: DataConfig, evidence: Evidence) -> Iterator[Source]:
    """Give the tables that may decide what is open.

    Where all amounts so far are whole, a value with a comma alone would change how others are read.
    """
    whole_amounts = not (evidence.open_dates or evidence.ambiguous or evidence.semicolons)
    # Where commas are usual, a point alone would change it as well.
    usual_point = evidence.rules.usual_decimal != ","
    for source in sources:
        if not (whole_amounts and usual_point) or commas_possible(source, data):
            yield source


def glimpses(
    sources: Sequence[Source],
    data: DataConfig,
    *,
    labelled: bool = True,
    block: int | None = None,
) -> Iterator[RawFrame]:
    """Read the first lines of some tables; see :func:`beginnings`."""
    return beginnings(spaced(sources, KIND), data, labelled=labelled, block=block)


def beginnings(
    sources: Iterable[Source],
    data: DataConfig,
    *,
    labelled: bool = True,
    block: int | None = None,
) -> Iterator[RawFrame]:
    """Read the first lines of tables, about ``block`` bytes of each (64 KiB by default)."""
    block = block or FIRST_BYTES
    rows = max(block // LINE_BYTES, 1)
    for source in sources:
        yield from _first(read_raw(source, data, labelled=labelled, block=block, first_rows=rows))


def spaced(tables: Sequence[Table], kind: Callable[[Table], object]) -> Sequence[Table]:
    """Return the tables that are looked at first: some of each kind.

    Files of one kind say nothing of how others are written, such as dates that are typed in one.
    """
    of_kind: dict[object, list[Table]] = {}
    for table in tables:
        of_kind.setdefault(kind(table), []).append(table)
    looked = [own[:: max(1, -(-len(own) // FIRST_TABLES))] for own in of_kind.values()]
    return [table for some in looked for table in some]


def unglimpsed(tables: Sequence[Table], kind: Callable[[Table], object]) -> list[Table]:
    """Return the tables that are not looked at first."""
    first = spaced(tables, kind)
    return [table for table in tables if table not in first]


def whole(
    sources: Iterable[Source],
    data: DataConfig,
    *,
    labelled: bool = True,
    own_names: bool = False,
) -> Iterator[RawFrame]:
    """Read all tables, frame by frame."""
    for source in sources:
        yield from read_raw(source, data, labelled=labelled, own_names=own_names)


def _named(
    sources: Iterable[Source], data: DataConfig, *, labelled: bool
) -> Iterator[tuple[str, RawFrame]]:
    for source in sources:
        for raw in whole([source], data, labelled=labelled):
            yield source.name, raw


def _first(frames: Iterable[RawFrame]) -> Iterator[RawFrame]:
    for raw in frames:
        yield raw
        return


def _settled(rules: Rules, evidence: Evidence) -> Rules:
    date_format = evidence.date_format if evidence.dated else rules.date_format
    # Dates of no known format are none, which may be on lines that have weeks.
    needed = evidence.readable or not evidence.with_weeks
    if evidence.mixed or (evidence.dated and not date_format and needed):
        raise _no_format(evidence)
    settled = {"decimal": rules.decimal or evidence.mark, "date_format": date_format}
    return rules.model_copy(update=settled) if evidence.dated or evidence.mark else rules


def _no_format(evidence: Evidence) -> InputError:
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
        first, second = one_of_each_order(evidence.formats)[:2]
        date = evidence.two_dates(first, second)
        return InputError(
            f"The dates in {own}, such as {date!r}, can be read as {first} and as {second}.",
            f'Set data.date_format, for example to "{first}", or write the dates as YYYY-MM-DD.',
        )
    return InputError(
        f"The dates in {own}, such as {evidence.date!r}, have no format that is known.",
        "Set data.date_format in the notation of strptime, write the dates as YYYY-MM-DD, or "
        "deliver SHOP_WEEK (YYYYWW).",
    )
