"""Gold: one row per basket to learn from, written week by week."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from basketwise.etl.chunks import Chunk, read_chunks, side_by_side, weeks
from basketwise.features.basket import ENCODED, treat_outliers
from basketwise.features.groups import Learned, compute_groups
from basketwise.progress import Tick
from basketwise.schema import (
    BASKET_ID,
    FOLD,
    LABEL,
    PROD_CODE,
    QUANTITY,
    SHOP_WEEK,
    SPEND,
    TEST,
    UNCLASSIFIED,
)

TRAIN_FILE = "train_features.parquet"
TEST_FILE = "test_features.parquet"
INDEX_FILE = "product_index.parquet"
METADATA_FILE = "metadata.json"
FEATURE_COLUMNS = [
    BASKET_ID,
    PROD_CODE,
    SPEND,
    QUANTITY,
    SHOP_WEEK,
    "SHOP_WEEKDAY",
    "SHOP_HOUR",
    *ENCODED.values(),
]
"""What features are made of; the other columns need not be read."""

TARGET = "price_sensitivity"
KEY = "basket_id"
ROW_GROUP = 2**17
"""Rows; fixed, because otherwise it follows from how many threads there are."""


@dataclass(frozen=True)
class Recipe:
    """What turns lines into features, besides the lines.

    Attributes
    ----------
    encoders
        Categories by name, see :func:`basketwise.features.basket.basket_features`.
    outliers
        ``clip``, ``drop`` or ``keep``.
    limit
        SPEND above it (GBP) is an outlier.
    """

    encoders: Mapping[str, Sequence[str]]
    outliers: str
    limit: float


def features(
    lines: pl.DataFrame, recipe: Recipe, index: pl.DataFrame | None, *, on: Sequence[str]
) -> pl.DataFrame:
    """Compute all groups for some baskets; the one way from lines to features.

    Parameters
    ----------
    lines : DataFrame
        One row per line.
    recipe : Recipe
        Encoders and outliers.
    index : DataFrame or None
        The product index, completed for every product of ``lines``; None leaves the group out.
    on : sequence of str
        Columns to join the index on.

    Returns
    -------
    DataFrame
        One row per basket, sorted by ``basket_id``.
    """
    # The streaming engine adds up in the order in which its threads arrive; the in-memory one in
    # the order of the rows, so that the last bits are the same on any machine.
    treated = treat_outliers(lines.lazy(), recipe.outliers, recipe.limit)
    table = compute_groups(treated, Learned(recipe.encoders, index, on))
    return table.rename({BASKET_ID: KEY}).sort(KEY).collect(engine="in-memory")


def write_gold(
    silver: Path,
    gold: Path,
    scratch: Path,
    baskets: pl.DataFrame,
    recipe: Recipe,
    index: pl.DataFrame | None,
    tick: Tick,
) -> tuple[int, int]:
    """Write ``train_features.parquet`` and ``test_features.parquet``.

    Parameters
    ----------
    silver, gold, scratch : Path
        Folders to read from, to write to, and for parts.
    baskets : DataFrame
        With label and ``fold``; unclassified baskets are left out.
    recipe : Recipe
        Encoders and outliers.
    index : DataFrame or None
        Product index with ``fold``: each basket meets the row of its own fold (-1: test).
    tick : callable
        Told of progress, in weeks.

    Returns
    -------
    train, test : int
        Rows written.
    """
    own = baskets.filter(pl.col(LABEL) != UNCLASSIFIED).select(
        pl.col(BASKET_ID), FOLD, pl.col(LABEL).cast(pl.String).alias(TARGET), SHOP_WEEK
    )
    counts = {TRAIN_FILE: 0, TEST_FILE: 0}
    for file in counts:
        (scratch / file).mkdir(parents=True)

    def write_chunk(chunk: Chunk) -> tuple[int, dict[str, int]]:
        present = own.filter(pl.col(SHOP_WEEK).is_in(chunk.weeks)).drop(SHOP_WEEK)
        labelled = chunk.lines.join(present.select(BASKET_ID, FOLD), on=BASKET_ID)
        table = features(labelled, recipe, index, on=[PROD_CODE, FOLD]).join(
            present.rename({BASKET_ID: KEY}), on=KEY, maintain_order="left"
        )
        parts = {
            TRAIN_FILE: table.filter(pl.col(FOLD) != TEST),
            TEST_FILE: table.filter(pl.col(FOLD) == TEST).drop(FOLD),
        }
        for file, part in parts.items():
            if part.height:
                path = scratch / file / f"{chunk.weeks[0]:06d}.parquet"
                part.write_parquet(path, compression="uncompressed")
        return len(chunk.weeks), {file: part.height for file, part in parts.items()}

    total, done = len(weeks(silver)), 0
    chunks = read_chunks(silver, FEATURE_COLUMNS)
    for ready, rows in side_by_side(write_chunk, chunks):
        done += ready
        for file, number in rows.items():
            counts[file] += number
        tick("features", done, total)
    for file in counts:
        parts = pl.scan_parquet(scratch / file / "*.parquet")
        parts.sink_parquet(gold / file, row_group_size=ROW_GROUP)
    return counts[TRAIN_FILE], counts[TEST_FILE]
