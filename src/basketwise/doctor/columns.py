"""What the columns of the data contain: missing and distinct values, extremes, examples.

Frames of any number of files are added one after the other; what is stored of a column does not
grow with them.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from basketwise.etl.lines.cleaned import Cleaned
from basketwise.etl.lines.cleaning import NO_WEEK
from basketwise.etl.lines.missing import is_given
from basketwise.etl.lines.rules import Rules
from basketwise.etl.lines.stored_types import decoded
from basketwise.etl.raw.raw_frame import RawFrame
from basketwise.schema import (
    BASKET_ID,
    COLUMNS,
    LABEL,
    PROD_NAME,
    READ_COLUMNS,
    SHOP_DATE,
    SHOP_HOUR,
    SHOP_WEEK,
    SHOP_WEEKDAY,
    SPEND,
    Column,
    Kind,
)

EXAMPLES = 3

SKETCH = 2**17
"""Distinct values of a column up to which they are counted exactly; more are estimated, with a
standard error of 0.3%."""

PROFILED = (*COLUMNS, *(column for column in READ_COLUMNS if column.name == PROD_NAME))
"""The columns of a line, and the name of its product."""

_AS_WRITTEN = (LABEL, PROD_NAME)
"""Columns whose values count as they are delivered."""

_TYPES = {
    SHOP_WEEK: "week",
    SHOP_DATE: "date",
    SHOP_WEEKDAY: "weekday",
    SHOP_HOUR: "hour",
}
_UNITS = {SHOP_WEEK: "YYYYWW", SHOP_WEEKDAY: "1 is Sunday", SHOP_HOUR: "hour of the day"}

Position = tuple[int, int, int]
"""Where a value is: number of the table, of the frame in the table, of the value in the frame."""


@dataclass(frozen=True)
class ColumnProfile:
    """One column of the data.

    Attributes
    ----------
    name
        Its standard name.
    own
        Its name in the files; several where they differ; empty if no file has it.
    derived
        Whether its values follow from other columns, at least in some files.
    type, stored
        What its values are, and the types in which the files store them.
    missing, missing_share
        Records without a value, files without the column included.
    distinct, distinct_exact
        Different values, and whether that is a count or an estimate.
    minimum, maximum
        Of numbers, dates (YYYY-MM-DD) and weeks (YYYYWW); None for text.
    unit
        Unit of the two; empty if there is none.
    examples
        The first different values as they were delivered, three at most.
    """

    name: str
    own: tuple[str, ...]
    derived: bool
    type: str
    stored: tuple[str, ...]
    missing: int
    missing_share: float
    distinct: int
    distinct_exact: bool
    minimum: float | str | None
    maximum: float | str | None
    unit: str
    examples: tuple[str, ...]


class DistinctCount:
    """Counts different values: exactly up to ``size``, then by the smallest of their hashes."""

    def __init__(self, size: int = SKETCH) -> None:
        self.size = size
        self.exact = True
        self._hashes = np.empty(0, np.uint64)

    def add(self, values: pl.Series) -> None:
        """Add some values, each as text."""
        hashes = values.unique().cast(pl.String).hash(seed=0).to_numpy()
        merged = np.unique(np.concatenate([self._hashes, hashes]))
        self.exact &= len(merged) <= self.size
        self._hashes = merged[: self.size]

    @property
    def value(self) -> int:
        """How many different values there are, or are estimated to be.

        The estimate is that of K minimum values (Bar-Yossef et al., 2002): of hashes that are
        spread evenly, the K-th smallest is at about K / n of their range.
        """
        if self.exact:
            return len(self._hashes)
        return round((self.size - 1) / (float(self._hashes[-1]) / 2**64))


@dataclass
class _Tally:
    """What has been seen of one column."""

    given: int = 0
    derived: bool = False
    whole: bool = True
    stored: set[str] = field(default_factory=set)
    distinct: DistinctCount = field(default_factory=DistinctCount)
    extremes: list[float] = field(default_factory=list)
    examples: list[tuple[Position, str]] = field(default_factory=list)

    def show(self, examples: list[tuple[Position, str]]) -> None:
        """Store the first different values of all; in which order files are read has no effect."""
        first: dict[str, Position] = {}
        for position, value in sorted([*self.examples, *examples]):
            first.setdefault(value, position)
        self.examples = [(position, value) for value, position in first.items()][:EXAMPLES]


class ColumnTallies:
    """Counts values by column; :meth:`add` may be called from several threads.

    Parameters
    ----------
    rules : Rules
        How lines are read.
    """

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.records = 0
        self._tallies: dict[str, _Tally] = {}
        self._lock = threading.Lock()

    def add(self, position: tuple[int, int], raw: RawFrame, cleaned: Cleaned) -> None:
        """Add one frame: its values as delivered, and its lines as they were typed."""
        # Records that could not be parsed come last, and have no values.
        readable = cleaned.rejected.height - raw.malformed.height
        rejected = cleaned.rejected.head(readable)
        seen = [
            (column.name, _seen(column, position, raw.frame, cleaned.lines, rejected, self.rules))
            for column in PROFILED
        ]
        with self._lock:
            self.records += raw.frame.height
            for name, observed in seen:
                if observed is not None:
                    self._merge(self._tallies.setdefault(name, _Tally()), observed)

    def _merge(self, tally: _Tally, observed: _Observed) -> None:
        tally.given += observed.given
        tally.derived |= observed.derived
        tally.whole &= observed.whole
        if observed.stored:
            tally.stored.add(observed.stored)
        tally.distinct.add(observed.values)
        ends = [*tally.extremes, *observed.extremes]
        tally.extremes = [min(ends), max(ends)] if ends else []
        tally.show(observed.examples)

    def profiles(
        self, own: Mapping[str, tuple[str, ...]], currency: str
    ) -> Iterator[ColumnProfile]:
        """Yield the columns in the schema's order; ``own`` are their names in the files."""
        for column in PROFILED:
            tally = self._tallies.get(column.name)
            if tally is None:
                continue
            missing = self.records - tally.given
            least, most = tally.extremes or (None, None)
            yield ColumnProfile(
                name=column.name,
                own=own.get(column.name, ()),
                derived=tally.derived,
                type=_type(column, whole=tally.whole, date_format=self.rules.date_format),
                stored=tuple(sorted(tally.stored)),
                missing=missing,
                missing_share=missing / self.records if self.records else 0.0,
                distinct=tally.distinct.value,
                distinct_exact=tally.distinct.exact,
                minimum=_shown(column, least, whole=tally.whole),
                maximum=_shown(column, most, whole=tally.whole),
                unit=currency if column.name == SPEND else _UNITS.get(column.name, ""),
                examples=tuple(value for _, value in tally.examples),
            )


