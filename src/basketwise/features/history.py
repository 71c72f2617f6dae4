"""Customers' labelled baskets over time, and what was known of a customer before a basket.

The history is a table of its own and no part of a model, because it is personal data.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
import polars as pl
from numpy.typing import NDArray

from basketwise.arrays import Counts, Floats
from basketwise.features.customer import BALANCE, KNOWN_BASKETS, LATEST, SHARES, SINCE
from basketwise.schema import CLASSES, CUST_CODE, SHOP_DATE, SHOP_HOUR, SHOP_WEEK

COUNTS = tuple(name.lower() for name in CLASSES)
TYPES: dict[str, type[pl.DataType]] = {
    CUST_CODE: pl.String,
    SHOP_WEEK: pl.Int32,
    SHOP_DATE: pl.Int32,
    SHOP_HOUR: pl.Int32,
    **dict.fromkeys(COUNTS, pl.UInt32),
}
"""One row per customer and time: how many baskets with each label there were. The time is SHOP_DATE
(YYYYMMDD) and SHOP_HOUR (null where unknown), or, where not every basket has a date, SHOP_WEEK
(YYYYWW); the other columns are null."""
TIMES = (SHOP_WEEK, SHOP_DATE, SHOP_HOUR)

SMOOTHING = 3.0
"""A customer's shares count as many baskets more, with the labels of all training baskets."""

FEW = 2_000
"""Up to this number of baskets, a dictionary is faster than a join."""
_SLOTS = 32
"""Of a day: its hours, one before them and one after them, for an hour that is unknown."""
_LATEST_TIME = 2**28
_WEEKS = 52
UNKNOWN = -1


def empty_history() -> pl.DataFrame:
    """Return a history without any customer."""
    return pl.DataFrame(schema=TYPES)


def history_of(baskets: pl.DataFrame) -> pl.DataFrame:
    """Put labelled baskets together into a history.

    Parameters
    ----------
    baskets : DataFrame
        One row per basket: ``label`` (one of the classes), and columns as of
        :func:`basketwise.features.customer.aggregates`. Those without a customer do not count, nor
        those without a time.

    Returns
    -------
    DataFrame
        Columns :data:`TYPES`, sorted by customer and time.
    """
    known = baskets.select(
        *(pl.col(f"_{name}").cast(kind).alias(name) for name, kind in list(TYPES.items())[:4]),
        *((pl.col("label") == name).alias(name.lower()) for name in CLASSES),
    ).filter(pl.col(CUST_CODE).is_not_null())
    if known[SHOP_DATE].null_count():
        known = known.with_columns(pl.lit(None, pl.Int32).alias(n) for n in (SHOP_DATE, SHOP_HOUR))
        known = known.filter(pl.col(SHOP_WEEK) > 0)
    else:
        known = known.with_columns(pl.lit(None, pl.Int32).alias(SHOP_WEEK))
    return (
        known.group_by(CUST_CODE, *TIMES)
        .agg(pl.col(COUNTS).sum().cast(pl.UInt32))
        .sort(CUST_CODE, *TIMES)
        .select(TYPES.keys())
    )


