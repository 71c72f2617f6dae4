"""What was known of a customer before a basket, against a loop that looks at every earlier one."""

from __future__ import annotations

from datetime import date

import numpy as np
import polars as pl
import pytest

import basketwise.features.history as module
from basketwise.features.customer import COLUMNS, aggregates
from basketwise.features.history import SMOOTHING, History, empty_history, history_of
from basketwise.schema import CLASSES

SHARES = (0.5, 0.3, 0.2)
TYPES = {
    "_CUST_CODE": pl.String,
    "_SHOP_WEEK": pl.Int32,
    "_SHOP_DATE": pl.Int32,
    "_SHOP_HOUR": pl.Int32,
    "label": pl.String,
}

Row = tuple[str | None, int | None, int | None, int | None, str]


def baskets(*rows: Row) -> pl.DataFrame:
    """One row per basket: customer, week, date, hour, label."""
    return pl.DataFrame(rows, schema=TYPES, orient="row")


def ask(known: pl.DataFrame, *rows: Row) -> list[dict[str, float]]:
    return History(history_of(known), SHARES).add(baskets(*rows)).select(COLUMNS).to_dicts()


DATED = baskets(
    ("A", 200701, 20070101, 9, "High"),
    ("A", 200701, 20070101, 17, "Low"),
    ("A", 200702, 20070108, 9, "High"),
    ("A", 200702, 20070108, 9, "Medium"),
    ("B", 200701, 20070102, None, "Low"),
)


def test_only_strictly_earlier_baskets_of_the_customer_count() -> None:
    times = [(20070101, 9), (20070101, 10), (20070101, 17), (20070108, 9), (20070108, 10)]
    answers = ask(DATED, *(("A", 200702, day, hour, "") for day, hour in times))
    assert [row["customer_baskets"] for row in answers] == [0, 1, 1, 2, 4]
    assert [row["customer_latest"] for row in answers] == [0, 1, 1, -1, 0.5]
    assert [row["customer_weeks"] for row in answers] == [0, 0, 0, 1, 0]


def test_shares_are_smoothed_towards_those_of_all() -> None:
    (row,) = ask(DATED, ("A", 200703, 20070115, None, ""))
    counts = np.array([1, 1, 2])
    expected = (counts + SMOOTHING * np.array(SHARES)) / (4 + SMOOTHING)
    assert [row[f"customer_{name.lower()}"] for name in CLASSES] == pytest.approx(expected)
    assert row["customer_balance"] == pytest.approx(expected[2] - expected[0])
    assert row["customer_weeks"] == 1


@pytest.mark.parametrize(
    "row",
    [
        (None, 200703, 20070115, 9, ""),
        ("C", 200703, 20070115, 9, ""),
        ("A", 200703, None, None, ""),
        ("A", 200652, 20061231, 9, ""),
    ],
    ids=["no card", "another customer", "no date", "before all"],
)
@pytest.mark.parametrize("known", [DATED, DATED.clear()], ids=["history", "no history"])
def test_of_whom_nothing_is_known_the_shares_of_all_are_expected(
    row: Row, known: pl.DataFrame
) -> None:
    (result,) = ask(known, row)
    assert [result[f"customer_{name.lower()}"] for name in CLASSES] == pytest.approx(SHARES)
    assert result["customer_balance"] == pytest.approx(SHARES[2] - SHARES[0])
    assert {result[f"customer_{name}"] for name in ("baskets", "latest", "weeks")} == {0}


def test_an_unknown_hour_is_never_earlier_than_another_of_its_day() -> None:
    same, after = ask(DATED, ("B", 200701, 20070102, 23, ""), ("B", 200701, 20070103, None, ""))
    assert (same["customer_baskets"], after["customer_baskets"]) == (0, 1)
    (asked,) = ask(DATED, ("A", 200701, 20070101, None, ""))
    assert asked["customer_baskets"] == 0


