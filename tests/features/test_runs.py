"""Aggregates over runs of lines, held to those of groups bit by bit."""

import math
from collections.abc import Callable
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from basketwise.features import recipe
from basketwise.features.product_index.by_fold import FoldLookup
from basketwise.features.product_index.table import ANSWERS, SCORES
from basketwise.features.recipe import Recipe, features
from basketwise.features.runs import runs_of, shared
from basketwise.features.unseen import KNOWN

PRODUCTS = [f"P{number}" for number in range(7)]
CLASSES = ("Low", "Medium", "High", "Unclassified")
ENCODERS = {"store_format": ["LS", "MS"], "store_region": ["E01"]}
GROUPS = ["basket", "product", "posterior", "weighted", "price", "season"]


def _number(seed: int, *, exact: bool) -> float:
    number = math.sin(seed)
    return round(number * 2**24) / 2**24 if exact else number


def index(folds: int = 2, products: list[str] = PRODUCTS) -> pl.DataFrame:
    rows = [
        {
            "PROD_CODE": product,
            "fold": fold,
            # Most of them can be added up without rounding.
            **{name: _number(n + 9 * fold + len(name), exact=n != 4) for name in ANSWERS},
            **(dict.fromkeys(SCORES, -0.0) if n == 3 else {}),
            "class": CLASSES[(n + fold) % 4],
            "unit_price": None if n == 5 else 1.5,
            "new": n == 2,
        }
        for fold in range(-1, folds)
        for n, product in enumerate(products)
    ]
    return pl.DataFrame(rows, schema_overrides={"fold": pl.Int8})


_LINE = st.fixed_dictionaries(
    {
        "BASKET_ID": st.integers(1, 6),
        "PROD_CODE": st.sampled_from(PRODUCTS),
        "SPEND": st.sampled_from([-0.0, 0.1, 0.2, 0.3, 7.77, 123.45, -2.5]),
        "QUANTITY": st.sampled_from([1.0, 2.0, 0.456, 0.0]),
        "SHOP_WEEK": st.sampled_from([200607, 200608]),
        "SHOP_WEEKDAY": st.just(3),
        "SHOP_HOUR": st.sampled_from([9, None]),
        "STORE_FORMAT": st.sampled_from(["LS", "MS", None]),
        "STORE_REGION": st.just("E01"),
    }
)
LINES = st.lists(_LINE, min_size=1, max_size=40)
TYPES = {
    **dict.fromkeys(("SHOP_WEEK", "SHOP_WEEKDAY", "SHOP_HOUR"), pl.Int32),
    **dict.fromkeys(("STORE_FORMAT", "STORE_REGION"), pl.String),
}


def frame(rows: list[dict[str, Any]], *by: str) -> pl.DataFrame:
    # Polars does not know that they are sorted, as when they were read.
    rows = sorted(rows, key=lambda row: tuple(row[name] for name in by))
    lines = pl.DataFrame(rows, schema_overrides=TYPES)
    return lines.with_columns((pl.col("BASKET_ID") % 3 - 1).cast(pl.Int8).alias("fold"))


def bits(table: pl.DataFrame) -> list[list[Any]]:
    return [[repr(value) for value in row] for row in table.rows()]


@pytest.fixture
def by_runs(monkeypatch: pytest.MonkeyPatch) -> Callable[..., pl.DataFrame]:
    def computed(lines: pl.DataFrame, own: Recipe, lookup: FoldLookup | None) -> pl.DataFrame:
        with monkeypatch.context() as patch:
            patch.setattr(recipe, "FEW", 0)
            patch.setattr(pl.LazyFrame, "group_by", _no_ids(pl.LazyFrame.group_by))
            return features(lines, own, lookup)

    return computed


def _no_ids(group_by: Callable[..., Any]) -> Callable[..., Any]:
    def guarded(self: pl.LazyFrame, *by: Any, **named: Any) -> Any:
        assert by != ("BASKET_ID",), "these are groups"
        return group_by(self, *by, **named)

    return guarded


