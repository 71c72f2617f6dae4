import polars as pl
import pytest

from basketwise.etl.gold.hidden import MOST, SHARE
from basketwise.etl.gold.tables import HIDDEN_FILE, TRAIN_FILE
from basketwise.features.groups import columns_of
from tests.etl.running import Run


@pytest.fixture(scope="module")
def hidden(sample_run: Run) -> pl.DataFrame:
    return pl.read_parquet(sample_run.gold / HIDDEN_FILE)


@pytest.fixture(scope="module")
def train(sample_run: Run) -> pl.DataFrame:
    return pl.read_parquet(sample_run.gold / TRAIN_FILE)


def test_each_row_is_a_training_basket_with_a_new_product(
    hidden: pl.DataFrame, train: pl.DataFrame
) -> None:
    assert hidden.columns == train.columns
    assert 0 < hidden.height <= min(MOST, SHARE * 1.1 * train.height)
    assert hidden["basket_id"].is_unique().all()
    assert (hidden["product_share_new"] > 0).all()
    both = hidden.join(train, on=["basket_id", "fold", "price_sensitivity"])
    assert both.height == hidden.height


def test_only_what_the_products_say_is_hidden(hidden: pl.DataFrame, train: pl.DataFrame) -> None:
    same = ["basket_id", *columns_of(["basket"])]
    own = train.filter(pl.col("basket_id").is_in(hidden["basket_id"].implode()))
    assert hidden.select(same).equals(own.select(same).sort("basket_id"))
    assert not hidden.select("product_balance").equals(own.select("product_balance"))


def test_few_products_are_hidden_from_one_half_and_many_from_the_other(
    hidden: pl.DataFrame,
) -> None:
    # Of some six lines a basket, one is hidden at least: rows without a new product are left out.
    shares = hidden["product_share_new"].to_numpy()
    assert shares.mean() == pytest.approx(0.35, abs=0.1)
    assert shares.min() < 0.15
    assert shares.max() > 0.6
