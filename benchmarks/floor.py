"""The fourteen features in hand-written Polars: a lower bound of their cost.

It trusts its input (no line is refused, no basket lies in two files), keeps no silver layer, learns
no index, parts nothing. So it is not what Basketwise does, but what nothing that computes these
columns can do without: reading the files, one quantile, one group-by.
"""

from __future__ import annotations

import argparse
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import polars as pl

from benchmarks.data import csv_files

_TYPES = {
    "BASKET_ID": pl.Int64,
    "SHOP_WEEK": pl.Int32,
    "SHOP_WEEKDAY": pl.Int8,
    "SHOP_HOUR": pl.Int8,
    "QUANTITY": pl.Int32,
    "SPEND": pl.Float64,
    "PROD_CODE": pl.String,
    "STORE_FORMAT": pl.String,
    "STORE_REGION": pl.String,
    "BASKET_PRICE_SENSITIVITY": pl.String,
}
_TEXT = [name for name, dtype in _TYPES.items() if dtype == pl.String]
_LABELS = {"LA": "High", "MM": "Medium", "UM": "Low", "XX": "Unclassified"}
_CLASSES = pl.Enum(["Low", "Medium", "High", "Unclassified"])
_READERS = 2
"""Files read at once; parsing itself uses all cores, unpacking only one a file."""


def features(files: list[Path]) -> pl.DataFrame:
    """Return one row per basket with the fourteen features, in no particular order."""
    with ThreadPoolExecutor(_READERS) as pool:
        weeks = list(pool.map(_read, files))
        limit = pl.concat([week["SPEND"] for week in weeks]).quantile(0.99, "linear")
        baskets = pl.concat(pool.map(lambda week: _aggregate(week, limit), weeks))
    spend, lines = pl.col("total_spend"), pl.col("basket_size")
    return baskets.with_columns(
        pl.col("spend_std").fill_null(0.0),
        (spend / lines).alias("spend_per_item"),
        (pl.col("total_quantity") / pl.col("unique_products")).alias("quantity_per_product"),
        pl.col("price_sensitivity").replace_strict(_LABELS, default=None, return_dtype=_CLASSES),
        *(_encode(baskets[name]) for name in ("store_format", "store_region")),
    ).drop("store_format", "store_region")


def _read(file: Path) -> pl.DataFrame:
    lines = pl.read_csv(file, columns=list(_TYPES), schema_overrides=_TYPES)
    return lines.with_columns(pl.col(_TEXT).cast(pl.Categorical))


def _aggregate(lines: pl.DataFrame, limit: float | None) -> pl.DataFrame:
    spend, quantity = pl.col("SPEND").clip(upper_bound=limit), pl.col("QUANTITY")
    query = lines.lazy().group_by(pl.col("BASKET_ID").alias("basket_id"))
    once = ("SHOP_WEEK", "SHOP_WEEKDAY", "SHOP_HOUR", "STORE_FORMAT", "STORE_REGION")
    return query.agg(
        spend.sum().alias("total_spend"),
        spend.mean().alias("avg_spend"),
        spend.std().alias("spend_std"),
        pl.len().alias("basket_size"),
        quantity.sum().alias("total_quantity"),
        quantity.mean().alias("avg_quantity"),
        pl.col("PROD_CODE").n_unique().alias("unique_products"),
        *(pl.col(name).first().alias(name.lower()) for name in once),
        pl.col("BASKET_PRICE_SENSITIVITY").first().alias("price_sensitivity"),
    ).collect()


def _encode(values: pl.Series) -> pl.Series:
    """Replace each text by its place among the sorted ones."""
    ordered = values.unique().drop_nulls().cast(pl.String).sort()
    return values.cast(pl.Enum(ordered)).to_physical().alias(f"{values.name}_encoded")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    features(csv_files(given.data)).write_parquet(given.out)


if __name__ == "__main__":
    main()
