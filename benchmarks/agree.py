"""Refuses to compare what does not compute the same.

Holds the fourteen features of two results to each other, basket by basket. Baskets without a class
are left out, since Basketwise's gold files do not have them; so are the two encoded columns, whose
numbers depend on which baskets were for training.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import polars as pl

_EXACT = ("basket_size", "total_quantity", "unique_products", "shop_week", "shop_weekday")
_EXACT_TOO = ("shop_hour", "price_sensitivity")
_CLOSE = (
    "total_spend",
    "avg_spend",
    "spend_std",
    "avg_quantity",
    "spend_per_item",
    "quantity_per_product",
)
_TOLERANCE = 1e-6
"""Relative, or in GBP below 1; a column kept as float32 passes the wider one below."""
_FLOAT32_TOLERANCE = 1e-5


def disagreements(first: pl.DataFrame, other: pl.DataFrame) -> list[str]:
    """Say in what two results differ; an empty list means they agree."""
    first, other = (
        frame.filter(pl.col("price_sensitivity") != "Unclassified") for frame in (first, other)
    )
    both = first.join(other, on="basket_id", suffix="_other")
    if not first.height == other.height == both.height:
        return [f"{first.height} and {other.height} baskets, {both.height} of them the same"]
    results = []
    for name in (*_EXACT, *_EXACT_TOO):
        left, right = both[name], both[f"{name}_other"]
        if wrong := int((left != right).fill_null(True).sum()):
            results.append(f"{name} differs in {wrong} baskets")
    for name in _CLOSE:
        left, right = both[name], both[f"{name}_other"]
        single = pl.Float32 in (left.dtype, right.dtype)
        allowed = _FLOAT32_TOLERANCE if single else _TOLERANCE
        gap = (left.cast(pl.Float64) - right.cast(pl.Float64)).abs()
        differs = gap > allowed * right.cast(pl.Float64).abs().clip(lower_bound=1.0)
        if wrong := int(differs.fill_null(True).sum()):
            results.append(f"{name} differs in {wrong} baskets, by up to {gap.max()!r}")
    return results


def _read(path: Path) -> pl.DataFrame:
    files = sorted(path.glob("*_features.parquet")) if path.is_dir() else [path]
    columns = ["basket_id", *_EXACT, *_EXACT_TOO, *_CLOSE]
    return pl.concat(
        pl.read_parquet(file, columns=columns).with_columns(
            pl.col("basket_id").cast(pl.Int64), pl.col("price_sensitivity").cast(pl.String)
        )
        for file in files
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("first", type=Path, help="a Parquet file, or a gold folder")
    parser.add_argument("other", type=Path, help="a Parquet file, or a gold folder")
    given = parser.parse_args()
    if result := disagreements(_read(given.first), _read(given.other)):
        raise SystemExit(f"{given.first} and {given.other} disagree: " + "; ".join(result))


if __name__ == "__main__":
    main()
