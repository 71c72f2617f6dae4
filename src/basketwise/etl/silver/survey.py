"""What must be known of all lines before the first feature: baskets, products, values of SPEND.

Each week is surveyed once, while its lines are in memory anyway. What is kept grows with baskets
and products, not with lines; until all weeks are there, the baskets wait in files.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from basketwise.arrays import Counts
from basketwise.disk import ROW_GROUP, write_arrow, write_parquet
from basketwise.etl.lines.cleaning import DISAGREE
from basketwise.etl.lines.order import Ranks
from basketwise.etl.silver.id_ranges import ROWS, by_id_range
from basketwise.schema import (
    BASKET_ID,
    CUST_CODE,
    HIERARCHY,
    INDEX_LABELS,
    LABEL,
    PROD_CODE,
    SHOP_WEEK,
    SPEND,
    UNCLASSIFIED,
)
from basketwise.tables import constant_in_runs

STORE_COLUMNS = ("STORE_FORMAT", "STORE_REGION")
LABELS = pl.Enum(INDEX_LABELS)
CHEAPEST = "cheapest"
COUNTED = ("lines", CHEAPEST, DISAGREE)
"""Columns of the baskets that say nothing of how they are split."""


@dataclass(frozen=True)
class Survey:
    """The facts of one week, or of all, each table sorted by its first column.

    ``baskets``: one row per basket: BASKET_ID, SHOP_WEEK (Int32), LABEL (Enum), CUST_CODE,
    STORE_FORMAT, STORE_REGION (Categorical, null where unknown), ``lines`` (UInt32), ``cheapest``
    (Float64, GBP: its lowest SPEND), ``disagree`` (Boolean: its lines carry two labels).
    ``products``: one row per product: PROD_CODE, its hierarchy (null where unknown), ``lines``
    (UInt32); as the silver stage stores it, PROD_NAME too (null where unknown). ``spends``: one row
    per distinct SPEND (GBP), ``count`` (UInt32).
    """

    baskets: pl.DataFrame
    products: pl.DataFrame
    spends: pl.DataFrame

    @property
    def lines(self) -> int:
        """How many accepted lines there are."""
        return int(self.products["lines"].cast(pl.Int64).sum())


@dataclass(frozen=True)
class StoredSurvey:
    """A survey whose ``baskets`` are in an Arrow file, sorted by BASKET_ID, until all are there."""

    path: Path
    products: pl.DataFrame
    spends: pl.DataFrame

    def baskets(self, ids: type[pl.DataType]) -> pl.LazyFrame:
        """Read the baskets, sorted by BASKET_ID, whose type is ``ids`` then."""
        baskets = pl.scan_ipc(self.path, glob=False)
        if baskets.collect_schema()[BASKET_ID] == ids:
            return baskets
        # Text is in another order than numbers.
        return baskets.with_columns(pl.col(BASKET_ID).cast(ids)).sort(BASKET_ID)


def stored(survey: Survey, path: Path) -> StoredSurvey:
    """Write the baskets of a survey to a file."""
    write_arrow(survey.baskets, path)
    return StoredSurvey(path, survey.products, survey.spends)


def survey_week(lines: pl.DataFrame, ranks: Ranks | None = None) -> Survey:
    """Survey one week's accepted lines, in any order.

    ``ranks``: of their products, if they are known.
    """
    first, counts = _products(lines[PROD_CODE]) if ranks is None else _ranked(ranks)
    products = lines.select(PROD_CODE, *HIERARCHY)[first]
    return Survey(
        _baskets(lines),
        products.with_columns(pl.Series("lines", counts, dtype=pl.UInt32)),
        _count(lines.select(SPEND, count=1)),
    )


def _products(codes: pl.Series) -> tuple[Counts, Counts]:
    """Return the first line of each product, in the order of codes, and how many lines it has."""
    products = (
        codes.to_frame()
        .lazy()
        .with_columns(first=pl.int_range(pl.len(), dtype=pl.Int64))
        .group_by(PROD_CODE)
        .agg(pl.col("first").min(), pl.len().cast(pl.Int64).alias("lines"))
        .sort(PROD_CODE)
        .collect(engine="in-memory")
    )
    return products["first"].to_numpy(), products["lines"].to_numpy()


def _ranked(ranks: Ranks) -> tuple[Counts, Counts]:
    """Do as :func:`_products` by the ranks of the lines' products, of which each is there."""
    counts = np.bincount(ranks)
    first = np.zeros_like(counts)
    # Of several values for one place, the last one stays.
    first[ranks[::-1]] = np.arange(ranks.size - 1, -1, -1)
    return first, counts


def _baskets(lines: pl.DataFrame) -> pl.DataFrame:
    """Survey the baskets of some lines, of which a partition has them one after the other."""
    if not lines[BASKET_ID].is_sorted():
        lines = lines.sort(BASKET_ID, maintain_order=True)
    ids = lines[BASKET_ID]
    # The first line of each basket.
    first = (ids != ids.shift()).fill_null(True).arg_true().to_numpy()
    labels, disagree = _labels(lines[LABEL], first)
    stated = lines.select(BASKET_ID, SHOP_WEEK, CUST_CODE, *STORE_COLUMNS)[first]
    return stated.select(
        BASKET_ID,
        SHOP_WEEK,
        labels,
        pl.col(CUST_CODE, *STORE_COLUMNS).cast(pl.Categorical),
        pl.Series("lines", np.diff(first, append=lines.height), dtype=pl.UInt32),
        pl.Series(CHEAPEST, np.minimum.reduceat(lines[SPEND].to_numpy(), first)),
        disagree,
    )


