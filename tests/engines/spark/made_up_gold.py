"""Rows of gold out of a random generator."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

from basketwise.etl.gold.tables import TRAIN_FILE
from basketwise.features.product import SHARE_NEW
from basketwise.schema import CLASSES
from basketwise.training.distributed import TrainingRows

COLUMNS = ("total_spend", "basket_size", SHARE_NEW)


def gold_rows(rows: int, seed: int) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    label = rng.integers(0, 3, rows)
    return pl.DataFrame(
        {
            "basket_id": np.arange(rows) + 10_000 * seed,
            "basket_size": rng.integers(1, 40, rows),
            "total_spend": rng.normal(size=rows) + label,
            SHARE_NEW: np.where(rng.random(rows) < 0.03, 0.5, 0.0),
            "price_sensitivity": np.asarray(CLASSES)[label],
        }
    )


def write_rows(folder: Path) -> TrainingRows:
    """A sample of 700 baskets, and 400 others in two files."""
    gold_rows(700, 1).write_parquet(folder / TRAIN_FILE)
    gold_rows(300, 2).write_ipc(folder / "000000.arrow")
    gold_rows(100, 3).write_ipc(folder / "000001.arrow")
    files = (TRAIN_FILE, "000000.arrow", "000001.arrow")
    return TrainingRows(tuple(folder / name for name in files), COLUMNS, without_new=True)


def all_rows(rows: TrainingRows) -> pl.DataFrame:
    frames = (pl.read_parquet if path.suffix == ".parquet" else pl.read_ipc for path in rows.files)
    return pl.concat([read(path) for read, path in zip(frames, rows.files, strict=True)])