def test_without_all_dates_weeks_decide() -> None:
    known = baskets(
        ("A", 200651, None, None, "Low"),
        ("A", 200652, 20061230, 9, "High"),
        ("A", 0, None, None, "High"),
    )
    table = history_of(known)
    assert table["SHOP_WEEK"].to_list() == [200651, 200652]
    assert table["SHOP_DATE"].null_count() == 2
    rows = [("A", week, None, None, "") for week in (200651, 200652, 200702, 0, None)]
    answers = ask(known, *rows)
    assert [row["customer_baskets"] for row in answers] == [0, 1, 2, 0, 0]
    assert [row["customer_weeks"] for row in answers] == [0, 1, 2, 0, 0]


def test_a_dictionary_and_a_join_say_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(4)

    def drawn(number: int) -> pl.DataFrame:
        days = [date(2007, 1, 1).toordinal() + int(day) for day in rng.integers(0, 40, number)]
        dates = [int(date.fromordinal(day).strftime("%Y%m%d")) for day in days]
        names = [None if k == 0 else f"C{k}" for k in rng.integers(0, 12, number)]
        hours = rng.integers(8, 12, number).tolist()
        labels = rng.choice(CLASSES, number).tolist()
        return baskets(*zip(names, [200701] * number, dates, hours, labels, strict=True))

    known, asked = drawn(300), drawn(200)
    history = History(history_of(known), SHARES)
    result = history.add(asked)
    monkeypatch.setattr(module, "FEW", 0)
    assert history.add(asked).equals(result)
    labels = known.rows(named=True)
    for row in result.rows(named=True):
        earlier = [
            other
            for other in labels
            if other["_CUST_CODE"] == row["_CUST_CODE"] is not None
            and (other["_SHOP_DATE"], other["_SHOP_HOUR"]) < (row["_SHOP_DATE"], row["_SHOP_HOUR"])
        ]
        assert row["customer_baskets"] == len(earlier)
        for name, share in zip(CLASSES, SHARES, strict=True):
            number = sum(other["label"] == name for other in earlier)
            expected = (number + SMOOTHING * share) / (len(earlier) + SMOOTHING)
            assert row[f"customer_{name.lower()}"] == pytest.approx(expected)


def test_weeks_are_counted_across_months_and_leap_years() -> None:
    known = baskets(("A", 200401, 20040101, 9, "High"))
    days = [20040108, 20040229, 20040301, 20050101, 21000301]
    answers = ask(known, *(("A", 200401, day, 9, "") for day in days))
    since = [(date(d // 10000, d // 100 % 100, d % 100) - date(2004, 1, 1)).days for d in days]
    assert [row["customer_weeks"] * 7 for row in answers] == pytest.approx(since)


def test_customer_and_time_are_those_of_any_line_that_names_them() -> None:
    lines = pl.DataFrame(
        {
            "BASKET_ID": [1, 1],
            "CUST_CODE": [None, "A"],
            **{name: pl.Series([None, 7], dtype=pl.Int32) for name in ("SHOP_WEEK", "SHOP_HOUR")},
            "SHOP_DATE": [20070101, 20070101],
        }
    )
    (row,) = lines.group_by("BASKET_ID").agg(aggregates()).rows(named=True)
    assert (row["_CUST_CODE"], row["_SHOP_WEEK"], row["_SHOP_HOUR"]) == ("A", 7, 7)


def test_an_empty_history_has_the_columns_of_any() -> None:
    assert empty_history().schema == history_of(DATED).schema
    assert history_of(DATED.clear()).equals(empty_history())


def test_rows_are_customers_and_times() -> None:
    table = history_of(DATED)
    counts = ["low", "medium", "high"]
    assert table.select("CUST_CODE", "SHOP_DATE", "SHOP_HOUR", *counts).rows() == [
        ("A", 20070101, 9, 0, 0, 1),
        ("A", 20070101, 17, 1, 0, 0),
        ("A", 20070108, 9, 0, 1, 1),
        ("B", 20070102, None, 1, 0, 0),
    ]
