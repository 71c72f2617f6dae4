"""Silver and gold as tables of a catalogue."""

from __future__ import annotations

import shutil
from contextlib import nullcontext
from pathlib import Path
from typing import Any
from unittest import mock
from uuid import uuid4

import polars as pl
import pytest

import basketwise as bw
from basketwise.config import Config
from basketwise.engines.spark import platform, warehouse
from basketwise.engines.spark.exchange import Folder
from basketwise.engines.spark.frames import arrow_table
from basketwise.engines.spark.platform import SparkPlatform
from basketwise.engines.spark.warehouse import Warehouse, columns_of, open_warehouse, read_files
from basketwise.errors import ConfigError, WorkspaceError
from basketwise.storage.opening import open_storage
from tests.cli.calling import SMALL, Outcome, blank_pictures, call, called
from tests.engines.spark.conftest import Spark, collected
from tests.seaweed import S3Server

FEW = Config.model_validate(
    {
        "training": {"models": ["decision_tree"], "folds": 2},
        "features": {"tried": []},
        "index": {"refine_rounds": 2},
        "evaluation": {"resamples": 100, "importance_baskets": 100, "importance_repeats": 1},
    }
)
TABLES = ("basketwise_silver_lines", "basketwise_gold_train", "basketwise_gold_test")


