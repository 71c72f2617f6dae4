from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from basketwise.tables import constant_in_runs


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
