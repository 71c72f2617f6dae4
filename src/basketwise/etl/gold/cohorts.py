"""Customer and store of each test basket, which are not features.

Evaluation judges slices of the test set by it, and draws customers with all their baskets. No model
ever sees it.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from basketwise.disk import write_parquet
from basketwise.errors import InputError
from basketwise.etl.gold.tables import TEST_FILE
from basketwise.etl.silver.survey import STORE_COLUMNS
from basketwise.features.basket import UNKNOWN_TIME
from basketwise.schema import BASKET_ID, CUST_CODE, FOLD, KEY, LABEL, TEST, UNCLASSIFIED

COHORTS_FILE = "test_baskets.parquet"
CUSTOMER = "customer"
TIMES = ("shop_week", "shop_weekday", "shop_hour")


def write_cohorts(baskets: pl.DataFrame, gold: Path) -> None:
    """Write ``test_baskets.parquet``: one row per test basket, sorted by ``basket_id``.

    ``customer`` (Int32) is a number that stands for the customer code, null where no card was
    shown; ``store_format`` and ``store_region`` are null where unknown. ``baskets`` is a survey's,
    with ``fold``.
    """
    # A number is all that evaluation needs: the code itself stays in silver.
    customer = pl.col(CUST_CODE).cast(pl.String).rank("dense").cast(pl.Int32) - 1
    tested = (pl.col(FOLD) == TEST) & (pl.col(LABEL) != UNCLASSIFIED)
    cohorts = (
        baskets.filter(tested)
        .sort(BASKET_ID)
        .select(
            pl.col(BASKET_ID).alias(KEY),
            customer.alias(CUSTOMER),
            *(pl.col(name).cast(pl.String).alias(name.lower()) for name in STORE_COLUMNS),
        )
    )
    write_parquet(cohorts, gold / COHORTS_FILE)


def read_cohorts(gold: Path) -> pl.DataFrame:
    """Read what is known of the test baskets.

    Returns
    -------
    DataFrame
        One row per test basket, in the order of ``test_features.parquet``: ``basket_id``,
        ``customer``, ``store_format``, ``store_region``, ``shop_week``, ``shop_weekday``,
        ``shop_hour`` (null where unknown) and ``basket_size`` (lines).

    Raises
    ------
    InputError
        If the file is absent: the gold files are those of an older version.
    """
    path = gold / COHORTS_FILE
    if not path.is_file():
        raise InputError(
            f"There is no {COHORTS_FILE} in {str(gold)!r}.", "Run 'basketwise etl' again."
        )
    tested = pl.read_parquet(gold / TEST_FILE, columns=[KEY, *TIMES, "basket_size"], glob=False)
    return tested.with_columns(
        pl.when(pl.col(name) != UNKNOWN_TIME).then(name).alias(name) for name in TIMES
    ).join(pl.read_parquet(path, glob=False), on=KEY, how="left", maintain_order="left")


def units_of(customers: pl.Series) -> NDArray[np.int64] | None:
    """Give numbers to what is drawn when customers are resampled; None where there is no customer.

    A basket without a card is a customer of its own.
    """
    if customers.null_count() == customers.len():
        return None
    numbers = customers.cast(pl.Float64).fill_null(np.nan).to_numpy(writable=True)
    alone = np.isnan(numbers)
    first = int(np.nanmax(numbers)) + 1
    numbers[alone] = first + np.arange(int(alone.sum()))
    return numbers.astype(np.int64)
