from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from basketwise.etl.lines.order import ordered
from basketwise.etl.silver.survey import (
    Survey,
    merge,
    merge_parts,
    merge_stored,
    spend_quantile,
    stored,
    survey_week,
)
from basketwise.schema import COLUMNS, HIERARCHY, Kind

PENCE = st.integers(-10_000, 1_000_000).map(lambda pence: pence / 100)
ANY_SPEND = st.floats(-1e6, 1e6, allow_nan=False)


def lines(*rows: dict[str, object]) -> pl.DataFrame:
    dtypes = {Kind.ID: pl.Int64, Kind.TEXT: pl.String, Kind.INTEGER: pl.Int32}
    schema = {column.name: dtypes.get(column.kind, pl.Float64) for column in COLUMNS}
    good = {
        "SHOP_WEEK": 200607,
        "SPEND": 1.0,
        "QUANTITY": 1,
        "BASKET_PRICE_SENSITIVITY": "Low",
    }
    return pl.DataFrame([good | row for row in rows], schema=schema)


def counted(spends: list[float]) -> pl.DataFrame:
    values, counts = np.unique(np.array(spends), return_counts=True)
    return pl.DataFrame({"SPEND": values, "count": counts.astype(np.uint32)})


@given(
    st.lists(st.one_of(PENCE, ANY_SPEND), min_size=1, max_size=60),
    st.one_of(st.sampled_from([0.99, 0.5, 1.0, 0.25]), st.floats(0, 1)),
    st.integers(1, 5),
)
def test_the_quantile_is_numpys_to_the_bit(spends: list[float], q: float, times: int) -> None:
    expected = float(np.quantile(np.array(spends * times), q))
    assert spend_quantile(counted(spends * times), q) == expected


def test_the_quantile_by_hand() -> None:
    # Five values: place 0.99 * 4 = 3.96, between the fourth and the fifth.
    assert spend_quantile(counted([1, 2, 3, 4, 14]), 0.99) == pytest.approx(4 + 0.96 * 10)


WEEK = lines(
    {"BASKET_ID": 2, "PROD_CODE": "B", "SPEND": 2.5, "CUST_CODE": "C1", "STORE_FORMAT": "LS"},
    {"BASKET_ID": 2, "PROD_CODE": "A", "SPEND": 1.0, "CUST_CODE": "C1", "STORE_FORMAT": "LS"},
    {"BASKET_ID": 2, "PROD_CODE": "A", "SPEND": 2.5, "CUST_CODE": "C1", "STORE_FORMAT": "LS"},
    {"BASKET_ID": 1, "PROD_CODE": "A", "SPEND": 1.0, "BASKET_PRICE_SENSITIVITY": "High"},
)
NEXT_WEEK = lines(
    {"BASKET_ID": 0, "PROD_CODE": "A", "PROD_CODE_10": "CL1", "SHOP_WEEK": 200608},
    {"BASKET_ID": 0, "PROD_CODE": "C", "PROD_CODE_10": "CL2", "SHOP_WEEK": 200608},
)


def test_a_week_by_hand() -> None:
    survey = survey_week(WEEK)
    assert survey.lines == 4
    assert survey.baskets.to_dicts() == [
        {
            "BASKET_ID": 1,
            "SHOP_WEEK": 200607,
            "BASKET_PRICE_SENSITIVITY": "High",
            "CUST_CODE": None,
            "STORE_FORMAT": None,
            "STORE_REGION": None,
            "lines": 1,
            "cheapest": 1.0,
            "disagree": False,
        },
        {
            "BASKET_ID": 2,
            "SHOP_WEEK": 200607,
            "BASKET_PRICE_SENSITIVITY": "Low",
            "CUST_CODE": "C1",
            "STORE_FORMAT": "LS",
            "STORE_REGION": None,
            "lines": 3,
            "cheapest": 1.0,
            "disagree": False,
        },
    ]
    assert survey.products.select("PROD_CODE", "lines").rows() == [("A", 3), ("B", 1)]
    assert survey.spends.rows() == [(1.0, 2), (2.5, 2)]


