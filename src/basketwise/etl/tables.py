"""Gold: one row per basket to learn from, written week by week."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl

from basketwise.arrays import Counts, Labels
from basketwise.concurrency import side_by_side
from basketwise.disk import write_parquet
from basketwise.etl.chunks import Chunk, read_chunks, weeks
from basketwise.features.product import NEW_BANDS, SHARE_NEW, band_of
from basketwise.features.product_index.lookup import score_by_fold
from basketwise.features.recipe import AddHistory, Recipe, features
from basketwise.features.unseen import KNOWN
from basketwise.progress import Tick
from basketwise.schema import (
    BASKET_ID,
    CERTAINTY,
    CLASSES,
    FOLD,
    KEY,
    LABEL,
    PROD_CODE,
    SHOP_WEEK,
    TARGET,
    TEST,
    UNCLASSIFIED,
)

TRAIN_FILE = "train_features.parquet"
TEST_FILE = "test_features.parquet"
HIDDEN_FILE = "hidden_features.parquet"
INDEX_FILE = "product_index.parquet"
METADATA_FILE = "metadata.json"

ROW_GROUP = 2**17
"""Rows; fixed, because otherwise it follows from how many threads there are."""


@dataclass(frozen=True)
class Written:
    """Rows of the gold files, and what is counted of the test baskets.

    Of ``uncertain`` test baskets no product says anything; None without an index. ``new_products``:
    how many are in each band of shares of new products, without such a column none.
    """

    train: int
    test: int
    uncertain: int | None
    new_products: list[int]


def write_gold(
    silver: Path,
    gold: Path,
    scratch: Path,
    baskets: pl.DataFrame,
    recipe: Recipe,
    index: pl.DataFrame | None,
    tick: Tick,
    history: AddHistory | None = None,
) -> Written:
    """Write ``train_features.parquet`` and ``test_features.parquet``; count their rows.

    ``baskets`` has label and ``fold``; unclassified baskets are left out. ``index`` has PROD_CODE,
    ``fold``, scores and class: each basket meets the rows of its own fold (-1: test), which have
    not seen its label. None: no group needs it. ``history`` adds what was known of the customers.
    """
    own = baskets.filter(pl.col(LABEL) != UNCLASSIFIED).select(
        pl.col(BASKET_ID), FOLD, pl.col(LABEL).cast(pl.String).alias(TARGET), SHOP_WEEK
    )
    recipe = replace(recipe, evidence=() if index is None else (KNOWN,))
    score = None
    if index is not None:
        score = partial(score_by_fold, index.select(PROD_CODE, FOLD, *recipe.asks))
    files = (TRAIN_FILE, TEST_FILE)
    for file in files:
        (scratch / file).mkdir(parents=True)

    def write_chunk(chunk: Chunk) -> tuple[int, Counts]:
        present = own.filter(pl.col(SHOP_WEEK).is_in(chunk.weeks)).drop(SHOP_WEEK)
        labelled = chunk.lines.join(present.select(BASKET_ID, FOLD), on=BASKET_ID)
        table = features(labelled, recipe, score, history).join(
            present.rename({BASKET_ID: KEY}), on=KEY, maintain_order="left"
        )
        parts = {
            TRAIN_FILE: table.filter(pl.col(FOLD) != TEST),
            TEST_FILE: table.filter(pl.col(FOLD) == TEST).drop(FOLD),
        }
        for file, part in parts.items():
            if part.height:
                path = scratch / file / f"{chunk.weeks[0]:06d}.parquet"
                features_alone = part.drop(KNOWN.columns, strict=False)
                write_parquet(features_alone, path, compression="uncompressed")
        tested = parts[TEST_FILE]
        uncertain = 0 if index is None else int((tested[CERTAINTY] == UNCLASSIFIED).sum())
        counts = [*(part.height for part in parts.values()), uncertain, *_per_band(tested)]
        return len(chunk.weeks), np.array(counts)

    total, done = len(weeks(silver)), 0
    counts: Counts | int = 0
    chunks = read_chunks(silver, recipe.reads)
    for ready, numbers in side_by_side(write_chunk, chunks):
        done += ready
        counts = counts + numbers
        tick("features", done, total)
    for file in files:
        parts = pl.scan_parquet(sorted((scratch / file).glob("*.parquet")), glob=False)
        write_parquet(parts, gold / file, row_group_size=ROW_GROUP)
    train, test, uncertain, *per_band = np.asarray(counts).tolist()
    return Written(train, test, None if index is None else uncertain, per_band)


def class_numbers(labels: pl.Series) -> Labels:
    """Return the positions of labels in ``CLASSES``; every label must be one of them."""
    return labels.replace_strict(CLASSES, range(len(CLASSES)), return_dtype=pl.Int8).to_numpy()


def _per_band(baskets: pl.DataFrame) -> list[int]:
    """Count the baskets with few, some and many new products."""
    if SHARE_NEW not in baskets.columns:
        return []
    bands = band_of(baskets[SHARE_NEW].to_numpy())
    return [int(count) for count in np.bincount(bands, minlength=len(NEW_BANDS) + 1)]
