"""The group ``customer`` in gold: earlier training labels, and no other ones."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from basketwise.errors import ConfigError
from basketwise.etl.gold import selection
from basketwise.etl.gold.history import history_of_training
from basketwise.features.customer import COLUMNS
from basketwise.files import HISTORY_FILE
from basketwise.sampling import draw_lines
from basketwise.schema import CLASSES
from tests.etl.customers import CODES, LABEL, by_customer, made
from tests.etl.running import Run


@pytest.fixture(scope="module")
def lines() -> pl.DataFrame:
    return by_customer(draw_lines(baskets=900, seed=3, weeks=5))


@pytest.fixture(scope="module")
def result(lines: pl.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return made(lines, tmp_path_factory.mktemp("history"))


def earlier_labels(lines: pl.DataFrame, result: Run, basket: int) -> list[str]:
    """Return the labels of the earlier training baskets of a basket's customer, by looking."""
    table = lines.unique("BASKET_ID").join(
        result.train.select(pl.col("basket_id").alias("BASKET_ID"), trained=True),
        on="BASKET_ID",
        how="left",
    )
    own = table.row(by_predicate=pl.col("BASKET_ID") == basket, named=True)
    return [
        CODES[row[LABEL]]
        for row in table.rows(named=True)
        if row["trained"]
        and row["CUST_CODE"] == own["CUST_CODE"] is not None
        and (row["SHOP_DATE"], row["SHOP_HOUR"]) < (own["SHOP_DATE"], own["SHOP_HOUR"])
    ]


@pytest.mark.parametrize("split", ["time", "stratified", "customer"])
def test_every_basket_knows_earlier_training_baskets_alone(
    lines: pl.DataFrame, result: Run, tmp_path: Path, split: str
) -> None:
    result = result if split == "time" else made(lines, tmp_path, split)
    record = result.metadata.history
    assert record is not None
    assert result.metadata.uncertain is None
    assert sum(record.shares) == pytest.approx(1)
    for table, known in ((result.train, record.train), (result.test, record.test)):
        assert (table["customer_baskets"] > 0).sum() == known
        for row in table.gather_every(17).rows(named=True):
            labels = earlier_labels(lines, result, row["basket_id"])
            assert row["customer_baskets"] == len(labels)
            for name, share in zip(CLASSES, record.shares, strict=True):
                expected = (labels.count(name) + 3 * share) / (len(labels) + 3)
                assert row[f"customer_{name.lower()}"] == pytest.approx(expected)
    assert record.train > 0
    assert (record.test == 0) == (split == "customer")


def test_no_label_of_a_test_basket_is_used(
    lines: pl.DataFrame, result: Run, tmp_path: Path
) -> None:
    tested = pl.col("BASKET_ID").is_in(result.test["basket_id"].implode())
    turned = pl.col(LABEL).replace({"UM": "LA", "LA": "UM"})
    other = made(lines.with_columns(pl.when(tested).then(turned).otherwise(LABEL)), tmp_path)
    assert not other.test["price_sensitivity"].equals(result.test["price_sensitivity"])
    for before, after in ((result.train, other.train), (result.test, other.test)):
        assert after.select(COLUMNS).equals(before.select(COLUMNS))
    histories = [(made.gold / HISTORY_FILE).read_bytes() for made in (result, other)]
    assert histories[0] == histories[1]


def test_the_history_is_that_of_the_training_baskets(lines: pl.DataFrame, result: Run) -> None:
    history = pl.read_parquet(result.gold / HISTORY_FILE)
    assert history_of_training(result.silver, result.gold).equals(history)
    assert result.metadata.history is not None
    assert history["CUST_CODE"].n_unique() == result.metadata.history.customers == 59
    counted = history.select("low", "medium", "high").sum().sum_horizontal().item()
    carded = lines.unique("BASKET_ID").drop_nulls("CUST_CODE")["BASKET_ID"]
    assert counted == result.train["basket_id"].is_in(carded.implode()).sum() > 0


def test_off_by_default(sample_run: Run) -> None:
    assert sample_run.metadata.history is None
    assert not (sample_run.gold / HISTORY_FILE).exists()
    assert not set(COLUMNS) & set(sample_run.train.columns)


@pytest.mark.parametrize("absent", ["CUST_CODE", "SHOP_DATE"])
def test_without_customers_or_times_the_group_is_an_error(
    lines: pl.DataFrame, tmp_path: Path, absent: str
) -> None:
    # Weeks would do for the order, so both are taken away.
    given = lines.drop(absent, *(["SHOP_WEEK"] if absent == "SHOP_DATE" else []))
    with pytest.raises(ConfigError, match="needs customers and times") as caught:
        made(given, tmp_path, "stratified")
    assert "features.groups" in caught.value.hint


def test_where_it_is_only_tried_it_is_passed_over(
    lines: pl.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(selection, "FEWEST", 100)
    tried = made(lines.drop("CUST_CODE"), tmp_path, groups=["basket"], tried=["customer"])
    assert tried.metadata.tried == []


def test_it_is_added_where_it_helps(
    lines: pl.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(selection, "FEWEST", 100)
    tried = made(lines, tmp_path, groups=["basket"], tried=["season", "customer"])
    assert tried.metadata.groups == ["basket", "customer"]
    assert tried.metadata.history is not None
