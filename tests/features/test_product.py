import polars as pl
import pytest

from tests.features.computing import PRODUCT_FEATURES, product_features

INDEX = pl.DataFrame(
    {
        "PROD_CODE": ["cheap", "dear", "plain", "mute"],
        "score_low": [0.0, 0.9, 0.2, 0.1],
        "score_medium": [0.3, 0.1, 0.7, 0.2],
        "score_high": [0.7, 0.0, 0.1, 0.3],
        "score_unclassified": [0.0, 0.0, 0.0, 0.4],
        "class": ["High", "Low", "Medium", "Unclassified"],
        "new": [False, False, True, False],
    }
)


def basket(*products: str) -> dict[str, object]:
    lines = pl.DataFrame({"BASKET_ID": [1] * len(products), "PROD_CODE": products})
    table = product_features(lines, INDEX)
    assert table.columns == ["basket_id", *PRODUCT_FEATURES]
    (row,) = table.drop("basket_id").to_dicts()
    return row


def test_every_column_by_hand() -> None:
    # A product bought on two lines counts twice.
    result = basket("cheap", "cheap", "dear", "plain", "mute")
    assert result == {
        "product_score_low": pytest.approx((0.0 + 0.0 + 0.9 + 0.2 + 0.1) / 5),
        "product_score_medium": pytest.approx((0.3 + 0.3 + 0.1 + 0.7 + 0.2) / 5),
        "product_score_high": pytest.approx((0.7 + 0.7 + 0.0 + 0.1 + 0.3) / 5),
        "product_count_low": 1,
        "product_count_medium": 1,
        "product_count_high": 2,
        "product_count_unclassified": 1,
        "product_share_low": 0.25,
        "product_share_medium": 0.25,
        "product_share_high": 0.5,
        "product_share_unclassified": 0.2,
        "product_balance": 0.25,
        "product_share_new": 0.2,
    }


def test_a_basket_of_products_that_tell_nothing() -> None:
    result = basket("mute", "mute")
    assert [result[f"product_share_{label}"] for label in ("low", "medium", "high")] == [0, 0, 0]
    assert result["product_share_unclassified"] == 1.0
    assert result["product_balance"] == 0.0


@pytest.mark.parametrize(("product", "balance"), [("cheap", 1.0), ("dear", -1.0), ("plain", 0.0)])
def test_the_balance_runs_from_low_to_high(product: str, balance: float) -> None:
    assert basket(product)["product_balance"] == balance
    assert basket(product, "mute")["product_balance"] == balance


def test_with_folds_each_basket_meets_its_own_rows() -> None:
    index = pl.concat(
        [
            INDEX.with_columns(fold=pl.lit(0)),
            INDEX.with_columns(pl.col("score_low") + 1, fold=pl.lit(1)),
        ]
    )
    lines = pl.DataFrame({"BASKET_ID": [1, 2], "PROD_CODE": ["dear", "dear"], "fold": [0, 1]})
    table = product_features(lines, index, "PROD_CODE", "fold")
    assert table["product_score_low"].to_list() == [0.9, 1.9]
