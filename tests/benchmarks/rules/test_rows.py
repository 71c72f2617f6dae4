"""The data sets that are made of generated lines."""

from __future__ import annotations

from collections import Counter
from math import pi, sin
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from benchmarks.rules import rows as rows_module
from benchmarks.rules.labels import labels_of
from benchmarks.rules.lgsr import THRESHOLDS
from benchmarks.rules.lines import Made, Source
from benchmarks.rules.rows import rows_of

LABEL = "BASKET_PRICE_SENSITIVITY"
ROWS = rows_of(None)
WEIGHTS = {"a": "SPEND", "b": "QUANTITY"}


def made(source: Source, name: str) -> Made:
    return ROWS[name].make(source)


def expected_label(balance: float | None, low: float, high: float) -> str:
    if balance is None:
        return "XX"
    return "UM" if balance <= low else "MM" if balance <= high else "LA"


def balances(source: Source, lines: pl.DataFrame, weight: str = "") -> dict[int, float | None]:
    """Compute the balances line by line."""
    up: Counter[int] = Counter()
    total: Counter[int] = Counter()
    score_of = dict(source.classes.iter_rows())
    weights = lines[weight] if weight else [1] * lines.height
    for (basket, product), counts in zip(
        lines.select("BASKET_ID", "PROD_CODE").iter_rows(), weights, strict=True
    ):
        score = score_of[product]
        up[basket] += 0 if score is None else score * counts
        total[basket] += 0 if score is None else counts
    return {basket: up[basket] / total[basket] if total[basket] else None for basket in total}


@pytest.mark.parametrize("name", ["weeks-1", "weeks-4", "weeks-16"])
def test_few_weeks_keep_their_labels(source: Source, name: str) -> None:
    weeks = made(source, name).lines["SHOP_WEEK"].unique().to_list()
    assert sum(week < 200733 for week in weeks) == int(name.partition("-")[2])
    assert max(weeks) == 200740
    kept = source.lines.filter(pl.col("SHOP_WEEK").is_in(weeks))
    assert labels_of(made(source, name).lines).equals(labels_of(kept))


@pytest.mark.parametrize("percent", [5, 20])
def test_noise_flips_the_share_that_it_says(source: Source, percent: int) -> None:
    noisy = made(source, f"noise-{percent}")
    assert noisy.clean is not None
    pairs = labels_of(noisy.lines).join(noisy.clean, on="BASKET_ID", how="full")
    assert pairs.null_count().sum_horizontal().item() == 0
    flipped = (pairs[LABEL] != pairs[f"{LABEL}_right"]).mean()
    assert flipped == pytest.approx(percent / 100, abs=0.04)
    assert "XX" not in pairs[LABEL]
    original = labels_of(source.lines)
    assert noisy.clean.join(original, on=["BASKET_ID", LABEL]).height == noisy.clean.height


@pytest.mark.parametrize("name", ["a", "b", "d", "g", "h"])
def test_votes_agree_with_those_counted_line_by_line(source: Source, name: str) -> None:
    lines = made(source, name).lines
    old = lines.with_columns(pl.col("PROD_CODE").str.strip_prefix("NEW"))
    formats = dict(lines.select("BASKET_ID", "STORE_FORMAT").iter_rows())
    thresholds = dict.fromkeys(formats, THRESHOLDS["LS"])
    if name == "d":
        thresholds = {basket: THRESHOLDS[store] for basket, store in formats.items()}
    if name == "h":
        weeks = dict(lines.select("BASKET_ID", "SHOP_WEEK").iter_rows())
        shift = {basket: 0.3 * sin(2 * pi * (week % 100) / 52) for basket, week in weeks.items()}
        thresholds = {basket: (-0.18 + by, 0.23 + by) for basket, by in shift.items()}
    expected = {
        basket: expected_label(balance, *thresholds[basket])
        for basket, balance in balances(source, old, WEIGHTS.get(name, "")).items()
    }
    assert dict(labels_of(lines).iter_rows()) == expected