@pytest.fixture
def schema(spark: Spark, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A schema of each implementation's own catalogue."""
    monkeypatch.setattr(platform, "spark_session", lambda *_: nullcontext(spark.session))
    name = f"s{uuid4().hex}"
    spark.session.sql(f"CREATE SCHEMA {name} LOCATION '{tmp_path}/{name}'").collect()
    return name


def etl(lines: pl.DataFrame, folder: Path, *options: str) -> Outcome:
    lines.write_parquet(folder / "lines.parquet")
    given = ("etl", folder / "lines.parquet", "--workspace", folder / "ws")
    return call(*given, *SMALL, "--engine", "spark", *options)


def unsigned_apart(frame: pl.DataFrame) -> pl.DataFrame:
    text = pl.col(pl.Categorical).cast(pl.String)
    return frame.with_columns(text, pl.col(pl.UInt32).cast(pl.Int64))


def test_tables_have_the_rows_of_the_workspace(
    spark: Spark, schema: str, plain_lines: pl.DataFrame, tmp_path: Path
) -> None:
    done = etl(plain_lines, tmp_path, "--tables", schema, "--json")
    assert done.code == 0, done.err
    assert done.json["tables"] == [f"{schema}.{name}" for name in TABLES]
    check_rows(spark, schema, tmp_path / "ws")


def check_rows(spark: Spark, schema: str, workspace: Path) -> None:
    files = (
        "silver/shop_week=*/*.parquet",
        "gold/train_features.parquet",
        "gold/test_features.parquet",
    )
    for name, pattern in zip(TABLES, files, strict=True):
        rows = collected(spark.session.table(f"{schema}.{name}"))
        own = unsigned_apart(pl.read_parquet(workspace / pattern, hive_partitioning=False))
        assert rows.columns == own.columns
        order = [column for column in own.columns if column in ("basket_id", "row")]
        assert rows.height > 30
        assert rows.sort(order).equals(own.sort(order), null_equal=True)


def test_files_are_fetched_by_tasks(
    spark: Spark, schema: str, plain_lines: pl.DataFrame, tmp_path: Path
) -> None:
    done = etl(plain_lines, tmp_path)
    assert done.code == 0, done.err
    workspace = tmp_path / "ws"
    copies = [tmp_path / "copies" / stage for stage in ("silver", "gold")]
    for copied in copies:
        shutil.copytree(workspace / copied.name, copied)
    # What was handed over is below the workspace, wherever the driver has its copies.
    Warehouse(spark.session, schema, bucket=Folder(workspace))(*copies)
    check_rows(spark, schema, workspace)
    fetched = spark.session.table(f"{schema}.basketwise_silver_lines").dtypes
    Warehouse(spark.session, schema, overwrite=True)(*copies)
    assert spark.session.table(f"{schema}.basketwise_silver_lines").dtypes == fetched


def test_tables_of_a_workspace_in_a_bucket(
    sail: Spark,
    plain_lines: pl.DataFrame,
    s3_server: S3Server,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in s3_server.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", s3_server.endpoint_url)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    address = f"s3://{s3_server.bucket}/{s3_server.new_prefix()}"
    monkeypatch.setattr(platform, "spark_session", lambda *_: nullcontext(sail.session))
    sail.session.sql(f"CREATE SCHEMA bucket LOCATION '{tmp_path}/bucket'").collect()
    # A task that looked for the driver's copies would find none.
    monkeypatch.setattr(warehouse, "spark_path", lambda path: f"file:///nowhere{path}")
    # Two ranges of rows a file.
    monkeypatch.setattr(warehouse, "ROW_GROUP", 100)
    plain_lines.write_parquet(tmp_path / "lines.parquet")
    given = ("etl", str(tmp_path / "lines.parquet"), "--workspace", address, "--engine", "spark")
    called(*given, *SMALL, "--tables", "bucket")
    workspace = open_storage(address, s3_server.config)
    copies = [workspace.local(stage).parent for stage in ("silver", "gold")]
    check_rows(sail, "bucket", copies[-1])
    bucket, _, prefix = f"{address}/.basketwise/spark".removeprefix("s3://").partition("/")
    assert "Contents" not in s3_server.client().list_objects_v2(Bucket=bucket, Prefix=prefix)


def test_types_of_columns(tmp_path: Path) -> None:
    small = {pl.Int8: "tinyint", pl.Int16: "smallint", pl.Int32: "int", pl.UInt8: "bigint"}
    large = {pl.Int64: "bigint", pl.UInt32: "bigint", pl.Float32: "float", pl.Float64: "double"}
    other = {pl.Boolean: "boolean", pl.String: "string", pl.Categorical: "string"}
    kinds = small | large | other
    frame = pl.DataFrame(
        {name: pl.Series([], dtype=dtype) for dtype in kinds for name in [str(dtype)]}
    )
    frame.write_parquet(tmp_path / "a.parquet")
    assert list(columns_of(tmp_path / "a.parquet").values()) == list(kinds.values())
    table = arrow_table(frame, columns_of(tmp_path / "a.parquet"))
    assert table.column_names == frame.columns


def test_training_in_python_writes_tables_too(
    sail: Spark, plain_lines: pl.DataFrame, tmp_path: Path
) -> None:
    sail.session.sql(f"CREATE SCHEMA python LOCATION '{tmp_path}/python'").collect()
    frame = sail.frame(plain_lines)
    workspace = tmp_path / "ws"
    with blank_pictures():
        bw.train(frame, workspace=workspace, config=FEW, tables="python")
    train = pl.read_parquet(workspace / "gold/train_features.parquet")
    table = sail.session.table("python.basketwise_gold_train")
    assert collected(table).sort("basket_id").equals(train.sort("basket_id"))
    with pytest.raises(WorkspaceError, match=r"python\.basketwise_silver_lines exists already"):
        bw.train(frame, workspace=workspace, config=FEW, tables="python")
    # Everything in the workspace is still valid: the tables alone are written again.
    again = bw.train(frame, workspace=workspace, config=FEW, tables="python", overwrite=True)
    assert again.folder == next((workspace / "artifacts").iterdir())
    assert sail.session.table("python.basketwise_gold_train").count() == train.height
    with pytest.raises(ConfigError, match="overwrite goes with tables"):
        bw.train(frame, workspace=workspace, overwrite=True)


@pytest.mark.parametrize("options", [{"tables": "shop"}, {"overwrite": True}])
def test_other_frames_have_no_catalogue(
    options: dict[str, Any], plain_lines: pl.DataFrame, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match="tables and overwrite go with a Spark frame"):
        bw.train(plain_lines, workspace=tmp_path / "ws", **options)


def test_tables_are_replaced_only_if_asked(
    sail: Spark, plain_lines: pl.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(platform, "spark_session", lambda *_: nullcontext(sail.session))
    sail.session.sql(f"CREATE SCHEMA repeated LOCATION '{tmp_path}/repeated'").collect()
    half = plain_lines.filter(pl.col("BASKET_ID").str.ends_with("1").not_())
    first = etl(half, tmp_path, "--tables", "sail.repeated")
    assert first.code == 0, first.err
    assert "written   sail.repeated.basketwise_gold_test\n" in first.out
    again = etl(plain_lines, tmp_path, "--tables", "sail.repeated")
    assert again.code == 2
    assert "The table sail.repeated.basketwise_silver_lines exists already." in again.err
    lines = sail.session.table("repeated.basketwise_silver_lines")
    assert lines.count() == half.height < plain_lines.height
    # Nor was the workspace touched.
    assert (
        pl.scan_parquet(tmp_path / "ws/silver/shop_week=*/*.parquet")
        .select(pl.len())
        .collect()
        .item()
        == half.height
    )
    replaced = etl(plain_lines, tmp_path, "--tables", "sail.repeated", "--overwrite")
    assert replaced.code == 0, replaced.err
    assert sail.session.table("repeated.basketwise_silver_lines").count() == plain_lines.height


def test_a_run_writes_tables_too(
    sail: Spark, plain_lines: pl.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(platform, "spark_session", lambda *_: nullcontext(sail.session))
    sail.session.sql(f"CREATE SCHEMA whole LOCATION '{tmp_path}/whole'").collect()
    plain_lines.write_parquet(tmp_path / "lines.parquet")
    given = ("run", tmp_path / "lines.parquet", "--workspace", tmp_path / "ws", "--no-register")
    done = call(*given, *SMALL, "--engine", "spark", "--tables", "whole")
    assert done.code == 0, done.err
    assert "  table     whole.basketwise_gold_train\n" in done.out
    assert sail.session.table("whole.basketwise_gold_train").count() > 100


@pytest.mark.parametrize("schema", ["nowhere", "a b", "sail.nowhere", "a.b.c"])
def test_a_schema_that_is_not_there(sail: Spark, schema: str) -> None:
    with pytest.raises(ConfigError, match=f"There is no schema '{schema}'"):
        open_warehouse(SparkPlatform(sail.session), schema, overwrite=False)


def test_a_table_that_cannot_be_written(sail: Spark, tmp_path: Path) -> None:
    frame: Any = mock.Mock()
    frame.write.mode.return_value.saveAsTable.side_effect = RuntimeError("no permission\nat …")
    with (
        mock.patch.object(warehouse, "read_files", return_value=frame),
        pytest.raises(WorkspaceError, match=r"table x\.basketwise_silver_lines: no permission\n"),
    ):
        Warehouse(sail.session, "x")(tmp_path, tmp_path)


def test_unsigned_numbers_are_read_as_signed(sail: Spark, tmp_path: Path) -> None:
    pl.DataFrame({"row": [1, 2**32 - 1]}, {"row": pl.UInt32}).write_parquet(tmp_path / "a.parquet")
    frame = read_files(sail.session, [tmp_path / "a.parquet"])
    assert frame.dtypes == [("row", "bigint")]
    assert {row[0] for row in frame.collect()} == {1, 2**32 - 1}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--tables", "shop"), "--tables goes with --engine spark"),
        (("--overwrite",), "--overwrite goes with --tables"),
        (("--engine", "local", "--tables", "shop"), "--tables goes with --engine spark"),
    ],
)
@pytest.mark.parametrize("command", ["run", "etl"])
def test_options_that_do_not_go_together(
    command: str, options: tuple[str, ...], message: str
) -> None:
    done = call(command, "raw", *options)
    assert done.code == 2
    assert message in done.err