class History:
    """A history, ready to answer.

    Parameters
    ----------
    table : DataFrame
        From :func:`history_of`.
    shares : sequence of float
        Shares of Low, Medium and High among all training baskets: what is expected of a customer of
        whom nothing is known.
    """

    def __init__(self, table: pl.DataFrame, shares: Sequence[float]) -> None:
        self._shares = np.asarray(shares, dtype=np.float64)
        self._dated = not table[SHOP_DATE].null_count()
        at = _moments(table, "", dated=self._dated, late=True)
        moments = table.with_columns(pl.Series("at", at)).sort(CUST_CODE, "at")
        self._customers = moments[CUST_CODE].unique(maintain_order=True)
        number = moments[CUST_CODE].rle_id().to_numpy().astype(np.int64)
        self._at = moments["at"].to_numpy().astype(np.int64)
        self._keys = number * _LATEST_TIME + self._at
        self._start = np.searchsorted(number, np.arange(len(self._customers)))
        counts = moments.select(COUNTS).to_numpy().astype(np.float64)
        self._total = np.vstack([np.zeros((1, len(COUNTS))), np.cumsum(counts, axis=0)])

    @cached_property
    def _rows(self) -> dict[str, int]:
        return dict(zip(self._customers, range(len(self._customers)), strict=True))

    def add(self, baskets: pl.DataFrame) -> pl.DataFrame:
        """Add what was known of each basket's customer before it.

        Parameters
        ----------
        baskets : DataFrame
            One row per basket, with the columns of
            :func:`basketwise.features.customer.aggregates`.

        Returns
        -------
        DataFrame
            The same rows with the columns :data:`basketwise.features.customer.COLUMNS`:

            - ``customer_<label>``: share of the label among the customer's earlier baskets,
              smoothed towards the shares among all training baskets; ``customer_balance``: share of
              High minus share of Low;
            - ``customer_baskets``: number of earlier baskets, 0 where none is known;
            - ``customer_latest``: 1 where the latest of them was High, -1 where it was Low, else 0;
              several at one time count by their mean;
            - ``customer_weeks``: weeks since the latest; 0 where none is known.
        """
        number = self._numbers(baskets["_CUST_CODE"])
        at = _moments(baskets, "_", dated=self._dated, late=False)
        known = (number >= 0) & (at >= 0)
        own = np.where(known, number, 0)
        counts = np.zeros((baskets.height, len(COUNTS)))
        latest, since = np.zeros(baskets.height), np.zeros(baskets.height)
        if known.any():
            # The first of the customer's moments that is not earlier.
            end = np.searchsorted(self._keys, own * _LATEST_TIME + at, side="left")
            start = self._start[own]
            known &= end > start
            counts[known] = (self._total[end] - self._total[start])[known]
            last = end[known] - 1
            of_last = self._total[last + 1] - self._total[last]
            latest[known] = (of_last[:, -1] - of_last[:, 0]) / of_last.sum(axis=1)
            since[known] = self._weeks(at[known]) - self._weeks(self._at[last])
        number_of_baskets = counts.sum(axis=1)
        shares = (counts + SMOOTHING * self._shares) / (number_of_baskets + SMOOTHING)[:, None]
        return baskets.hstack(
            [
                *(pl.Series(name, column) for name, column in zip(SHARES, shares.T, strict=True)),
                pl.Series(BALANCE, shares[:, -1] - shares[:, 0]),
                pl.Series(KNOWN_BASKETS, number_of_baskets.astype(np.int32)),
                pl.Series(LATEST, latest),
                pl.Series(SINCE, np.maximum(since, 0)),
            ]
        )

    def _numbers(self, codes: pl.Series) -> Counts:
        if codes.len() <= FEW:
            return np.asarray([self._rows.get(code, -1) for code in codes], dtype=np.int64)
        known = self._customers.to_frame().with_row_index("row")
        joined = codes.cast(pl.String).alias(CUST_CODE).to_frame()
        joined = joined.join(known, on=CUST_CODE, how="left", maintain_order="left")
        return joined["row"].cast(pl.Int64).fill_null(-1).to_numpy()

    def _weeks(self, at: NDArray[np.int64]) -> Floats:
        if self._dated:
            return at // _SLOTS / 7
        return (at // 100 * _WEEKS + at % 100).astype(np.float64)


def _moments(times: pl.DataFrame, prefix: str, *, dated: bool, late: bool) -> Counts:
    """Return times as whole numbers that can be compared; -1 where unknown.

    An unknown hour is ``late`` for what is in a history and early for who asks, so that nothing
    counts as earlier that may not be.
    """
    # In NumPy: for a single basket, building expressions costs more than all the rest.
    week, date, hour = (
        times[f"{prefix}{name}"].fill_null(UNKNOWN).to_numpy().astype(np.int64) for name in TIMES
    )
    if not dated:
        return np.where(week > 0, week, UNKNOWN)
    # Days since the first of March of year 0 (Hinnant, "chrono-Compatible Low-Level Date
    # Algorithms", 2013): whole numbers alone, and no date is invalid.
    month, day = date // 100 % 100, date % 100
    year = date // 10_000 - (month <= 2)
    of_year = (153 * ((month + 9) % 12) + 2) // 5 + day - 1
    days = 365 * year + year // 4 - year // 100 + year // 400 + of_year
    unknown_hour = _SLOTS - 1 if late else 0
    slot = np.where(hour >= 0, np.minimum(hour + 1, _SLOTS - 2), unknown_hour)
    return np.where(date > 0, days * _SLOTS + slot, UNKNOWN)