@dataclass(frozen=True)
class _Observed:
    """What one frame says of a column; ``values`` are its different values, nulls left out."""

    given: int
    derived: bool
    whole: bool
    stored: str
    values: pl.Series
    extremes: list[float]
    examples: list[tuple[Position, str]]


def _seen(
    column: Column,
    position: tuple[int, int],
    raw: pl.DataFrame,
    lines: pl.DataFrame,
    rejected: pl.DataFrame,
    rules: Rules,
) -> _Observed | None:
    """Look at one column; None if it is absent, and follows from no other."""
    name = column.name
    delivered = decoded(raw[name]) if name in raw.columns else None
    if name == PROD_NAME:
        # Names are no column of a clean line.
        typed = pl.Series(name, [], dtype=pl.String) if delivered is None else delivered
    else:
        typed = pl.concat([_typed(lines, column), _typed(rejected, column)])
    if delivered is None and (typed.is_null().all() or typed.is_empty()):
        return None
    number = len(typed) - typed.null_count()
    if delivered is not None and (number < len(delivered) or name in _AS_WRITTEN):
        stated = delivered.filter(is_given(delivered, rules.missing))
        number = len(stated)
    elif delivered is not None:
        stated = delivered
    else:
        stated = typed.drop_nulls()
    shown = stated.head(1_000).unique(maintain_order=True).head(EXAMPLES)
    if len(shown) < EXAMPLES:
        shown = stated.unique(maintain_order=True).head(EXAMPLES)
    values = stated if name in _AS_WRITTEN else typed
    whole, extremes = True, []
    if column.kind in (Kind.INTEGER, Kind.NUMBER):
        # The week of a rejected line may be any number.
        numbers = (_typed(lines, column) if column.kind is Kind.INTEGER else typed).drop_nulls()
        if len(numbers):
            extremes = [float(numbers.min()), float(numbers.max())]  # type: ignore[arg-type]
            whole = bool((numbers == numbers.round()).all()) if numbers.dtype.is_float() else True
    return _Observed(
        given=number,
        derived=delivered is None,
        whole=whole,
        stored="" if delivered is None else _stored(raw.schema[name]),
        values=values.drop_nulls().unique(),
        extremes=extremes,
        examples=[
            ((*position, index), str(value).strip()) for index, value in enumerate(shown.to_list())
        ],
    )


def _typed(lines: pl.DataFrame, column: Column) -> pl.Series:
    series = lines[column.name]
    if column.name == BASKET_ID:
        return series.cast(pl.String)
    if column.name == SHOP_WEEK:
        return series.set(series == NO_WEEK, None)
    return series


def _stored(dtype: pl.DataType) -> str:
    return "text" if dtype == pl.String else str(dtype)


def _type(column: Column, *, whole: bool, date_format: str) -> str:
    if column.name == SHOP_DATE and date_format:
        return f"date ({date_format})"
    if column.kind is Kind.NUMBER:
        return "whole number" if whole else "number"
    return _TYPES.get(column.name, "text")


def _shown(column: Column, value: float | None, *, whole: bool) -> float | str | None:
    if value is None:
        return None
    if column.name == SHOP_DATE:
        text = f"{value:08.0f}"
        return f"{text[:4]}-{text[4:6]}-{text[6:]}"
    return int(value) if column.kind is Kind.INTEGER or whole else value
