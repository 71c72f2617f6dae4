from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from basketwise.sampling.catalogue import make_catalogue
from basketwise.sampling.labels import LABELS
from basketwise.sampling.shops import make_shops
from basketwise.sampling.weeks import COLUMNS, Week, draw_week, fiscal_week

BASKETS = 5_000


def draw(products: int = 600, *, number: int = 3, noise: float = 0.0) -> Week:
    return draw_week(
        np.random.default_rng(5),
        number,
        baskets=BASKETS,
        catalogue=make_catalogue(np.random.default_rng(1), products),
        shops=make_shops(np.random.default_rng(2), BASKETS),
        noise=noise,
    )


@pytest.fixture(scope="module")
def lines() -> pl.DataFrame:
    return draw().lines


def test_weeks_run_over_the_end_of_a_year() -> None:
    weeks = [fiscal_week(number) for number in range(100)]
    assert weeks[0] == 200607
    assert weeks[45:48] == [200652, 200701, 200702]
    assert weeks[98:] == [200801, 200802]


def test_columns_are_those_of_dunnhumby(lines: pl.DataFrame) -> None:
    assert tuple(lines.columns) == COLUMNS
    assert len(COLUMNS) == 22


def test_shape_of_the_baskets(lines: pl.DataFrame) -> None:
    sizes = lines.group_by("BASKET_ID").len()["len"].to_numpy()
    assert len(sizes) == BASKETS
    assert sizes.mean() == pytest.approx(6.4, abs=0.3)
    assert (sizes == 1).mean() == pytest.approx(0.19, abs=0.02)
    assert lines["BASKET_ID"].cast(pl.String).str.len_bytes().unique().to_list() == [15]


def test_a_product_is_at_most_once_in_a_basket(lines: pl.DataFrame) -> None:
    assert lines.select("BASKET_ID", "PROD_CODE").n_unique() == lines.height


def test_even_the_smallest_catalogue_repeats_no_product() -> None:
    few = draw(products=20).lines
    assert few.select("BASKET_ID", "PROD_CODE").n_unique() == few.height
    assert few.group_by("BASKET_ID").len()["len"].max() == 10


def test_lines_of_a_basket_agree_on_everything_but_the_product(lines: pl.DataFrame) -> None:
    own = ("QUANTITY", "SPEND", "PROD_CODE")
    shared = [name for name in COLUMNS if not name.startswith(own)]
    assert lines.select(shared).n_unique() == BASKETS


def test_dates_lie_in_their_week_and_fit_the_weekday(lines: pl.DataFrame) -> None:
    monday = date(2006, 4, 10) + timedelta(weeks=3)
    days = lines.select("SHOP_DATE", "SHOP_WEEKDAY").unique().sort("SHOP_DATE")
    assert days["SHOP_DATE"].to_list() == [
        int((monday + timedelta(days=day)).strftime("%Y%m%d")) for day in range(7)
    ]
    assert days["SHOP_WEEKDAY"].to_list() == [2, 3, 4, 5, 6, 7, 1]
    assert lines["SHOP_WEEK"].unique().to_list() == [200610]
    assert lines["SHOP_HOUR"].is_between(8, 21).all()


def test_a_fifth_of_the_baskets_has_no_card(lines: pl.DataFrame) -> None:
    baskets = lines.unique("BASKET_ID")
    assert baskets["CUST_CODE"].is_null().mean() == pytest.approx(0.2, abs=0.02)
    about = ["CUST_CODE", "CUST_PRICE_SENSITIVITY", "CUST_LIFESTAGE"]
    assert baskets.select(pl.col(about).is_null()).n_unique() == 2


def test_every_format_of_shop_occurs(lines: pl.DataFrame) -> None:
    assert set(lines["STORE_FORMAT"].to_list()) == {"LS", "MS", "SS", "XLS"}
    assert lines.select("STORE_CODE", "STORE_FORMAT", "STORE_REGION").n_unique() == (
        lines["STORE_CODE"].n_unique()
    )


def test_labels_are_counted_and_about_as_common_as_in_real_data() -> None:
    week = draw(noise=0.005)
    result = week.lines.unique("BASKET_ID")["BASKET_PRICE_SENSITIVITY"].value_counts()
    counts = dict(result.iter_rows())
    assert tuple(counts.get(name, 0) for name in LABELS) == week.labels
    shares = [count / BASKETS for count in week.labels]
    assert shares == pytest.approx([0.23, 0.51, 0.24, 0.02], abs=0.035)


def test_spend_is_the_same_price_for_every_piece(lines: pl.DataFrame) -> None:
    each = lines.select("PROD_CODE", price=(pl.col("SPEND") / pl.col("QUANTITY")).round(2))
    assert each.n_unique() == lines["PROD_CODE"].n_unique()
    assert lines["QUANTITY"].min() == 1
