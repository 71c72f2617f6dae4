from __future__ import annotations

from typing import Literal

import numpy as np
import polars as pl
import pytest

from basketwise.etl.silver.chunks import read_chunks
from basketwise.explain.contributions import basket_products, contributions
from basketwise.features.product_index.lookup import IndexLookup
from basketwise.features.product_index.table import COLUMNS, completed
from basketwise.features.recipe import Recipe, features
from basketwise.model.archive import load_model_archive
from basketwise.model.scoring import Model
from basketwise.schema import BASKET_ID, HIERARCHY, PROD_CODE, PROD_NAME, SPEND
from tests.etl.running import Run
from tests.evaluation.running import Evaluated
from tests.features.computing import PRODUCT_FEATURES

Treatment = Literal["clip", "drop", "keep"]

_PRODUCTS = pl.DataFrame(
    [
        ("cheap", "G1", 0.0, 0.3, 0.7, 0.0, "High", 9),
        ("cheapest", "G1", 0.0, 0.1, 0.9, 0.0, "High", 9),
        ("dear", "G2", 0.9, 0.1, 0.0, 0.0, "Low", 9),
        ("plain", "G3", 0.2, 0.7, 0.1, 0.0, "Medium", 9),
        ("mute", "G4", 0.1, 0.2, 0.3, 0.4, "Unclassified", 9),
    ],
    schema=[
        *(PROD_CODE, HIERARCHY[0]),
        *("score_low", "score_medium", "score_high", "score_unclassified", "class", "baskets"),
    ],
    orient="row",
).select(
    *(pl.lit(None, pl.String).alias(level) for level in HIERARCHY[1:]),
    pl.col(PROD_CODE, HIERARCHY[0], "class"),
    pl.col("^score_.*$").cast(pl.Float32),
    pl.col("baskets").cast(pl.UInt32),
    pl.lit(1.0, pl.Float32).alias("probability"),
)
INDEX = completed(_PRODUCTS).select(COLUMNS)
LOOKUP = IndexLookup(INDEX)


def recipe(treatment: str, limit: float = 10.0) -> Recipe:
    return Recipe(["product"], {"store_format": [], "store_region": []}, treatment, limit)


def basket(*products: str, spend: float = 1.0) -> pl.DataFrame:
    lines = {BASKET_ID: [1] * len(products), PROD_CODE: products, SPEND: [spend] * len(products)}
    return pl.DataFrame(lines).with_columns(
        pl.lit(None, pl.String).alias(level) for level in HIERARCHY
    )


def products_of(lines: pl.DataFrame, treatment: Treatment = "keep") -> pl.DataFrame:
    return basket_products(lines, recipe(treatment), LOOKUP.score, LOOKUP.names)


@pytest.fixture(scope="module")
def scorer(evaluated: Evaluated) -> Model:
    return load_model_archive(evaluated.archive)


@pytest.fixture(scope="module")
def lines(sample_run: Run) -> pl.DataFrame:
    """Every line of the sample; a tenth of the products renamed, so that no model knows them."""
    whole = pl.concat(chunk.lines for chunk in read_chunks(sample_run.silver))
    new = pl.when(pl.col(PROD_CODE).str.ends_with("7")).then(pl.lit("NEW")).otherwise(pl.lit(""))
    return whole.with_columns((new + pl.col(PROD_CODE)).alias(PROD_CODE))


@pytest.mark.parametrize("treatment", ["keep", "clip", "drop"])
def test_the_parts_add_up_to_the_features_of_every_basket(
    scorer: Model, lines: pl.DataFrame, treatment: Treatment
) -> None:
    assert scorer.lookup is not None
    limit = float(lines[SPEND].quantile(0.9) or 0)
    how = Recipe(["basket", "product"], scorer.recipe.encoders, treatment, limit)
    expected = features(lines, how, scorer.lookup.score)
    products = basket_products(lines, how, scorer.lookup.score, scorer.lookup.names)
    parts = contributions(products)
    assert 0 < parts["new"].mean() < 0.5  # type: ignore[operator]
    assert {"Low", "Medium", "High", "Unclassified"} == set(parts["class"])

    sums = parts.group_by("basket_id").agg(pl.col(PRODUCT_FEATURES).sum()).sort("basket_id")

    assert sums["basket_id"].equals(expected["basket_id"])
    for name in PRODUCT_FEATURES:
        tolerance = 0 if "_count_" in name else 1e-12
        np.testing.assert_allclose(sums[name], expected[name], rtol=0, atol=tolerance)
    counted = products.group_by("basket_id").agg(pl.col("lines").sum()).sort("basket_id")
    assert counted["lines"].to_list() == expected["basket_size"].to_list()