@pytest.mark.parametrize("how", ["keep", "clip", "drop"])
@pytest.mark.parametrize("by", [("BASKET_ID",), ("BASKET_ID", "PROD_CODE")])
def test_the_same_bits(how: str, by: tuple[str, ...], by_runs: Any) -> None:
    @settings(max_examples=40)
    @given(LINES)
    def check(rows: list[dict[str, Any]]) -> None:
        # Two lines that no treatment drops: Polars knows of a single one that it is sorted.
        rows = [*rows, *[{**rows[0], "SPEND": 0.7}] * 2]
        lines, lookup = frame(rows, *by), FoldLookup(index())
        own = Recipe(GROUPS, ENCODERS, how, 5.0, (KNOWN,))
        assert bits(by_runs(lines, own, lookup)) == bits(features(lines, own, lookup))

    check()


def test_without_an_index(by_runs: Any) -> None:
    rows = [{**_SAME, "SPEND": spend, "PROD_CODE": p} for spend, p in [(0.1, "B"), (0.2, "A")]]
    lines, own = frame(rows, "BASKET_ID"), Recipe(["basket"], ENCODERS, "keep", 0.0)
    table = by_runs(lines, own, None)
    assert bits(table) == bits(features(lines, own))
    assert table["unique_products"].to_list() == [2]


_SAME: dict[str, Any] = {
    "BASKET_ID": 1,
    "PROD_CODE": "P0",
    "SPEND": 1.0,
    "QUANTITY": 1.0,
    "SHOP_WEEK": 200607,
    "SHOP_WEEKDAY": 3,
    "SHOP_HOUR": 9,
    "STORE_FORMAT": "LS",
    "STORE_REGION": "E01",
}


@pytest.mark.parametrize(
    "lines",
    [
        frame([{**_SAME, "BASKET_ID": 2}, _SAME, {**_SAME, "BASKET_ID": 2}]),
        frame([_SAME, {**_SAME, "PROD_CODE": "unheard of"}]),
        frame([_SAME | {"SPEND": 0.1}, _SAME | {"SPEND": 0.2}]).set_sorted("BASKET_ID"),
    ],
    ids=["out of order", "unknown product", "known to be sorted"],
)
def test_what_runs_cannot_tell_groups_do(
    lines: pl.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    lookup = FoldLookup(index())
    own = Recipe(["basket", "product"], ENCODERS, "keep", 0.0)
    expected = features(lines, own, lookup)
    monkeypatch.setattr(recipe, "FEW", 0)
    assert bits(features(lines, own, lookup)) == bits(expected)


def test_rows_of_products_that_a_fold_does_not_know() -> None:
    known = index(1).filter(~((pl.col("fold") == 0) & (pl.col("PROD_CODE") == "P1")))
    lookup = FoldLookup(known)
    lines = pl.DataFrame(
        {"PROD_CODE": ["P1", "P1", "P6", "?"], "fold": pl.Series([-1, 0, 0, 0], dtype=pl.Int8)}
    )
    rows = lookup.rows(lines)
    assert lookup.known[rows].tolist() == [True, False, True, False]
    answers = lookup.answers[rows]
    assert answers.equals(lookup(lines).drop("PROD_CODE", "fold"))


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["a", "a", "b", "b", "b"], ["a", "b"]),
        (["a", "c", "b", "b", "b"], ["c", "b"]),
        ([None, "c", None, None, None], ["c", None]),
        ([None] * 5, [None, None]),
        ([1, 1, 4, 5, 4], [1, 5]),
    ],
)
def test_the_largest_value_of_a_basket(values: list[Any], expected: list[Any]) -> None:
    runs = runs_of(pl.Series("BASKET_ID", [3, 3, 7, 7, 7]))
    assert runs is not None
    assert shared(pl.Series("value", values), runs).to_list() == expected
