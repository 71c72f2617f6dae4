"""Columns of folders: the same lines with the column in the file, or in the folder's name."""

from pathlib import Path

import polars as pl
import pytest

from basketwise.config import Config, DataConfig
from basketwise.etl.preview import check_split
from basketwise.etl.raw.discovery import discover
from basketwise.etl.raw.reading import read_raw
from basketwise.schema import SHOP_WEEK
from tests.etl.running import run_intake

LINES = pl.DataFrame(
    {
        "BASKET_ID": ["1", "1", "2"],
        "PROD_CODE": ["A", "B", "A"],
        "SPEND": ["1.5", "2", "3"],
        "QUANTITY": ["1", "1", "2"],
        "BASKET_PRICE_SENSITIVITY": ["LA", "LA", "UM"],
    }
)


def write(frame: pl.DataFrame, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".csv":
        frame.write_csv(path)
    elif path.suffix == ".parquet":
        frame.write_parquet(path)
    else:
        frame.write_ndjson(path)


@pytest.mark.parametrize("ending", ["csv", "parquet", "jsonl"])
def test_a_folder_gives_the_column_that_files_lack(tmp_path: Path, ending: str) -> None:
    for week in (200607, 200608):
        ids = LINES.with_columns(pl.col("BASKET_ID") + str(week))
        write(ids, tmp_path / "raw" / f"shop_week={week}" / f"part-0.{ending}")
    check_split(discover(str(tmp_path / "raw")), Config())
    taken = run_intake(tmp_path / "raw", tmp_path / "out")
    assert taken.accepted[SHOP_WEEK].value_counts(sort=True).sort(SHOP_WEEK).rows() == [
        (200607, 3),
        (200608, 3),
    ]
    assert taken.rejected.is_empty()


def test_the_file_s_own_column_wins(tmp_path: Path) -> None:
    own = LINES.with_columns(pl.lit("200609").alias("SHOP_WEEK"))
    write(own, tmp_path / "SHOP_WEEK=200607" / "a.csv")
    (source,) = discover(str(tmp_path))
    (raw,) = read_raw(source)
    assert raw.frame["SHOP_WEEK"].unique().to_list() == ["200609"]


def test_names_of_a_retailer_s_own_and_missing_values(tmp_path: Path) -> None:
    folder = tmp_path / "WEEK=200607" / "Region=__HIVE_DEFAULT_PARTITION__"
    write(LINES, folder / "a.parquet")
    data = DataConfig(columns={"SHOP_WEEK": "week", "STORE_REGION": "region"})
    (source,) = discover(str(tmp_path))
    (raw,) = read_raw(source, data)
    assert raw.frame["SHOP_WEEK"].to_list() == ["200607"] * 3
    assert raw.frame["STORE_REGION"].to_list() == [None] * 3