def _labels(labels: pl.Series, first: NDArray[np.uint32]) -> tuple[pl.Series, pl.Series]:
    """Return the first label of each basket (Enum), and whether its lines carry two.

    ``labels``: those of all lines, null where none is stated; ``first``: the first line of each
    basket.
    """
    if not labels.null_count() and constant_in_runs(labels, first):
        return labels[first].cast(LABELS), pl.Series(DISAGREE, np.zeros(first.size, np.bool_))
    labels = labels.cast(LABELS)
    codes = labels.to_physical()
    highest = np.maximum.reduceat(codes.fill_null(0).to_numpy(), first)
    lowest = np.minimum.reduceat(codes.fill_null(len(INDEX_LABELS)).to_numpy(), first)
    if labels.null_count():
        # One more, without a label, for baskets in which no line states any.
        line = np.where(labels.is_null(), len(labels), np.arange(len(labels)))
        first = np.minimum.reduceat(line, first)
        labels = labels.extend_constant(None, 1)
    return labels[first], pl.Series(DISAGREE, lowest < highest)


def merge(surveys: Sequence[Survey]) -> Survey:
    """Combine the weeks' surveys; a product keeps the hierarchy it had first.

    A basket without a label on any line is unclassified.
    """
    baskets = pl.concat([survey.baskets for survey in surveys])
    return _merged([baskets], surveys)


def merge_stored(
    surveys: Sequence[StoredSurvey], ids: type[pl.DataType], rows: int = ROWS
) -> Survey:
    """Combine stored surveys as :func:`merge` does, in memory for one result alone.

    ``ids``: the type of BASKET_ID in the result; ``rows``: how many are put in order at a time.
    """
    return _merged(by_id_range([survey.baskets(ids) for survey in surveys], rows), surveys)


def _merged(
    baskets: Iterable[pl.DataFrame], surveys: Sequence[Survey] | Sequence[StoredSurvey]
) -> Survey:
    """Combine surveys; their ``baskets`` come by ascending ranges of ids."""
    products = (
        pl.concat([s.products for s in surveys])
        .group_by(PROD_CODE, maintain_order=True)
        .agg(pl.col(*HIERARCHY).drop_nulls().first(), pl.col("lines").sum())
    )
    labelled = (own.with_columns(pl.col(LABEL).fill_null(UNCLASSIFIED)) for own in baskets)
    return Survey(
        pl.concat([own.sort(BASKET_ID) for own in labelled]),
        products.sort(PROD_CODE),
        _count(pl.concat([s.spends for s in surveys])),
    )


def merge_parts(surveys: Sequence[Survey]) -> Survey:
    """Combine the surveys of the parts of one week, in the order of ids: the week's own survey."""
    if len(surveys) == 1:
        return surveys[0]
    products = (
        pl.concat([s.products for s in surveys])
        .group_by(PROD_CODE, maintain_order=True)
        .agg(pl.col(*HIERARCHY).first(), pl.col("lines").sum())
    )
    return Survey(
        pl.concat([s.baskets for s in surveys]),
        products.sort(PROD_CODE),
        _count(pl.concat([s.spends for s in surveys])),
    )


def _count(spends: pl.DataFrame) -> pl.DataFrame:
    return spends.group_by(SPEND).agg(pl.col("count").cast(pl.UInt32).sum()).sort(SPEND)


def write_survey(survey: Survey, folder: Path) -> None:
    """Keep a survey, one file a table."""
    folder.mkdir()
    for name, table in vars(survey).items():
        # A frame would be copied first, to have one chunk.
        write_parquet(table.lazy(), folder / f"{name}.parquet", row_group_size=ROW_GROUP)


def read_survey(folder: Path, counted: Collection[str] = COUNTED) -> Survey:
    """Read a survey as it was written; of the columns in :data:`COUNTED` only those asked for."""
    baskets, products, spends = (
        pl.scan_parquet(folder / f"{name}.parquet", glob=False)
        for name in ("baskets", "products", "spends")
    )
    unread = [name for name in COUNTED if name not in counted]
    return Survey(baskets.drop(unread).collect(), products.collect(), spends.collect())


def spend_quantile(spends: pl.DataFrame, q: float) -> float:
    """Return the exact quantile of SPEND (GBP) with linear interpolation, from the value counts.

    To the bit what ``numpy.quantile(all_spends, q)`` gives; ``spends`` is a survey's, at least one
    row.
    """
    values = spends[SPEND].to_numpy()
    ends = np.cumsum(spends["count"].to_numpy().astype(np.int64))
    position = q * (int(ends[-1]) - 1)
    below = int(np.floor(position))
    low, high = (
        float(values[np.searchsorted(ends, rank, side="right")])
        for rank in (below, min(below + 1, int(ends[-1]) - 1))
    )
    t = position - below
    # NumPy interpolates from the nearer end; the other order differs in the last bit.
    return high - (high - low) * (1 - t) if t >= 0.5 else low + (high - low) * t