def test_prices_are_compared_within_the_group(source: Source) -> None:
    lines = made(source, "c1").lines
    price = pl.col("SPEND") / pl.col("QUANTITY")
    usual = {
        group: float(np.median(prices))
        for group, prices in lines.filter(pl.col("SHOP_WEEK") < 200733)
        .group_by("PROD_CODE_10")
        .agg(price.alias("price"))
        .iter_rows()
    }
    relative: dict[str, list[float]] = {"UM": [], "MM": [], "LA": []}
    for _, own in lines.group_by("BASKET_ID"):
        ratios = [
            unit / usual.get(group, unit)
            for unit, group in own.select(price, "PROD_CODE_10").iter_rows()
        ]
        relative[own[LABEL][0]].append(float(np.mean(ratios)))
    assert max(relative["UM"]) <= min(relative["MM"]) + 1e-12
    assert max(relative["MM"]) <= min(relative["LA"]) + 1e-12


def test_the_customer_decides(source: Source) -> None:
    lines = made(source, "e").lines
    assert lines["CUST_CODE"].null_count() == 0
    counts = labels_of(lines)[LABEL].value_counts(normalize=True)
    assert counts["proportion"].to_list() == pytest.approx([1 / 3] * 3, abs=0.02)
    order = {"UM": -1, "MM": 0, "LA": 1}
    baskets = lines.group_by("BASKET_ID").agg(pl.col("CUST_CODE", LABEL).first())
    value = pl.col(LABEL).replace_strict(order, return_dtype=pl.Int8)
    within = baskets.select(value.std().over("CUST_CODE").mean()).item()
    assert within < 0.8 * baskets.select(value.std()).item()


@pytest.mark.parametrize(("name", "changed_from"), [("f1", 200725), ("f2", 200733)])
def test_products_change_their_class(source: Source, name: str, changed_from: int) -> None:
    changing, constant = made(source, name), source.block(16, 200733, 200736)
    early = pl.col("SHOP_WEEK") < changed_from
    expected = {
        basket: expected_label(balance, *THRESHOLDS["LS"])
        for basket, balance in balances(source, constant).items()
    }
    before, after = (
        dict(labels_of(changing.lines.filter(when)).iter_rows()) for when in (early, ~early)
    )
    assert all(expected[basket] == label for basket, label in before.items())
    assert any(expected[basket] != label for basket, label in after.items())


def test_new_products_are_in_the_test_set_only(source: Source) -> None:
    lines = made(source, "g").lines
    new = pl.col("PROD_CODE").str.starts_with("NEW")
    assert set(lines.filter(new)["SHOP_WEEK"]) == {200733, 200734, 200735, 200736}
    assert lines.filter(new)["PROD_CODE"].n_unique() == 18
    renamed = lines.filter(new)["PROD_CODE"].str.strip_prefix("NEW")
    test = lines.filter(pl.col("SHOP_WEEK") >= 200733)
    assert not set(renamed) & set(test["PROD_CODE"])


def test_the_generated_range_has_the_columns_of_the_files(
    source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rows_module, "GENERATED_BASKETS", 200)
    monkeypatch.setattr(rows_module, "GENERATED_PRODUCTS", 60)
    assert set(made(source, "generated").lines.columns) == set(source.lines.columns)


def test_journey_is_a_row_where_its_folder_is_known() -> None:
    assert "journey" not in ROWS
    assert "journey" in rows_of(Path("elsewhere"))


def test_a_row_needs_its_feature_group(monkeypatch: pytest.MonkeyPatch) -> None:
    row = ROWS["e-customer"]
    monkeypatch.setattr(rows_module, "FEATURE_GROUPS", ("basket", "product"))
    assert not row.available
    monkeypatch.setattr(rows_module, "FEATURE_GROUPS", ("basket", "product", "customer"))
    assert row.available
    assert row.settings == ["features.groups=basket,product,customer"]
