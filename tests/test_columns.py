from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

from basketwise.columns import any_column, listed, of_pandas
from basketwise.errors import InputError
from basketwise.etl.lines.numbers import parse

NOON = datetime(2025, 2, 1, 12)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([pd.NA, pd.NA], [None, None]),
        ([1, pd.NA], [1, None]),
        (["LS", float("nan")], ["LS", None]),
        ([pd.Timestamp(NOON), pd.NaT], [NOON, None]),
        ([pd.NaT, pd.NaT], [None, None]),
        ([Decimal("1.5"), Decimal("NaN")], [Decimal("1.5"), None]),
        ([Decimal("1.5"), np.float32("nan"), Decimal("sNaN")], [Decimal("1.5"), None, None]),
    ],
)
def test_what_libraries_write_for_none_is_none(values: list[Any], expected: list[Any]) -> None:
    assert listed("a", values).to_list() == expected


@pytest.mark.parametrize(
    "values",
    [[10**40, 1], [1, 2**64], [1.5, 10**400], [Decimal("0." + "1" * 45)], [Decimal("Infinity")]],
)
def test_numbers_that_no_type_holds_are_text_as_in_a_csv(values: list[Any]) -> None:
    assert listed("a", values).to_list() == [str(value) for value in values]


def test_whole_and_other_numbers_are_numbers() -> None:
    assert listed("a", [2**70, 1.5]).to_list() == [2.0**70, 1.5]


@pytest.mark.parametrize(
    "values", [[{"a": 1}, {"a": "x"}], [np.datetime64("2025-02-01")], [object(), None]]
)
def test_other_objects_are_kept_for_who_needs_the_column(values: list[Any]) -> None:
    assert listed("a", values).dtype == pl.Object


def test_text_that_is_not_unicode_is_refused_with_its_column() -> None:
    with pytest.raises(InputError, match="column 'PROD_CODE' contains half a surrogate pair"):
        listed("PROD_CODE", ["a", "\ud800"])


@pytest.mark.parametrize("unit", ["h", "s", "ms", "us", "ns"])
def test_times_of_any_unit(unit: str) -> None:
    times = np.array([NOON, None], dtype=f"datetime64[{unit}]")
    assert any_column("a", times).to_list() == [NOON, None]
    if unit != "h":
        assert of_pandas("a", pd.Series(times)).to_list() == [NOON, None]


@pytest.mark.parametrize(
    "values",
    [
        np.array([1, "x", None], dtype=object),
        pd.Series([1, "x", None], dtype=object),
        (1, "x", float("nan")),
        pd.array(["1", "x", None], dtype="string"),
        pd.Categorical(["1", "x", None]),
        np.ma.array(["1", "x", "y"], mask=[False, False, True]),
    ],
)
def test_columns_of_a_dictionary_are_judged_as_lists(values: Any) -> None:
    assert any_column("a", values).to_list() == ["1", "x", None]


def test_the_point_of_a_number_among_text_marks_no_thousands() -> None:
    amounts = listed("QUANTITY", [1.234, "2,5", Decimal("3.125"), np.float64(4.5), "1.234", 7])
    assert parse(amounts, ",").to_list() == [1.234, 2.5, 3.125, 4.5, 1234, 7]
    assert listed("PROD_CODE", [1.234, "A"]).to_list() == ["1.234", "A"]
