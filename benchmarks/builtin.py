"""The fourteen features in pandas as somebody writes them who knows pandas well.

Built-in aggregations, only the columns that are needed, categories for text. It trusts its input:
no line is refused. Beside :mod:`benchmarks.naive` it shows what is due to pandas and what is due
to calling Python for every basket.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import pandas as pd

from benchmarks.data import csv_files

_TYPES = {
    "BASKET_ID": "int64",
    "SHOP_WEEK": "int32",
    "SHOP_WEEKDAY": "int8",
    "SHOP_HOUR": "int8",
    "QUANTITY": "int32",
    "SPEND": "float64",
    "PROD_CODE": "category",
    "STORE_FORMAT": "category",
    "STORE_REGION": "category",
    "BASKET_PRICE_SENSITIVITY": "category",
}
_LABELS = {"LA": "High", "MM": "Medium", "UM": "Low", "XX": "Unclassified"}


def features(files: list[Path]) -> pd.DataFrame:
    """Return one row per basket with the fourteen features, sorted by ``basket_id``."""
    lines = pd.concat(
        [pd.read_csv(file, usecols=list(_TYPES), dtype=_TYPES) for file in files],
        ignore_index=True,
    )
    lines["SPEND"] = lines["SPEND"].clip(upper=lines["SPEND"].quantile(0.99))
    table = lines.groupby("BASKET_ID").agg(
        total_spend=("SPEND", "sum"),
        avg_spend=("SPEND", "mean"),
        spend_std=("SPEND", "std"),
        basket_size=("SPEND", "size"),
        total_quantity=("QUANTITY", "sum"),
        avg_quantity=("QUANTITY", "mean"),
        unique_products=("PROD_CODE", "nunique"),
        shop_week=("SHOP_WEEK", "first"),
        shop_weekday=("SHOP_WEEKDAY", "first"),
        shop_hour=("SHOP_HOUR", "first"),
        store_format=("STORE_FORMAT", "first"),
        store_region=("STORE_REGION", "first"),
        price_sensitivity=("BASKET_PRICE_SENSITIVITY", "first"),
    )
    table["spend_std"] = table["spend_std"].fillna(0.0)
    table["spend_per_item"] = table["total_spend"] / table["basket_size"]
    table["quantity_per_product"] = table["total_quantity"] / table["unique_products"]
    for name in ("store_format", "store_region"):
        table[f"{name}_encoded"] = pd.Categorical(table.pop(name).astype("str")).codes
    table["price_sensitivity"] = table["price_sensitivity"].astype("str").map(_LABELS)
    return table.rename_axis("basket_id").reset_index()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    features(csv_files(given.data)).to_parquet(given.out)


if __name__ == "__main__":
    main()
