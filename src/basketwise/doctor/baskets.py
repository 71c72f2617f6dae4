"""What the clean lines of the data make up: weeks, classes, baskets, the tail of products."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from pathlib import Path

import polars as pl

from basketwise.concurrency import side_by_side
from basketwise.etl.lines.cleaning import NO_WEEK
from basketwise.etl.silver.chunks import Chunk, read_chunks
from basketwise.etl.silver.survey import Survey
from basketwise.schema import (
    BASKET_ID,
    COLUMN_NAMES,
    CUST_CODE,
    INDEX_LABELS,
    LABEL,
    PROD_CODE,
    SHOP_WEEK,
)

RARE = 10
"""A product of fewer baskets is in the tail: too few to tell its class."""

_BASKETS = "baskets"


@dataclass(frozen=True)
class Week:
    """Accepted lines and baskets of one week (YYYYWW)."""

    week: int
    lines: int
    baskets: int


@dataclass(frozen=True)
class Gap:
    """Weeks in a row (YYYYWW) of which there are no lines, though there are before and after."""

    first: int
    last: int
    weeks: int


@dataclass(frozen=True)
class Spread:
    """How a count per basket is distributed: median, 90 % quantile (nearest rank), maximum."""

    median: int
    p90: int
    maximum: int


@dataclass(frozen=True)
class Tail:
    """Products that occur in fewer than ``RARE`` baskets, and the share of lines that they have."""

    products: int
    products_share: float
    lines: int
    lines_share: float


@dataclass(frozen=True)
class Customers:
    """Different customer codes, and the baskets and lines that have one."""

    distinct: int
    baskets: int
    baskets_share: float
    lines_share: float


@dataclass(frozen=True)
class Baskets:
    """All of it; ``classes`` are baskets by label, in the order of INDEX_LABELS."""

    baskets: int
    products: int
    weeks: tuple[Week, ...]
    gaps: tuple[Gap, ...]
    classes: dict[str, int]
    lines_per_basket: Spread
    products_per_basket: Spread
    tail: Tail
    customers: Customers


def profile_baskets(survey: Survey, silver: Path, week: str) -> Baskets:
    """Profile the clean lines.

    Parameters
    ----------
    survey : Survey
        Of all weeks.
    silver : Path
        Folder of the partitions.
    week : str
        What weeks are, see :func:`weeks_of_year`.
    """
    weeks = _weeks(survey.baskets)
    per_product, per_basket = _pairs(silver)
    return Baskets(
        baskets=survey.baskets.height,
        products=survey.products.height,
        weeks=weeks,
        gaps=tuple(gaps([week.week for week in weeks], week)),
        classes=_classes(survey.baskets[LABEL]),
        lines_per_basket=_spread(survey.baskets["lines"].value_counts(name="count"), "lines"),
        products_per_basket=_spread(per_basket, "products"),
        tail=_tail(survey.products.join(per_product, on=PROD_CODE)),
        customers=_customers(survey.baskets),
    )


def kept_repeats(silver: Path) -> int:
    """Count the clean lines that repeat another in every column."""
    columns = [name for name in COLUMN_NAMES if name != SHOP_WEEK]
    repeats = 0
    for chunk in read_chunks(silver, columns):
        repeats += chunk.lines.height - chunk.lines.unique().height
    return repeats


def gaps(weeks: Sequence[int], week: str) -> Iterator[Gap]:
    """Yield the gaps between weeks (YYYYWW, ascending); see :func:`weeks_of_year`."""
    for before, after in pairwise(weeks):
        absent = [w for w in _between(before, after, week) if before < w < after]
        if absent:
            yield Gap(absent[0], absent[-1], len(absent))


def weeks_of_year(year: int, week: str) -> int:
    """Return the number of the last week of a year.

    Parameters
    ----------
    year : int
        The year.
    week : str
        ``iso``: 52 or 53; a day on which fiscal years start (``MM-DD``): 53; empty, where weeks are
        numbered by the retailer: 52, since a 53rd is no gap if it does not exist.

    Examples
    --------
    >>> weeks_of_year(2020, "iso"), weeks_of_year(2021, "iso"), weeks_of_year(2020, "")
    (53, 52, 52)
    """
    if week == "iso":
        return date(year, 12, 28).isocalendar().week
    return 53 if week else 52


def _between(before: int, after: int, week: str) -> Iterator[int]:
    for year in range(before // 100, after // 100 + 1):
        for number in range(1, weeks_of_year(year, week) + 1):
            yield year * 100 + number


def _weeks(baskets: pl.DataFrame) -> tuple[Week, ...]:
    counts = (
        baskets.filter(pl.col(SHOP_WEEK) != NO_WEEK)
        .group_by(SHOP_WEEK)
        .agg(pl.col("lines").sum(), pl.len().alias(_BASKETS))
        .sort(SHOP_WEEK)
    )
    return tuple(Week(*row) for row in counts.iter_rows())


def _classes(labels: pl.Series) -> dict[str, int]:
    counts = dict(labels.cast(pl.String).value_counts().iter_rows())
    return {name: counts.get(name, 0) for name in INDEX_LABELS}


def _pairs(silver: Path) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Count the baskets of each product, and how many baskets have so many products."""

    def counted(chunk: Chunk) -> tuple[pl.DataFrame, pl.DataFrame]:
        pairs = chunk.lines.unique()
        sizes = pairs.group_by(BASKET_ID).agg(pl.len().alias("products"))
        return (
            pairs.group_by(PROD_CODE).agg(pl.len().alias(_BASKETS)),
            sizes.group_by("products").agg(pl.len().alias("count")),
        )

    products = pl.DataFrame(schema={PROD_CODE: pl.String, _BASKETS: pl.UInt32})
    sizes = pl.DataFrame(schema={"products": pl.UInt32, "count": pl.UInt32})
    # A basket's lines are all of one week, and a chunk has whole weeks: no pair counts twice.
    for more, further in side_by_side(counted, read_chunks(silver, [BASKET_ID, PROD_CODE])):
        products = pl.concat([products, more]).group_by(PROD_CODE).agg(pl.col(_BASKETS).sum())
        sizes = pl.concat([sizes, further]).group_by("products").agg(pl.col("count").sum())
    return products, sizes


def _spread(counts: pl.DataFrame, column: str) -> Spread:
    """Return the spread of values that are given with how often each occurs."""
    ordered = counts.sort(column).with_columns(pl.col("count").cast(pl.Int64).cum_sum())
    total = int(ordered["count"][-1])

    def quantile(numerator: int, denominator: int) -> int:
        rank = -(-total * numerator // denominator)
        return int(ordered.filter(pl.col("count") >= rank)[column][0])

    return Spread(quantile(1, 2), quantile(9, 10), int(ordered[column][-1]))


def _tail(products: pl.DataFrame) -> Tail:
    rare = products.filter(pl.col(_BASKETS) < RARE)
    lines = int(rare["lines"].sum())
    return Tail(
        products=rare.height,
        products_share=rare.height / products.height,
        lines=lines,
        lines_share=lines / int(products["lines"].sum()),
    )


def _customers(baskets: pl.DataFrame) -> Customers:
    known = baskets.filter(pl.col(CUST_CODE).is_not_null())
    return Customers(
        distinct=known[CUST_CODE].n_unique(),
        baskets=known.height,
        baskets_share=known.height / baskets.height,
        lines_share=int(known["lines"].sum()) / int(baskets["lines"].sum()),
    )


def shares(counts: Mapping[str, int]) -> dict[str, float]:
    """Return each count's share in all."""
    total = sum(counts.values()) or 1
    return {name: count / total for name, count in counts.items()}
