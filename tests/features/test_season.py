import math

import polars as pl
import pytest

from basketwise.features.recipe import Recipe, features
from tests.features.computing import ENCODERS


def season(week: int | None) -> tuple[float, float]:
    table = pl.DataFrame(
        {"BASKET_ID": [1], "SHOP_WEEK": [week]}, schema_overrides={"SHOP_WEEK": pl.Int32}
    )
    row = features(table, Recipe(["season"], ENCODERS, "keep", 0.0))
    return row["season_sin"].item(), row["season_cos"].item()


def test_the_year_is_a_circle() -> None:
    assert season(200701) == (0, 1)
    assert season(200614) == pytest.approx((1, 0), abs=0.01)
    assert math.dist(season(200652), season(200701)) < 0.2


@pytest.mark.parametrize("week", [None, 0])
def test_an_unknown_week_is_no_season(week: int | None) -> None:
    assert season(week) == (0, 0)
