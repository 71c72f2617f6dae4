"""The history of the training baskets' customers, read from silver."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import polars as pl

from basketwise.disk import write_parquet
from basketwise.errors import ConfigError
from basketwise.etl.gold.metadata import HistoryRecord
from basketwise.etl.gold.tables import TEST_FILE, TRAIN_FILE
from basketwise.etl.silver.chunks import chunk_files, read_files
from basketwise.features.customer import KNOWN_BASKETS, READS, aggregates
from basketwise.features.groups import of_history
from basketwise.features.history import History, empty_history, history_of
from basketwise.files import HISTORY_FILE
from basketwise.pieces import Map, Result, here
from basketwise.schema import (
    BASKET_ID,
    CLASSES,
    CUST_CODE,
    FOLD,
    KEY,
    LABEL,
    SHOP_DATE,
    SHOP_WEEK,
    TARGET,
    TEST,
    UNCLASSIFIED,
)


@dataclass(frozen=True)
class LearnedHistory:
    """What the labels of the training baskets say of their customers.

    ``table`` is one of :func:`basketwise.features.history.history_of`; ``shares`` are those of Low,
    Medium and High among all training baskets.
    """

    table: pl.DataFrame
    shares: list[float]

    @cached_property
    def _history(self) -> History:
        return History(self.table, self.shares)

    def __call__(self, baskets: pl.DataFrame) -> pl.DataFrame:
        """Add what was known of each basket's customer; see :meth:`History.add`."""
        return self._history.add(baskets)


def learn_history(
    silver: Path,
    baskets: pl.DataFrame,
    groups: Sequence[str],
    tried: Sequence[str] = (),
    each: Map = here,
) -> LearnedHistory | None:
    """Gather the customers' history, if a group needs it.

    Parameters
    ----------
    silver : Path
        The silver folder.
    baskets : DataFrame
        One row per basket, with label and ``fold``; labels of test baskets are not used.
    groups, tried : sequence of str
        Feature groups that the models see in any case, and that are tried.
    each : Map
        Reads the lines.

    Returns
    -------
    LearnedHistory or None
        None where no group needs it, or a group that is only tried cannot have one.

    Raises
    ------
    ConfigError
        If a group needs it in any case, and no basket has a customer code and a time.
    """
    if not of_history([*groups, *tried]):
        return None
    labelled = baskets.filter((pl.col(FOLD) != TEST) & (pl.col(LABEL) != UNCLASSIFIED))
    table = customers_of(silver, labelled.select(BASKET_ID, LABEL), each)
    if table.is_empty():
        if not of_history(groups):
            return None
        raise no_history()
    counts = [int((labelled[LABEL].cast(pl.String) == name).sum()) for name in CLASSES]
    return LearnedHistory(table, [count / labelled.height for count in counts])


def no_history() -> ConfigError:
    """Return the error for lines that do not say of any basket whose it is, or when it was."""
    return ConfigError(
        f"The feature group 'customer' needs customers and times; the column {CUST_CODE} is "
        f"missing or empty, or {SHOP_DATE} and {SHOP_WEEK} are.",
        f"Add {CUST_CODE} and {SHOP_DATE}, or take customer out of features.groups.",
    )


def customers_of(silver: Path, labelled: pl.DataFrame, each: Map = here) -> pl.DataFrame:
    """Put the customers and times of baskets together with their labels.

    ``labelled`` has one row per basket: BASKET_ID and its label. Returns a table of
    :func:`basketwise.features.history.history_of`.
    """
    labels = labelled.lazy().select(BASKET_ID, pl.col(LABEL).cast(pl.String).alias("label"))
    files = (tuple(path for _, path in chunk) for chunk, _ in chunk_files(silver))
    owned = [
        result["baskets"].lazy().join(labels, on=BASKET_ID).collect(engine="in-memory")
        for result in each(owners, files)
    ]
    return history_of(pl.concat(owned)) if owned else empty_history()


def owners(files: Sequence[Path]) -> Result:
    """Return the customer and the time of each basket in some files, as ``baskets``."""
    own = read_files(files, [BASKET_ID, *READS]).lazy().group_by(BASKET_ID).agg(aggregates())
    return {"baskets": own.collect(engine="in-memory")}


def history_of_training(silver: Path, gold: Path) -> pl.DataFrame:
    """Return the history that was known when the training on some gold files ended."""
    training = pl.read_parquet(gold / TRAIN_FILE, columns=[KEY, TARGET], glob=False)
    return customers_of(silver, training.rename({KEY: BASKET_ID, TARGET: LABEL}))


def write_history(
    learned: LearnedHistory | None, groups: Sequence[str], gold: Path
) -> HistoryRecord | None:
    """Write the history of a model that uses it beside the gold files, which are there already."""
    if learned is None or not of_history(groups):
        return None
    write_parquet(learned.table, gold / HISTORY_FILE)
    train, test = (
        pl.read_parquet(gold / name, columns=[KNOWN_BASKETS], glob=False)[KNOWN_BASKETS]
        for name in (TRAIN_FILE, TEST_FILE)
    )
    return HistoryRecord(
        shares=learned.shares,
        customers=learned.table[CUST_CODE].n_unique(),
        train=int((train > 0).sum()),
        test=int((test > 0).sum()),
    )
