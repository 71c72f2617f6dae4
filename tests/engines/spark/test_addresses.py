"""Files at an address are those that would be read of the same folder or pattern here."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from basketwise.engines.spark.addresses import is_meant
from basketwise.engines.spark.reading import open_files
from basketwise.errors import InputError
from basketwise.etl.raw.discovery import discover
from tests.engines.spark.conftest import Spark

TEXT = "PROD_CODE\nA\n"


def made(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(TEXT)


def found(spark: Spark, data: str) -> list[str]:
    return sorted(
        path.removeprefix("file:").lstrip("/") for path in open_files(spark.session, data).paths
    )


@pytest.mark.parametrize(
    "pattern", ["", "/*", "/*.csv", "/**/*", "/**/*.csv", "/*/*.csv", "/[ab].csv"]
)
def test_a_folder_or_a_pattern_means_the_same_files(
    spark: Spark, tmp_path: Path, pattern: str
) -> None:
    made(tmp_path, "a.csv", "old/c.csv", "old/deep/d.csv", "b.csv.bak")
    if spark.name != "sail":
        # Which wants none beside these folders.
        made(tmp_path, "week=7/e.csv")
    data = f"{tmp_path}{pattern}"
    here = [str(source.path).lstrip("/") for source in discover(data)]
    assert found(spark, data) == sorted(here)
    assert found(spark, f"file://{data}") == sorted(here)


def test_folders_of_values_alone(sail: Spark, tmp_path: Path) -> None:
    made(tmp_path, "week=7/store=1/a.csv", "week=8/store=1/b.csv")
    assert len(found(sail, str(tmp_path))) == 2


@pytest.mark.parametrize(
    ("path", "data", "meant"),
    [
        ("s3a://raw/a.csv", "s3a://raw/", True),
        ("s3a://raw/old/a.csv", "s3a://raw/", False),
        ("hdfs://name:8020/raw/a.csv", "hdfs:///raw", True),
        ("dbfs:/raw/old/a.csv", "dbfs:/raw", False),
        # The target of a link.
        ("file:/elsewhere/old/a.csv", "/raw", True),
        ("file:/raw/a.csv", "/raw/{a,b}.csv", True),
        ("file:/raw/week=7/a.csv", "/raw/*", True),
        ("file:/raw/week=7/old/a.csv", "/raw/*", False),
        ("file:/raw/b.csv", "/raw/[^a].csv", True),
        ("file:/raw/a.txt", "/raw/**/*.csv", False),
    ],
)
def test_what_an_address_means(path: str, data: str, meant: bool) -> None:
    assert is_meant(path, data) is meant


def test_the_files_of_a_delta_table_are_not_its_lines(sail: Spark, tmp_path: Path) -> None:
    pl.DataFrame({"PROD_CODE": ["A"]}).write_parquet(tmp_path / "a.parquet")
    assert len(open_files(sail.session, str(tmp_path)).paths) == 1
    made(tmp_path, "_delta_log/00000000000000000000.json")
    for data in (str(tmp_path), f"file://{tmp_path}/"):
        with pytest.raises(InputError, match=r"folder '.*' is a Delta table"):
            open_files(sail.session, data)
