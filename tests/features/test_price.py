import math

import polars as pl
import pytest

from basketwise.features.recipe import Recipe, features
from tests.features.computing import ENCODERS, scored_by

INDEX = pl.DataFrame(
    {
        "PROD_CODE": ["tea", "new", "odd"],
        "unit_price": [2.0, None, None],
        "group_price": [4.0, 4.0, None],
    },
    schema_overrides={"unit_price": pl.Float32, "group_price": pl.Float32},
)


def basket(*lines: tuple[str, float, float]) -> dict[str, float]:
    products, spends, quantities = zip(*lines, strict=True)
    table = pl.DataFrame(
        {"BASKET_ID": 1, "PROD_CODE": products, "SPEND": spends, "QUANTITY": quantities}
    )
    recipe = Recipe(["price"], ENCODERS, "keep", 0.0)
    (row,) = features(table, recipe, scored_by(INDEX)).drop("basket_id").to_dicts()
    return row


def test_a_price_is_that_of_one_unit() -> None:
    row = basket(("tea", 2.0, 2.0), ("tea", 8.0, 2.0))
    half, twice = math.log(0.5), math.log(2)
    assert row["own_price_mean"] == pytest.approx(0, abs=1e-12)
    assert (row["own_price_min"], row["own_price_max"]) == pytest.approx((half, twice))
    assert row["own_price_std"] == pytest.approx(math.sqrt(2) * twice)
    assert row["own_price_below"] == 0.5
    assert row["group_price_ratio"] == pytest.approx((0.25 + 1) / 2)
    assert row["group_price_cheap"] == 0.5


def test_a_new_product_has_its_groups_price() -> None:
    row = basket(("new", 8.0, 1.0))
    assert row["own_price_mean"] == 0
    assert row["group_price_mean"] == pytest.approx(math.log(2))


@pytest.mark.parametrize("line", [("odd", 1.0, 1.0), ("tea", -2.0, -1.0), ("tea", 2.0, 0.0)])
def test_without_a_ratio_a_line_is_as_usual(line: tuple[str, float, float]) -> None:
    row = basket(line)
    assert row.pop("group_price_ratio") == 1
    assert set(row.values()) == {0}
