"""The product index of a model, read from a file that may come from anywhere."""

from __future__ import annotations

import io
from pathlib import Path

import polars as pl

from basketwise.artifact.parquet import check_parquet
from basketwise.features.product_index.table import (
    ADDED,
    BASKETS,
    CLASS,
    COLUMNS,
    POSTERIORS,
    PRICES,
    PRIORS,
    PROBABILITY,
    SCORES,
)
from basketwise.schema import HIERARCHY, INDEX_LABELS, PROD_CODE, PROD_NAME

MAX_BYTES = 64 * 2**20
MAX_TEXT = 128 * 2**20
"""Of all texts, each as often as it occurs."""

TEXTS = (PROD_CODE, PROD_NAME, *HIERARCHY, CLASS)
TYPES: dict[str, type[pl.DataType]] = {
    **dict.fromkeys(TEXTS, pl.String),
    **dict.fromkeys((*SCORES, PROBABILITY, *PRICES, *POSTERIORS, *PRIORS), pl.Float32),
    BASKETS: pl.UInt32,
}
NEEDED = (PROD_CODE, *SCORES, CLASS, PROBABILITY, BASKETS)
"""Columns without nulls."""


def read_index(path: Path) -> pl.DataFrame:
    """Read a product index: columns and values are those of :data:`table.COLUMNS`.

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        If it is too large, no Parquet file, or anything in it is not as training writes it.
    """
    with path.open("rb") as stream:
        data = stream.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise ValueError(f"it has more than {MAX_BYTES:,} bytes")
    check_parquet(data)
    schema = pl.read_parquet_schema(io.BytesIO(data))
    # An earlier version wrote none of the columns that were added since.
    if schema.keys() | {PROD_NAME} not in (set(COLUMNS), set(COLUMNS) - ADDED | {PROD_NAME}):
        raise ValueError(f"its columns are not {', '.join(COLUMNS)}")
    wrong = [name for name, kind in schema.items() if kind not in (TYPES[name], pl.Null)]
    if wrong:
        raise ValueError(f"its column {wrong[0]} is of type {schema[wrong[0]]}"[:200])
    index = pl.read_parquet(io.BytesIO(data)).cast({name: TYPES[name] for name in schema})
    _check_values(index)
    return index


def _check_values(index: pl.DataFrame) -> None:
    texts = pl.col(name for name in TEXTS if name in index.columns)
    if index.select(texts.str.len_bytes().cast(pl.UInt64).sum()).sum_horizontal().sum() > MAX_TEXT:
        raise ValueError(f"its texts have more than {MAX_TEXT:,} bytes")
    added = [name for name in (*POSTERIORS, *PRIORS) if name in index.columns]
    holes = [name for name in (*NEEDED, *added) if index[name].null_count()]
    if holes:
        raise ValueError(f"its column {holes[0]} has nulls")
    prices = [name for name in PRICES if name in index.columns]
    numbers = pl.col(*SCORES, PROBABILITY, *prices, *added)
    if not index.select(numbers.is_finite().all()).select(pl.all_horizontal(pl.all())).item():
        raise ValueError("it has numbers that are not finite")
    shares = index.select(pl.col(PROBABILITY, *added).is_between(0, 1).all())
    if not shares.select(pl.all_horizontal(pl.all())).item() or not (
        index[CLASS].is_in(INDEX_LABELS).all()
    ):
        raise ValueError(f"its {CLASS} or {PROBABILITY} is out of range")
    if index[PROD_CODE].n_unique() != index.height:
        raise ValueError(f"its {PROD_CODE} is not unique")
