from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from basketwise.errors import InputError
from basketwise.etl.lines.layout import settle_frame
from basketwise.etl.lines.rules import Rules
from basketwise.etl.lines.witnesses import witnesses

NUMBERS = ("1", "1,5", "2.50", "1.234", "1,234", "12,50 €", "1.234,5", "x", " 3,25 ", "", None)
DATES = (
    "01/02/2025",
    "03/03/2025",
    "25/02/2025",
    "02/25/2025",
    "2025-02-01",
    "20250201",
    "x",
    None,
)
RULES = (Rules(), Rules(usual_decimal=","), Rules(decimal="."), Rules(date_format="%d/%m/%Y"))


def settled(lines: pl.DataFrame, rules: Rules) -> tuple[str, str] | str:
    try:
        rules = settle_frame(lines, rules)
    except InputError as error:
        # Which date it shows may differ.
        return error.headline[-40:]
    return rules.decimal, rules.date_format


def check(lines: pl.DataFrame, cut: int, rules: Rules) -> None:
    parts = [witnesses(part, rules) for part in (lines.head(cut), lines.slice(cut))]
    chosen = witnesses(pl.concat(parts), rules)
    assert settled(chosen, rules) == settled(lines, rules)


@given(st.lists(st.sampled_from(NUMBERS), max_size=8), st.integers(0, 8), st.sampled_from(RULES))
def test_witnesses_decide_on_numbers_as_all_lines_do(
    values: list[str | None], cut: int, rules: Rules
) -> None:
    check(pl.DataFrame({"Spend": values}, schema={"Spend": pl.String}), cut, rules)


@settings(max_examples=12)
@given(
    st.lists(st.sampled_from(DATES), max_size=6, unique=True),
    st.integers(0, 6),
    st.sampled_from(RULES),
    st.booleans(),
)
def test_witnesses_decide_on_dates_as_all_lines_do(
    values: list[str | None], cut: int, rules: Rules, weeks: bool
) -> None:
    lines = pl.DataFrame({"shop_date": values}, schema={"shop_date": pl.String})
    if weeks:
        lines = lines.with_columns(pl.lit(202501).alias("SHOP_WEEK"))
    check(lines, cut, rules)


@pytest.mark.parametrize("other", ["03/03/2025", "04/03/2025", "13/03/2025", "x"])
def test_dates_that_can_be_read_in_two_ways_stay_so(other: str) -> None:
    lines = pl.DataFrame({"SHOP_DATE": ["03/03/2025", other, "04/04/2025"]})
    check(lines, 1, Rules())


@pytest.mark.parametrize(
    "dtype", [pl.Categorical, pl.Enum(["1.234", "0,5", "25/02/2025"]), pl.Binary]
)
def test_witnesses_are_found_however_text_is_stored(dtype: pl.DataType) -> None:
    lines = pl.DataFrame({"SPEND": ["1.234", "0,5"], "SHOP_DATE": ["25/02/2025", None]})
    check(lines.with_columns(pl.all().cast(dtype)), 1, Rules())
    assert witnesses(lines.with_columns(pl.all().cast(dtype)), Rules()).equals(
        witnesses(lines, Rules())
    )
