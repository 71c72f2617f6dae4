from pathlib import Path

import numpy as np
import polars as pl
import pytest

from basketwise.errors import InputError
from basketwise.training.examples import read_examples

TABLE = pl.DataFrame(
    {
        "basket_id": [11, 12, 13],
        "a": [1.5, 2.5, 3.5],
        "b": [1, 2, 3],
        "price_sensitivity": ["High", "Low", "Medium"],
        "fold": pl.Series([0, 1, 0], dtype=pl.Int8),
    }
)


@pytest.fixture
def gold(tmp_path: Path) -> Path:
    TABLE.write_parquet(tmp_path / "train.parquet")
    TABLE.drop("fold").write_parquet(tmp_path / "test.parquet")
    return tmp_path


def test_rows_become_arrays(gold: Path) -> None:
    examples = read_examples(gold / "train.parquet", ["b", "a"])
    assert examples.ids.to_list() == [11, 12, 13]
    assert examples.columns == ("b", "a")
    assert examples.X.tolist() == [[1, 1.5], [2, 2.5], [3, 3.5]]
    assert examples.X.dtype == np.float32
    assert examples.X.flags.c_contiguous
    # Positions in Low, Medium, High.
    assert examples.y.tolist() == [2, 0, 1]
    assert examples.fold.tolist() == [0, 1, 0]


def test_the_test_set_has_no_folds(gold: Path) -> None:
    assert read_examples(gold / "test.parquet", ["a"]).fold.size == 0


def test_only_some_of_the_columns(gold: Path) -> None:
    examples = read_examples(gold / "train.parquet", ["a", "b"]).only(["b"])
    assert examples.columns == ("b",)
    assert examples.X.tolist() == [[1], [2], [3]]
    assert examples.X.flags.c_contiguous
    assert examples.y.tolist() == [2, 0, 1]


def test_an_absent_file_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"There is no train\.parquet in") as caught:
        read_examples(tmp_path / "train.parquet", ["a"])
    assert "basketwise etl" in caught.value.hint


def test_absent_columns_are_named(gold: Path) -> None:
    with pytest.raises(InputError, match=r"train\.parquet lacks the columns c, d\."):
        read_examples(gold / "train.parquet", ["c", "a", "d"])
    with pytest.raises(InputError, match=r"lacks the column c\."):
        read_examples(gold / "train.parquet", ["c"])
