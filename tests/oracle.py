"""The fourteen ``basket`` features the plainest way, in pandas, to hold Basketwise against.

Written to be read, not to be quick: one group-by with a Python function per column. Nothing here
may come from the code that it checks, except the names of the columns and of the labels.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from basketwise.schema import (
    BASKET_ID,
    COLUMNS,
    DEFAULT_LABELS,
    LABEL,
    PROD_CODE,
    QUANTITY,
    SPEND,
    UNCLASSIFIED,
    Kind,
)

FEATURES: tuple[str, ...] = (
    "total_spend",
    "avg_spend",
    "spend_std",
    "basket_size",
    "total_quantity",
    "avg_quantity",
    "unique_products",
    "shop_week",
    "shop_weekday",
    "shop_hour",
    "spend_per_item",
    "quantity_per_product",
    "store_format_encoded",
    "store_region_encoded",
)

ENCODED: tuple[str, ...] = ("STORE_FORMAT", "STORE_REGION")

UNSEEN = -1

Outliers = Literal["clip", "drop", "keep"]
Encoders = dict[str, dict[str, int]]

_KNOWN = [column.name for column in COLUMNS]
_TEXT = [c.name for c in COLUMNS if c.kind in (Kind.ID, Kind.TEXT)]
_WHEN = ["SHOP_WEEK", "SHOP_WEEKDAY", "SHOP_HOUR"]


def read_raw(paths: Iterable[Path]) -> pd.DataFrame:
    """Read CSV files, compressed or not, into one frame; unknown columns are left out."""
    frames = [
        pd.read_csv(
            path,
            usecols=lambda name: name.upper() in _KNOWN,
            dtype=dict.fromkeys(_TEXT, "str"),
            keep_default_na=False,
            na_values=[""],
        ).rename(columns=str.upper)
        for path in paths
    ]
    return pd.concat(frames, ignore_index=True)


def accept(
    raw: pd.DataFrame,
    *,
    labels: Mapping[str, str] = DEFAULT_LABELS,
    duplicates: Literal["reject", "keep"] = "reject",
) -> pd.DataFrame:
    """Return the usable lines, in their order.

    A line needs BASKET_ID, PROD_CODE, a finite SPEND of at least 0, a finite QUANTITY above 0 and a
    known label or none.
    Of lines that are the same in every column the first one counts; a basket whose lines disagree
    on the label is left out altogether. Columns that are absent come out as nulls.
    """
    lines = raw.rename(columns=str.upper).reindex(columns=_KNOWN)
    for name in (SPEND, QUANTITY, *_WHEN):
        lines[name] = pd.to_numeric(lines[name], errors="coerce").astype("float64")
    folded = {given.upper(): meaning for given, meaning in labels.items()}
    stated = lines[LABEL].map(lambda given: isinstance(given, str) and bool(given.strip()))
    lines[LABEL] = lines[LABEL].map(
        lambda given: folded.get(given.strip().upper()) if isinstance(given, str) else None
    )
    usable = (
        lines[BASKET_ID].map(_present)
        & lines[PROD_CODE].map(_present)
        & lines[SPEND].map(lambda spend: math.isfinite(spend) and spend >= 0)
        & lines[QUANTITY].map(lambda quantity: math.isfinite(quantity) and quantity > 0)
        & (lines[LABEL].map(_present) | ~stated.astype(bool))
    )
    lines = lines[usable.astype(bool)]
    if duplicates == "reject":
        lines = lines.drop_duplicates()
    meanings = lines.groupby(BASKET_ID)[LABEL].nunique()
    agreed = lines[~lines[BASKET_ID].isin(meanings[meanings > 1].index)].reset_index(drop=True)
    label = agreed.groupby(BASKET_ID)[LABEL].transform("first")
    return agreed.assign(**{LABEL: label.where(label.notna(), UNCLASSIFIED)})


def outlier_limit(lines: pd.DataFrame, quantile: float = 0.99) -> float:
    """Return the exact quantile of SPEND in GBP, between two values by linear interpolation."""
    return float(np.quantile(lines[SPEND].to_numpy(), quantile, method="linear"))


def treat_outliers(lines: pd.DataFrame, how: Outliers, limit: float) -> pd.DataFrame:
    """Clip, drop or keep the lines with SPEND above the limit."""
    if how == "keep":
        return lines
    if how == "drop":
        return lines[lines[SPEND] <= limit].reset_index(drop=True)
    return lines.assign(**{SPEND: lines[SPEND].map(lambda spend: min(spend, limit))})


def fit_encoders(lines: pd.DataFrame, train: Collection[object] | None = None) -> Encoders:
    """Number the sorted categories of the training baskets from 0.

    ``train`` holds their BASKET_IDs; without it all baskets are training baskets. The keys are
    ``store_format`` and ``store_region``.
    """
    seen = lines if train is None else lines[lines[BASKET_ID].isin(list(train))]
    return {
        name.lower(): {value: code for code, value in enumerate(sorted(set(seen[name].dropna())))}
        for name in ENCODED
    }


def basket_features(lines: pd.DataFrame, encoders: Encoders) -> pd.DataFrame:
    """Return one row per basket, sorted by ``basket_id``.

    Columns: ``basket_id`` as the lines have it (text after :func:`read_raw`), the fourteen of
    :data:`FEATURES`, ``price_sensitivity``. Spend is in GBP. What a basket has once (week, weekday,
    hour, shop, label) is taken from its first line; week, weekday and hour are float64, NaN where
    unknown.
    """
    baskets = lines.groupby(BASKET_ID, sort=True)

    def each(source: str, function: Callable[[pd.Series], object]) -> pd.Series:
        return baskets[source].apply(function)

    def code(name: str) -> pd.Series:
        numbers = encoders[name.lower()]
        return each(name, lambda values: numbers.get(values.iloc[0], UNSEEN))

    columns = {
        "total_spend": each(SPEND, lambda spend: spend.sum()),
        "avg_spend": each(SPEND, lambda spend: spend.mean()),
        "spend_std": each(SPEND, lambda spend: spend.std(ddof=1) if len(spend) > 1 else 0.0),
        "basket_size": each(SPEND, len),
        "total_quantity": each(QUANTITY, lambda quantity: quantity.sum()),
        "avg_quantity": each(QUANTITY, lambda quantity: quantity.mean()),
        "unique_products": each(PROD_CODE, lambda products: len(set(products))),
        "shop_week": each("SHOP_WEEK", lambda weeks: weeks.iloc[0]),
        "shop_weekday": each("SHOP_WEEKDAY", lambda days: days.iloc[0]),
        "shop_hour": each("SHOP_HOUR", lambda hours: hours.iloc[0]),
        "spend_per_item": each(SPEND, lambda spend: spend.sum() / len(spend)),
        "quantity_per_product": each(QUANTITY, lambda quantity: quantity.sum())
        / each(PROD_CODE, lambda products: len(set(products))),
        "store_format_encoded": code("STORE_FORMAT"),
        "store_region_encoded": code("STORE_REGION"),
        "price_sensitivity": each(LABEL, lambda labels: labels.iloc[0]),
    }
    table = pd.DataFrame(columns).reset_index(names="basket_id")
    return table[["basket_id", *FEATURES, "price_sensitivity"]]


def reference(
    raw: pd.DataFrame, *, outliers: Outliers = "clip", train: Collection[object] | None = None
) -> pd.DataFrame:
    """Go the whole way from raw lines to the fourteen features; see the functions it calls."""
    lines = accept(raw)
    lines = treat_outliers(lines, outliers, outlier_limit(lines))
    return basket_features(lines, fit_encoders(lines, train))


def _present(value: object) -> bool:
    return not pd.isna(value) and str(value).strip() != ""