def test_every_part_by_hand() -> None:
    parts = contributions(products_of(basket("cheap", "dear", "mute", "cheap", "plain")))
    result = {row.pop("prod_code"): row for row in parts.to_dicts()}
    assert list(result) == ["cheap", "dear", "plain", "mute"]
    assert result["cheap"] == {
        "basket_id": 1,
        "prod_name": None,
        "lines": 2,
        "class": "High",
        "new": False,
        "product_score_low": 0.0,
        "product_score_medium": pytest.approx(2 * 0.3 / 5),
        "product_score_high": pytest.approx(2 * 0.7 / 5),
        "product_count_low": 0,
        "product_count_medium": 0,
        "product_count_high": 2,
        "product_count_unclassified": 0,
        "product_share_low": 0.0,
        "product_share_medium": 0.0,
        "product_share_high": 0.5,
        "product_share_unclassified": 0.0,
        "product_balance": 0.5,
        "product_share_new": 0.0,
    }
    assert result["dear"]["product_balance"] == -0.25
    assert result["plain"]["product_balance"] == 0.0
    assert result["mute"]["product_share_unclassified"] == 0.2
    assert result["mute"]["product_balance"] == 0.0


def test_the_columns_are_the_features_by_their_names() -> None:
    parts = contributions(products_of(basket("cheap")))
    own = ["basket_id", "prod_code", "prod_name", "lines", "class", "new"]
    assert parts.columns == [*own, *PRODUCT_FEATURES]


def test_a_basket_that_tells_nothing_has_parts_that_are_numbers() -> None:
    parts = contributions(products_of(basket("mute", "mute")))
    assert parts.select("product_share_unclassified", "product_balance").row(0) == (1.0, 0.0)
    assert not parts.select(pl.any_horizontal(pl.col(pl.Float64).is_nan())).item()


def test_the_strongest_come_first() -> None:
    result = products_of(basket("mute", "cheap", "cheapest", "plain", "dear", "plain"))
    # Most lines; then the score for the own class: 0.9, 0.9, 0.7, 0.4; at last the code.
    assert result["prod_code"].to_list() == ["plain", "cheapest", "dear", "cheap", "mute"]


def test_a_product_that_the_model_has_not_seen_is_marked_and_judged_by_its_group() -> None:
    lines = basket("other", "dear").with_columns(pl.lit("G1").alias(HIERARCHY[0]))
    result = products_of(lines).select("prod_code", "class", "new").rows()
    assert sorted(result) == [("dear", "Low", False), ("other", "High", True)]


def test_dropped_lines_do_not_count() -> None:
    lines = pl.concat([basket("cheap", "dear"), basket("cheap", "plain", spend=99.0)])
    assert products_of(lines)["lines"].sum() == products_of(lines, "clip")["lines"].sum() == 4
    left = products_of(lines, "drop").select("prod_code", "lines").rows()
    assert sorted(left) == [("cheap", 1), ("dear", 1)]
    assert products_of(lines.filter(pl.col(SPEND) > 10), "drop").is_empty()


def test_products_have_their_names() -> None:
    names = pl.DataFrame({PROD_CODE: ["cheap", "unsold"], PROD_NAME: ["Sugar", "Salt"]})
    lines = basket("cheap", "dear", "cheap")
    result = basket_products(lines, recipe("keep"), LOOKUP.score, names)
    assert result.select("prod_code", "prod_name").rows() == [("cheap", "Sugar"), ("dear", None)]
    assert result.drop("prod_name").equals(products_of(lines).drop("prod_name"))


def test_no_lines_have_no_products() -> None:
    result = products_of(basket().cast({PROD_CODE: pl.String, BASKET_ID: pl.Int64}))
    assert result.is_empty()
    assert contributions(result).is_empty()
