from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from polars.testing import assert_frame_equal

from basketwise.errors import InputError
from basketwise.tables import constant_in_runs, read_table


@pytest.mark.parametrize(
    ("values", "constant"),
    [
        ([1, 1, 2, 2, 2], True),
        (["a", "a", "b", "b", "b"], True),
        (["a", "a", "a", "a", "a"], True),
        ([None] * 5, True),
        ([1, 2, 2, 2, 2], False),
        (["a", "a", "b", "b", "c"], False),
    ],
)
def test_a_column_that_is_constant_in_each_run(values: list[object], constant: bool) -> None:
    assert constant_in_runs(pl.Series(values), np.array([0, 2])) is constant


@pytest.mark.parametrize("dtype", [pl.String, pl.Int64])
def test_no_rows_and_one_row_are_constant(dtype: type[pl.DataType]) -> None:
    assert constant_in_runs(pl.Series([], dtype=dtype), np.array([], dtype=np.int64))
    assert constant_in_runs(pl.Series([None], dtype=dtype), np.array([0]))


@pytest.mark.parametrize(
    "values", [[1, 2.5, None], [1, float("nan")], [2.5, 1], ["7", 7, None], [None, None], [1, 2]]
)
def test_a_dictionary_of_columns_is_read_as_the_rows_are(values: list[object]) -> None:
    rows = [{"SPEND": value} for value in values]
    assert_frame_equal(read_table({"SPEND": values}), read_table(rows))


def test_a_dictionary_may_have_arrays_and_series_too() -> None:
    columns = {"a": np.array([1, 2], dtype=np.int8), "b": pl.Series([None, "x"]), "c": [1, 2.5]}
    assert read_table(columns).schema == {"a": pl.Int8, "b": pl.String, "c": pl.Float64}
    with pytest.raises(InputError, match="height of column 'b'"):
        read_table({"a": [1, 2], "b": [1]})


@pytest.mark.parametrize(
    "make",
    [
        lambda: pa.table({"a": pa.array([Decimal(1)], pa.decimal256(40, 2))}),
        lambda: pa.table([[1], [2]], names=["a", "a"]),
        lambda: pl.LazyFrame({"a": [1]}).select("b"),
        lambda: pl.scan_csv("absent.csv"),
    ],
)
def test_what_cannot_be_read_is_one_error(make: Callable[[], Any]) -> None:
    with pytest.raises(InputError, match=r"cannot be read: \w") as refused:
        read_table(make())
    assert "\n" not in refused.value.headline
