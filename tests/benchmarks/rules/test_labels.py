"""The rules on a few lines, computed by hand."""

from __future__ import annotations

import polars as pl
import pytest

from benchmarks.rules.labels import by_terciles, by_thresholds, labelled, labels_of, vote

LINES = pl.DataFrame(
    [
        (1, 1, 3.0, "LS", "LA"),
        (1, -1, 1.0, "LS", "LA"),
        (1, 0, 1.0, "LS", "LA"),
        (1, None, 9.0, "LS", "LA"),
        (2, None, 5.0, "SS", "MM"),
        (3, -1, 0.0, "SS", "XX"),
    ],
    schema=["BASKET_ID", "score", "SPEND", "STORE_FORMAT", "BASKET_PRICE_SENSITIVITY"],
    orient="row",
)


def test_lines_without_a_class_do_not_vote() -> None:
    assert vote(LINES)["balance"].to_list() == [0.0, None, -1.0]


def test_a_vote_can_be_weighted() -> None:
    weighted = vote(LINES, pl.col("SPEND"), keep="STORE_FORMAT")
    assert weighted["balance"].to_list() == [pytest.approx(0.4), None, None]
    assert weighted["STORE_FORMAT"].to_list() == ["LS", "SS", "SS"]


def test_thresholds_belong_to_the_lower_class() -> None:
    balances = [-0.19, -0.18, -0.17, 0.23, 0.24, None]
    labels = by_thresholds(pl.DataFrame({"BASKET_ID": range(6), "balance": balances}))
    assert labels["BASKET_PRICE_SENSITIVITY"].to_list() == ["UM", "UM", "MM", "MM", "LA", "XX"]


def test_terciles_are_equally_large() -> None:
    labels = by_terciles(pl.DataFrame({"BASKET_ID": range(90), "price": range(90)}), "price")
    counts = dict(labels["BASKET_PRICE_SENSITIVITY"].value_counts().iter_rows())
    assert counts == {
        "UM": pytest.approx(30, abs=1),
        "MM": pytest.approx(30, abs=1),
        "LA": pytest.approx(30, abs=1),
    }
    assert labels["BASKET_PRICE_SENSITIVITY"][0] == "UM"


def test_baskets_without_a_new_label_are_left_out() -> None:
    new = pl.DataFrame({"BASKET_ID": [1, 3], "BASKET_PRICE_SENSITIVITY": ["UM", "MM"]})
    lines = labelled(LINES, new)
    assert labels_of(lines).rows() == [(1, "UM"), (3, "MM")]
    assert lines["SPEND"].to_list() == [3.0, 1.0, 1.0, 9.0, 0.0]
