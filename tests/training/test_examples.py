from pathlib import Path

import numpy as np
import polars as pl
import pytest

from basketwise.errors import InputError
from basketwise.features.product import SHARE_NEW
from basketwise.training.examples import Examples, read_examples

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


@pytest.mark.parametrize(
    ("most", "expected"), [(6, [0, 1, 2, 3, 4, 5, 6, 7]), (3, [0, 2, 4, 6, 7]), (1, [0, 6, 7])]
)
def test_evenly_spaced_rows_and_all_with_hidden_products(most: int, expected: list[int]) -> None:
    rows = np.arange(8)
    X = rows[:, None].astype(np.float32)
    examples = Examples(
        pl.Series(rows), X, np.zeros(8, np.int8), rows.astype(np.int8), ("a",), hidden=2
    ).evenly(most)
    assert examples.ids.to_list() == expected
    assert examples.X[:, 0].tolist() == expected
    assert examples.fold.tolist() == expected
    assert examples.is_real.tolist() == [row < 6 for row in expected]


def test_an_absent_file_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"There is no train\.parquet in") as caught:
        read_examples(tmp_path / "train.parquet", ["a"])
    assert "basketwise etl" in caught.value.hint


def test_absent_columns_are_named(gold: Path) -> None:
    with pytest.raises(InputError, match=r"train\.parquet lacks the columns c, d\."):
        read_examples(gold / "train.parquet", ["c", "a", "d"])
    with pytest.raises(InputError, match=r"lacks the column c\."):
        read_examples(gold / "train.parquet", ["c"])


@pytest.fixture
def hidden(gold: Path) -> Path:
    """Baskets with hidden products: the columns in another order."""
    path = gold / "hidden.parquet"
    TABLE.head(2).with_columns(a=pl.lit(9.5)).select(reversed(TABLE.columns)).write_parquet(path)
    return path


def test_baskets_with_hidden_products_are_behind_the_others(gold: Path, hidden: Path) -> None:
    examples = read_examples(gold / "train.parquet", ["b", "a"], hidden)
    assert examples.hidden == 2
    assert examples.ids.to_list() == [11, 12, 13, 11, 12]
    assert examples.X.tolist() == [[1, 1.5], [2, 2.5], [3, 3.5], [1, 9.5], [2, 9.5]]
    assert examples.y.tolist() == [2, 0, 1, 2, 0]
    assert examples.fold.tolist() == [0, 1, 0, 0, 1]
    assert examples.real.ids.to_list() == [11, 12, 13]
    assert (examples.real.hidden, examples.only(["a"]).hidden) == (0, 2)


def test_without_the_file_there_are_none(gold: Path) -> None:
    assert read_examples(gold / "train.parquet", ["a"], gold / "absent.parquet").hidden == 0


def test_some_of_the_rows_know_which_of_them_are_hidden(gold: Path, hidden: Path) -> None:
    taken = read_examples(gold / "train.parquet", ["a"], hidden).take(np.array([1, 2, 4]))
    assert taken.ids.to_list() == [12, 13, 12]
    assert taken.X.tolist() == [[2.5], [3.5], [9.5]]
    assert (taken.y.tolist(), taken.fold.tolist(), taken.hidden) == ([0, 1, 0], [1, 0, 1], 1)


def test_shares_of_new_products_are_those_of_the_column(gold: Path) -> None:
    table = TABLE.rename({"a": SHARE_NEW})
    table.write_parquet(gold / "shares.parquet")
    assert read_examples(gold / "shares.parquet", ["b", SHARE_NEW]).new_shares.tolist() == [
        1.5,
        2.5,
        3.5,
    ]
    assert read_examples(gold / "shares.parquet", ["b"]).new_shares.tolist() == [0, 0, 0]
