"""Gold: one row per basket to learn from, written week by week."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl

from basketwise.arrays import Labels
from basketwise.disk import ROW_GROUP, write_arrow, write_parquet
from basketwise.etl.silver import chunks
from basketwise.etl.silver.chunks import Files, read_files, weeks, weeks_of, whole_baskets
from basketwise.features.joining import rows_of, with_baskets
from basketwise.features.product import NEW_BANDS, SHARE_NEW, band_of
from basketwise.features.product_index.by_fold import FoldLookup
from basketwise.features.product_index.table import CLASS
from basketwise.features.recipe import AddHistory, Recipe, features
from basketwise.features.unseen import KNOWN
from basketwise.pieces import Map, Result, here
from basketwise.progress import Tick
from basketwise.schema import (
    BASKET_ID,
    CERTAINTY,
    CLASSES,
    FOLD,
    INDEX_LABELS,
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
REST_FOLDER = "rest"
"""Rows of the training baskets that were not drawn, where something learns from these too."""


@dataclass(frozen=True)
class Written:
    """Rows of the gold files, and what is counted of the test baskets.

    Of ``uncertain`` test baskets no product says anything; None without an index. ``new_products``:
    how many are in each band of shares of new products, without such a column none. ``rest``:
    training baskets that were not drawn, where they have rows.
    """

    train: int
    test: int
    uncertain: int | None
    new_products: list[int]
    rest: int = 0


@dataclass(frozen=True)
class RowMaker:
    """What makes rows of gold out of lines, the same for every chunk of them.

    ``index`` has PROD_CODE, ``fold``, scores and class: each basket meets the rows of its own fold
    (-1: test), which have not seen its label. None: no group needs it. ``history`` adds what was
    known of the customers.
    """

    recipe: Recipe
    index: pl.DataFrame | None
    history: AddHistory | None = None

    @cached_property
    def full_recipe(self) -> Recipe:
        """The recipe, with what is counted besides."""
        return replace(self.recipe, evidence=() if self.index is None else (KNOWN,))

    @cached_property
    def lookup(self) -> FoldLookup | None:
        """What the recipe asks of the index; its classes as numbers, quicker to compare."""
        if self.index is None:
            return None
        asked = self.index.select(PROD_CODE, FOLD, *self.full_recipe.asks)
        return FoldLookup(asked.with_columns(pl.col(CLASS).cast(pl.Enum(INDEX_LABELS))))

    def __call__(self, lines: pl.DataFrame, baskets: pl.DataFrame) -> Rows:
        """Make the rows of some baskets, some lines at a time.

        Parameters
        ----------
        lines : DataFrame
            All lines of the baskets, sorted, and those of others, which are passed over.
        baskets : DataFrame
            From :func:`own_baskets`.
        """
        # A large week is of one chunk, and all that is computed of its lines takes several times
        # their memory.
        parts = [self._rows(own, baskets) for own in whole_baskets(lines, chunks.CHUNK_LINES)]
        if len(parts) == 1:
            return parts[0]
        train, test = (
            pl.concat(tables) for tables in ([p.train for p in parts], [p.test for p in parts])
        )
        counts = np.sum([part.counts for part in parts], axis=0).tolist()
        return Rows(_in_order(train), _in_order(test), counts)

    def read(self, chunk: UnreadChunk) -> Rows:
        """Read the lines of a chunk, and make the rows of its baskets."""
        return self(read_files(chunk.files, self.full_recipe.reads), chunk.baskets)

    def _rows(self, lines: pl.DataFrame, baskets: pl.DataFrame) -> Rows:
        present = baskets.drop(SHOP_WEEK)
        labelled = with_baskets(lines, present.select(BASKET_ID, FOLD), fill=TEST)
        table = features(labelled, self.full_recipe, self.lookup, self.history)
        # A join would pick all columns anew. Baskets that gold does not have are in neither part.
        rows = rows_of(table[KEY], present[BASKET_ID])
        table = table.hstack(present.drop(BASKET_ID).select(pl.all().gather(rows)))
        tested = table.filter(pl.col(FOLD) == TEST).drop(FOLD)
        train = table.filter(pl.col(FOLD) != TEST)
        uncertain = 0 if self.index is None else int((tested[CERTAINTY] == UNCLASSIFIED).sum())
        counts = [train.height, tested.height, uncertain, *_per_band(tested)]
        alone = [part.drop(KNOWN.columns, strict=False) for part in (train, tested)]
        return Rows(alone[0], alone[1], counts)


def _in_order(rows: pl.DataFrame) -> pl.DataFrame:
    return rows if rows[KEY].is_sorted() else rows.sort(KEY)


class Rows(NamedTuple):
    """Rows of gold, of training and test baskets, each sorted by ``basket_id``.

    ``counts``: rows of either, uncertain test baskets, then test baskets per band of new products.
    """

    train: pl.DataFrame
    test: pl.DataFrame
    counts: list[int]

    def write(self, folder: Path, name: str) -> None:
        """Write them below the folders that :func:`put_together` reads; empty parts are none.

        They are Arrow files: written and read once, they would be encoded in vain.
        """
        for file, part in ((TRAIN_FILE, self.train), (TEST_FILE, self.test)):
            if part.height:
                write_arrow(part, folder / file / name)


def own_baskets(baskets: pl.DataFrame) -> pl.DataFrame:
    """Select the baskets that gold has: BASKET_ID, ``fold``, the label as text, SHOP_WEEK."""
    return baskets.filter(pl.col(LABEL) != UNCLASSIFIED).select(
        pl.col(BASKET_ID), FOLD, pl.col(LABEL).cast(pl.String).alias(TARGET), SHOP_WEEK
    )


class ByWeek:
    """Baskets by their week, which are looked up for each chunk of lines anew."""

    def __init__(self, baskets: pl.DataFrame) -> None:
        ordered = baskets.sort(SHOP_WEEK, maintain_order=True)
        heights = ordered[SHOP_WEEK].rle().struct.unnest()
        ends = heights["len"].cum_sum()
        self._parts = {
            week: ordered.slice(end - height, height)
            for week, height, end in zip(heights["value"], heights["len"], ends, strict=True)
        }
        self._none = ordered.clear()

    def of(self, weeks: Sequence[int]) -> pl.DataFrame:
        """Return the baskets of some weeks, in ascending order; within each, as they came."""
        own = [self._parts[week] for week in weeks if week in self._parts]
        return pl.concat(own) if own else self._none


class UnreadChunk(NamedTuple):
    """The files of a chunk, and the baskets of its weeks.

    ``partial``: some of these baskets are in other chunks.
    """

    files: tuple[Path, ...]
    baskets: pl.DataFrame
    partial: bool


def unread_chunks(
    chunks: Iterable[tuple[Files, bool]], baskets: pl.DataFrame
) -> Iterator[UnreadChunk]:
    """Give each chunk of :func:`basketwise.etl.silver.chunks.chunk_files` the baskets of its weeks.

    These are in ascending order of weeks; within each, as they came.
    """
    by_week = ByWeek(baskets)
    for files, cut in chunks:
        yield UnreadChunk(tuple(path for _, path in files), by_week.of(weeks_of(files)), cut)


@dataclass(frozen=True)
class ChunkWriter:
    """Reads chunks, and writes the rows of each below a folder."""

    maker: RowMaker
    folder: Path

    def __call__(self, numbered: tuple[int, UnreadChunk]) -> Result:
        """Write the rows of a chunk with its number; return its ``files`` and their ``counts``."""
        number, chunk = numbered
        rows = self.maker.read(chunk)
        rows.write(self.folder, f"{number:06d}.arrow")
        return {"files": len(chunk.files), "counts": rows.counts}


def write_gold(
    silver: Path,
    gold: Path,
    scratch: Path,
    baskets: pl.DataFrame,
    maker: RowMaker,
    tick: Tick,
    *,
    each: Map = here,
) -> Written:
    """Write ``train_features.parquet`` and ``test_features.parquet``; count their rows.

    ``baskets`` has label and ``fold``; unclassified baskets are left out. ``each`` has what is
    below ``scratch`` at hand.
    """
    folders = made_folders(scratch)
    total, done = len(weeks(silver)), 0
    counts: list[list[int]] = []
    pieces = unread_chunks(chunks.chunk_files(silver), own_baskets(baskets))
    for written in each(ChunkWriter(maker, scratch), enumerate(pieces)):
        done += written["files"]
        counts.append(written["counts"])
        tick("features", done, total)
    parts = [sorted(folder.glob("*.arrow")) for folder in folders]
    return put_together(parts, counts, gold, indexed=maker.index is not None)


def made_folders(scratch: Path) -> list[Path]:
    """Make the folders for the rows of training and of test baskets."""
    folders = [scratch / file for file in (TRAIN_FILE, TEST_FILE)]
    for folder in folders:
        folder.mkdir(parents=True)
    return folders


def put_together(
    parts: list[list[Path]], counts: list[list[int]], gold: Path, *, indexed: bool
) -> Written:
    """Write the rows of all chunks, those of training and of test baskets, into one file each.

    ``counts`` are those of :class:`Rows`, one list a chunk; ``indexed``: there is an index.
    """
    for file, own in zip((TRAIN_FILE, TEST_FILE), parts, strict=True):
        table = pl.scan_ipc(own, glob=False)
        # Whoever reads them reads all rows, so no bounds of columns are looked for.
        write_parquet(table, gold / file, row_group_size=ROW_GROUP, statistics=False)
    train, test, uncertain, *per_band = np.asarray(counts).sum(axis=0).tolist()
    return Written(train, test, uncertain if indexed else None, per_band)


def class_numbers(labels: pl.Series) -> Labels:
    """Return the positions of labels in ``CLASSES``; every label must be one of them."""
    return labels.replace_strict(CLASSES, range(len(CLASSES)), return_dtype=pl.Int8).to_numpy()


def _per_band(baskets: pl.DataFrame) -> list[int]:
    """Count the baskets with few, some and many new products."""
    if SHARE_NEW not in baskets.columns:
        return []
    bands = band_of(baskets[SHARE_NEW].to_numpy())
    return [int(count) for count in np.bincount(bands, minlength=len(NEW_BANDS) + 1)]
