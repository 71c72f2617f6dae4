"""A folder and a bucket hand over files alike; with a bucket, nobody shares a disk."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from basketwise.config import AwsConfig, Config
from basketwise.digests import sha256
from basketwise.engines.spark.exchange import Exchange, exchange_at, put_frame, read_frame
from basketwise.engines.spark.platform import SparkPlatform, exchange_in
from basketwise.errors import BasketwiseError, InputError
from basketwise.etl.gold.metadata import read_metadata
from basketwise.etl.silver.chunks import weeks
from basketwise.etl.silver.stage import SURVEY
from basketwise.platforms.protocol import EtlJob
from basketwise.storage.opening import open_storage
from tests.cli.calling import called
from tests.engines.spark.conftest import Spark
from tests.engines.spark.running import assert_same_silver, changed_gold, etl_here, small_parts
from tests.etl.running import Run, folders, quiet
from tests.seaweed import S3Server

FEW = Config.model_validate({"training": {"folds": 2}, "features": {"tried": []}})
FRAME = pl.DataFrame({"a": [1, 2], "b": ["x", "y"]})


@pytest.fixture
def address(s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> str:
    for name, value in s3_server.environment.items():
        monkeypatch.setenv(name, value)
    return f"s3://{s3_server.bucket}/{s3_server.new_prefix()}"


@pytest.fixture(params=["folder", "bucket"])
def exchange(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Exchange]:
    if request.param == "folder":
        own = exchange_at(str(tmp_path / "exchange"), AwsConfig())
    else:
        server: S3Server = request.getfixturevalue("s3_server")
        own = exchange_at(request.getfixturevalue("address"), server.config)
    own.open()
    yield own
    own.close()


def test_what_a_task_writes_is_read_elsewhere_and_taken_by_the_driver(
    exchange: Exchange, tmp_path: Path
) -> None:
    task = copy.copy(exchange)
    assert task.is_reached()
    put_frame(task, "folder/name.parquet", FRAME)
    assert read_frame(exchange, "folder/name.parquet", ["b"]).equals(FRAME.select("b"))
    exchange.take("folder/name.parquet", tmp_path / "target.parquet")
    assert pl.read_parquet(tmp_path / "target.parquet").equals(FRAME)


def test_what_the_driver_offers_is_read_by_tasks(exchange: Exchange, tmp_path: Path) -> None:
    path = tmp_path / "own.parquet"
    FRAME.write_parquet(path)
    name = exchange.offer(path)
    assert exchange.offer(path) == name
    assert read_frame(copy.copy(exchange), name).equals(FRAME)


def test_what_was_taken_can_be_offered_again(exchange: Exchange, tmp_path: Path) -> None:
    put_frame(exchange, "one.parquet", FRAME)
    exchange.take("one.parquet", tmp_path / "target.parquet")
    name = exchange.offer(tmp_path / "target.parquet")
    assert read_frame(exchange, name).equals(FRAME)


def test_what_is_not_there_is_an_error(exchange: Exchange, tmp_path: Path) -> None:
    with pytest.raises((OSError, BasketwiseError)):
        exchange.take("nothing.parquet", tmp_path / "target.parquet")
    with pytest.raises((OSError, BasketwiseError)):
        read_frame(exchange, "nothing.parquet")


def test_a_write_that_fails_hands_over_nothing(exchange: Exchange) -> None:
    with pytest.raises(ValueError, match="broken"), exchange.writing("half.parquet"):
        raise ValueError("broken")
    with pytest.raises((OSError, BasketwiseError)):
        read_frame(exchange, "half.parquet")


def test_it_is_not_reached_before_and_after(exchange: Exchange, tmp_path: Path) -> None:
    put_frame(exchange, "one.parquet", FRAME)
    exchange.close()
    assert not exchange.is_reached()
    with pytest.raises((OSError, BasketwiseError)):
        read_frame(exchange, "one.parquet")


def test_a_bucket_that_refuses_is_not_reached(
    s3_server: S3Server, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    config = s3_server.config.model_copy(update={"project": "another-client"})
    assert not exchange_at(address, config).is_reached()


def test_a_workspace_in_a_bucket_has_its_files_in_transit_there() -> None:
    assert exchange_in("folder/ws") == exchange_in("") == ""
    assert exchange_in("s3://bucket/ws/") == "s3://bucket/ws/.basketwise/spark"


def run(session: object, data: Path, root: Path, server: S3Server, address: str) -> Run:
    config = Config.model_validate(FEW.model_dump() | {"aws": server.config.model_dump()})
    platform = replace(SparkPlatform(session), exchange=address)  # type: ignore[arg-type]
    silver, gold, scratch = folders(root)
    inputs = platform.inputs(str(data), config)
    platform.etl(EtlJob(str(data), silver, gold, scratch, inputs=inputs), config, quiet)
    # Gold is made again of silver that an earlier run has left.
    again = root / "again"
    again.mkdir()
    (root / "more").mkdir()
    job = EtlJob(str(data), silver, again, root / "more", clean=False)
    platform.etl(job, config, quiet)
    assert pl.read_parquet(again / "train_features.parquet").equals(
        pl.read_parquet(gold / "train_features.parquet")
    )
    return Run(silver, gold, read_metadata(gold))


def test_etl_through_a_bucket_is_that_of_one_machine(
    sail: Spark, damaged_lines: pl.DataFrame, s3_server: S3Server, address: str, tmp_path: Path
) -> None:
    (tmp_path / "raw").mkdir()
    damaged_lines.write_csv(tmp_path / "raw/till.csv")
    with small_parts(340):
        here = etl_here(tmp_path / "raw", tmp_path / "here", FEW)
        there = run(sail.session, tmp_path / "raw", tmp_path / "there", s3_server, address)
    assert_same_silver(there, here)
    assert changed_gold(there, here) == []
    assert (there.silver / SURVEY).is_dir()
    files = weeks(there.silver)
    assert len(files) > len(dict(files))
    # Nothing is left in transit.
    bucket, _, prefix = address.removeprefix("s3://").partition("/")
    assert "Contents" not in s3_server.client().list_objects_v2(Bucket=bucket, Prefix=prefix)


def test_the_command_line_fills_a_workspace_in_a_bucket(
    sail: Spark,
    sample: Path,
    s3_server: S3Server,
    address: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", s3_server.endpoint_url)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    engine = ("--engine", "spark", "--spark", sail.url)
    few = ("--set", "training.folds=2", "--set", "features.tried=[]")
    document = json.loads(
        called("etl", sample, *engine, *few, "--workspace", address, "--json").out
    )
    here = etl_here(sample, tmp_path / "here", FEW)
    assert document["lines"] == here.metadata.lines.model_dump(mode="json")
    gold = open_storage(address, s3_server.config).local("gold")
    for name in ("train_features.parquet", "test_features.parquet", "product_index.parquet"):
        assert sha256(gold / name) == sha256(here.gold / name)


def test_an_executor_that_does_not_reach_the_bucket(
    sail: Spark,
    sample: Path,
    s3_server: S3Server,
    address: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("basketwise.aws.exchange.BucketExchange.is_reached", lambda _: False)
    with pytest.raises(InputError, match=r"An executor does not reach .*'s3://"):
        run(sail.session, sample, tmp_path, s3_server, address)
