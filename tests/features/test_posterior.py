import math

import polars as pl
import pytest

from basketwise.features.recipe import Recipe, features
from tests.features.computing import ENCODERS, scored_by

INDEX = pl.DataFrame(
    {
        "PROD_CODE": ["cheap", "dear", "open", "mute"],
        "posterior_low": [0.0, 1.0, 0.5, 0.0],
        "posterior_medium": [0.0, 0.0, 0.0, 0.0],
        "posterior_high": [1.0, 0.0, 0.5, 0.0],
        "posterior_unclassified": [0.0, 0.0, 0.0, 1.0],
        "new": [False, False, True, False],
    }
)


def basket(group: str, *lines: tuple[str, float, float]) -> dict[str, float]:
    products, spends, quantities = zip(*lines, strict=True)
    table = pl.DataFrame(
        {"BASKET_ID": 1, "PROD_CODE": products, "SPEND": spends, "QUANTITY": quantities}
    )
    recipe = Recipe([group], ENCODERS, "keep", 0.0)
    (row,) = features(table, recipe, scored_by(INDEX)).drop("basket_id").to_dicts()
    return row


def test_certain_classes_are_counted() -> None:
    row = basket("posterior", *[(name, 1.0, 1.0) for name in ("cheap", "cheap", "dear", "mute")])
    assert row == {
        "posterior_low": pytest.approx(1 / 3),
        "posterior_medium": 0,
        "posterior_high": pytest.approx(2 / 3),
        "posterior_balance": pytest.approx(1 / 3),
        "posterior_doubt": pytest.approx(0, abs=1e-7),
        "posterior_telling": 0.75,
    }


def test_doubt_is_the_deviation_of_the_balance() -> None:
    row = basket("posterior", ("cheap", 1.0, 1.0), ("open", 1.0, 1.0))
    # With the open product High the balance is 1, with it Low 0.
    assert row["posterior_balance"] == 0.5
    assert row["posterior_doubt"] == 0.5


def test_nothing_that_tells_is_zero() -> None:
    for group, prefix in (("posterior", "posterior"), ("weighted", "spend")):
        row = basket(group, ("mute", 3.0, 1.0))
        assert {row[f"{prefix}_{name}"] for name in ("low", "high", "balance", "doubt")} == {0}
        assert all(math.isfinite(value) for value in row.values())


def test_amounts_weigh_lines() -> None:
    row = basket("weighted", ("cheap", 9.0, 1.0), ("dear", 1.0, 3.0), ("mute", 5.0, 5.0))
    assert row["spend_high"] == pytest.approx(0.9)
    assert row["spend_balance"] == pytest.approx(0.8)
    assert row["quantity_high"] == pytest.approx(0.25)
    assert row["quantity_balance"] == pytest.approx(-0.5)


def test_returns_weigh_nothing() -> None:
    row = basket("weighted", ("cheap", 2.0, 1.0), ("dear", -50.0, -1.0))
    assert row["spend_balance"] == row["quantity_balance"] == 1
