from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from basketwise.etl.gold.tables import TEST_FILE, TRAIN_FILE, ByWeek, RowMaker, Written, write_gold
from basketwise.features.product_index.table import CLASS, NEW, POSTERIORS, PRICES, SCORES
from basketwise.features.recipe import Recipe, features
from basketwise.schema import FOLD
from tests.etl.running import folders, quiet, run_intake
from tests.features.computing import PRODUCT_FEATURES, scored_by
from tests.raw_lines import LABEL, line, write_csv

ENCODERS = {"store_format": ["LS"], "store_region": ["E02"]}


def lines(*spends: tuple[int, float]) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "BASKET_ID": [basket for basket, _ in spends],
            "PROD_CODE": ["A"] * len(spends),
            "SPEND": [spend for _, spend in spends],
            "QUANTITY": pl.Series([1] * len(spends), dtype=pl.Int32),
            **dict.fromkeys(("SHOP_WEEK", "SHOP_WEEKDAY", "SHOP_HOUR"), 1),
            "STORE_FORMAT": "LS",
            "STORE_REGION": "E02",
        }
    )


def index(fold: int, score: float) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "PROD_CODE": "A",
            FOLD: pl.Series([fold], dtype=pl.Int8),
            **dict.fromkeys(SCORES, score),
            CLASS: "High",
            **dict.fromkeys(POSTERIORS, 0.25),
            **dict.fromkeys(PRICES, 1.0),
            NEW: False,
        }
    )


def test_one_row_a_basket_in_order_of_ids() -> None:
    table = features(lines((2, 1.0), (1, 2.0), (2, 3.0)), Recipe(["basket"], ENCODERS, "keep", 0))
    assert table["basket_id"].to_list() == [1, 2]
    assert table["total_spend"].to_list() == [2.0, 4.0]
    assert not set(table.columns) & set(PRODUCT_FEATURES)


@pytest.mark.parametrize(
    ("how", "totals"),
    [
        ("keep", {1: 1.0, 2: 12.0, 3: 9.0}),
        ("clip", {1: 1.0, 2: 7.0, 3: 5.0}),
        ("drop", {1: 1.0, 2: 2.0}),
    ],
)
def test_outliers_in_both_groups(how: str, totals: dict[int, float]) -> None:
    given = lines((1, 1.0), (2, 2.0), (2, 10.0), (3, 9.0))
    recipe = Recipe(["basket", "product"], ENCODERS, how, 5.0)
    table = features(given, recipe, scored_by(index(0, 0.5)))
    assert dict(table.select("basket_id", "total_spend").iter_rows()) == totals
    assert table["product_count_high"].to_list() == table["basket_size"].to_list()


def test_a_basket_meets_the_index_of_its_own_fold(tmp_path: Path) -> None:
    write_csv(
        tmp_path / "raw" / "a.csv",
        [
            line(BASKET_ID="1", PROD_CODE="A"),
            line(BASKET_ID="2", PROD_CODE="A"),
            line(BASKET_ID="3", PROD_CODE="A"),
            line(BASKET_ID="4", PROD_CODE="A", **{LABEL: "XX"}),
            line(BASKET_ID="5", PROD_CODE="A", SHOP_WEEK="200608", **{LABEL: "LA"}),
        ],
    )
    result = run_intake(tmp_path / "raw", tmp_path / "out")
    _, gold, scratch = folders(tmp_path / "gold")
    baskets = result.survey.baskets.with_columns(pl.Series(FOLD, [0, 1, 1, 0, -1], dtype=pl.Int8))
    written = write_gold(
        tmp_path / "out" / "silver",
        gold,
        scratch / "gold",
        baskets,
        RowMaker(
            Recipe(["basket", "product"], ENCODERS, "keep", 0),
            pl.concat(index(fold, score) for fold, score in ((0, 0.25), (1, 0.5), (-1, 0.75))),
        ),
        quiet,
    )
    # The index does not call any product new.
    assert written == Written(train=3, test=1, uncertain=0, new_products=[1, 0, 0, 0, 0])
    train = pl.read_parquet(gold / TRAIN_FILE)
    test = pl.read_parquet(gold / TEST_FILE)
    assert train.select("basket_id", FOLD, "product_score_low", "price_sensitivity").rows() == [
        (1, 0, 0.25, "Medium"),
        (2, 1, 0.5, "Medium"),
        (3, 1, 0.5, "Medium"),
    ]
    assert test.select("basket_id", "product_score_low", "price_sensitivity").rows() == [
        (5, 0.75, "High")
    ]
    assert FOLD not in test.columns


def test_rows_of_a_large_chunk_are_made_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    # The second week's baskets have smaller ids.
    given = lines((5, 1.0), (5, 2.0), (6, 3.0), (1, 4.0), (2, 5.0), (2, 6.0))
    baskets = pl.DataFrame(
        {
            "BASKET_ID": [5, 6, 1, 2],
            FOLD: pl.Series([0, -1, 1, 0], dtype=pl.Int8),
            "price_sensitivity": ["Low", "High", "Medium", "Low"],
            "SHOP_WEEK": [200607, 200607, 200608, 200608],
        }
    )
    maker = RowMaker(
        Recipe(["basket", "product"], ENCODERS, "keep", 0),
        pl.concat(index(fold, 0.5) for fold in (0, 1, -1)),
    )
    whole = maker(given, baskets)
    monkeypatch.setattr("basketwise.etl.silver.chunks.CHUNK_LINES", 2)
    parts = maker(given, baskets)
    assert_frame_equal(parts.train, whole.train)
    assert_frame_equal(parts.test, whole.test)
    assert parts.counts == whole.counts
    assert parts.train["basket_id"].to_list() == [1, 2, 5]


def test_baskets_by_week_are_those_that_a_filter_finds() -> None:
    baskets = pl.DataFrame(
        {"BASKET_ID": range(8), "SHOP_WEEK": [3, 1, 2, 1, 3, 5, 1, 2]},
        schema={"BASKET_ID": pl.Int64, "SHOP_WEEK": pl.Int32},
    )
    by_week = ByWeek(baskets)
    assert by_week.of([1])["BASKET_ID"].to_list() == [1, 3, 6]
    assert by_week.of([2, 4, 5])["BASKET_ID"].to_list() == [2, 7, 5]
    assert by_week.of([4]).equals(baskets.clear())
    assert ByWeek(baskets.clear()).of([1]).is_empty()
