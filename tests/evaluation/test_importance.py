from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from basketwise.arrays import Labels, Matrix, Probabilities
from basketwise.evaluation.importance import feature_importance, informative_products
from basketwise.features.product_index.table import COLUMNS
from basketwise.training.candidates import Classifier
from basketwise.training.examples import Examples

COLUMN_NAMES = ("shop_hour", "product_balance", "total_spend")


class LooksAtTheSecond:
    """Answers by the second column alone."""

    def fit(self, X: Matrix, y: Labels) -> Classifier:
        return self

    def predict_proba(self, X: Matrix) -> Probabilities:
        return np.eye(3, dtype=np.float64)[X[:, 1].astype(np.int64)].copy()


def examples(baskets: int = 600) -> Examples:
    rng = np.random.default_rng(5)
    y = rng.integers(0, 3, baskets).astype(np.int8)
    X = np.column_stack([np.full(baskets, 7.0), y, rng.random(baskets)]).astype(np.float32)
    return Examples(pl.Series(range(baskets)), X, y, np.empty(0, np.int8), COLUMN_NAMES)


def test_what_the_model_looks_at_comes_first_and_the_rest_drops_nothing() -> None:
    test = examples()
    result = feature_importance(LooksAtTheSecond(), test, baskets=500, repeats=3, seed=1)
    assert [item["feature"] for item in result] == ["product_balance", "shop_hour", "total_spend"]
    assert [item["group"] for item in result] == ["product", "basket", "basket"]
    # Shuffled, one of three answers is right by chance.
    assert result[0]["drop"] == pytest.approx(2 / 3, abs=0.06)
    assert [(item["drop"], item["std"]) for item in result[1:]] == [(0, 0), (0, 0)]


def test_a_fitted_model_ranks_the_informative_feature_first_and_the_constant_at_zero() -> None:
    from sklearn.ensemble import RandomForestClassifier

    test = examples()
    model = RandomForestClassifier(10, random_state=0).fit(test.X, test.y)
    result = feature_importance(model, test, baskets=600, repeats=2, seed=1)
    drops = {item["feature"]: item["drop"] for item in result}
    assert result[0]["feature"] == "product_balance"
    assert drops["shop_hour"] == 0


def test_the_examples_are_left_as_they_were_and_the_seed_decides() -> None:
    test = examples()
    before = test.X.copy()

    def drops(seed: int) -> list[float]:
        result = feature_importance(LooksAtTheSecond(), test, baskets=200, repeats=2, seed=seed)
        return [item["drop"] for item in result]

    assert drops(1) == drops(1)
    assert drops(1) != drops(2)
    np.testing.assert_array_equal(test.X, before)


def index(rows: list[tuple[str, str, float, int]]) -> pl.DataFrame:
    """Make an index from code, class, probability and baskets."""
    table = [
        {
            **dict.fromkeys(COLUMNS),
            "PROD_CODE": code,
            "PROD_CODE_20": "DEP1",
            "score_low": 0.1,
            "score_medium": 0.2,
            "score_high": 0.7,
            "score_unclassified": 0.0,
            "class": label,
            "probability": probability,
            "baskets": baskets,
        }
        for code, label, probability, baskets in rows
    ]
    return pl.DataFrame(table, infer_schema_length=None)


def test_informative_products_are_the_most_probable_then_those_on_most_baskets() -> None:
    result = informative_products(
        index(
            [
                ("P1", "High", 0.9991, 2),
                ("P2", "High", 0.9989, 500),
                ("P3", "High", 0.60, 9_000),
                ("P5", "High", 0.95, 40),
                ("P4", "High", 0.95, 40),
                ("P6", "Low", 0.50, 1),
                ("P7", "Unclassified", 1.0, 10_000),
            ]
        ),
        most=4,
    )
    # To three places P1 and P2 are equally sure.
    assert [product["prod_code"] for product in result["High"]] == ["P2", "P1", "P4", "P5"]
    assert [product["prod_code"] for product in result["Low"]] == ["P6"]
    assert list(result) == ["Low", "Medium", "High"]
    assert result["Medium"] == []
    assert result["High"][0] == {
        "prod_code": "P2",
        "prod_name": None,
        "department": "DEP1",
        "score_low": 0.1,
        "score_medium": 0.2,
        "score_high": 0.7,
        "class": "High",
        "baskets": 500,
    }