def test_ranks_of_products_change_nothing() -> None:
    week = lines(
        *(
            {"BASKET_ID": n % 3, "PROD_CODE": code, "PROD_CODE_10": f"G{n}"}
            for n, code in enumerate(["B", "A", "C", "A", "D"])
        )
    )
    own, repeated, ranks = ordered(week)
    assert not repeated
    assert ranks is not None
    with_ranks, without = survey_week(own, ranks), survey_week(own)
    for name, table in vars(without).items():
        assert_frame_equal(vars(with_ranks)[name], table)


def test_a_basket_whose_lines_carry_two_labels_is_marked() -> None:
    survey = survey_week(
        lines(
            {"BASKET_ID": 1, "BASKET_PRICE_SENSITIVITY": "Low"},
            {"BASKET_ID": 1, "BASKET_PRICE_SENSITIVITY": "Unclassified"},
            {"BASKET_ID": 2, "BASKET_PRICE_SENSITIVITY": None},
            {"BASKET_ID": 3, "BASKET_PRICE_SENSITIVITY": "Low"},
            {"BASKET_ID": 3, "BASKET_PRICE_SENSITIVITY": "Low"},
        )
    )
    assert survey.baskets["disagree"].to_list() == [True, False, False]


def test_weeks_are_joined_in_order_of_ids() -> None:
    survey = merge([survey_week(WEEK), survey_week(NEXT_WEEK)])
    assert survey.baskets["BASKET_ID"].to_list() == [0, 1, 2]
    assert survey.baskets["SHOP_WEEK"].to_list() == [200608, 200607, 200607]
    # A had no group in the first week, and keeps the one it had first.
    assert survey.products.select("PROD_CODE", HIERARCHY[0], "lines").rows() == [
        ("A", "CL1", 4),
        ("B", None, 1),
        ("C", "CL2", 1),
    ]
    assert survey.spends.rows() == [(1.0, 4), (2.5, 2)]
    assert survey.lines == 6


def test_bringing_together_does_not_depend_on_the_pieces() -> None:
    def plain(survey: Survey) -> tuple[list[dict[str, object]], ...]:
        return survey.baskets.to_dicts(), survey.products.to_dicts(), survey.spends.to_dicts()

    first, second = survey_week(WEEK), survey_week(NEXT_WEEK)
    assert plain(merge([merge([first]), second])) == plain(merge([first, second]))


def test_parts_of_a_week_make_the_survey_of_the_week() -> None:
    # The first line of a product in the week decides, though its group is unknown there.
    week = lines(
        {"BASKET_ID": 1, "PROD_CODE": "A", "SPEND": 2.0},
        {"BASKET_ID": 2, "PROD_CODE": "A", "SPEND": 1.0, "PROD_CODE_10": "G"},
        {"BASKET_ID": 2, "PROD_CODE": "B", "SPEND": 2.0, "PROD_CODE_10": "H"},
    )
    parts = [survey_week(week[:1]), survey_week(week[1:])]
    whole, together = survey_week(week), merge_parts(parts)
    for name in ("baskets", "products", "spends"):
        assert getattr(together, name).equals(getattr(whole, name))
    assert merge_parts(parts[:1]) is parts[0]


@pytest.mark.parametrize("rows", [1, 100])
def test_stored_surveys_are_merged_as_others_are(tmp_path: Path, rows: int) -> None:
    surveys = [survey_week(WEEK), survey_week(NEXT_WEEK)]
    files = [stored(own, tmp_path / f"{n}.arrow") for n, own in enumerate(surveys)]
    for name, table in vars(merge(surveys)).items():
        assert_frame_equal(vars(merge_stored(files, pl.Int64, rows))[name], table)


def test_stored_ids_become_text_in_its_order(tmp_path: Path) -> None:
    week = lines({"BASKET_ID": 9, "PROD_CODE": "A"}, {"BASKET_ID": 10, "PROD_CODE": "A"})
    file = stored(survey_week(week), tmp_path / "week.arrow")
    assert merge_stored([file], pl.String).baskets["BASKET_ID"].to_list() == ["10", "9"]
