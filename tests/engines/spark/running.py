"""ETL of the same lines here and on Spark."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

import polars as pl
import pytest

from basketwise.config import Config
from basketwise.digests import content
from basketwise.engines.spark import parts
from basketwise.engines.spark.platform import SparkPlatform
from basketwise.engines.spark.snapshots import pinned
from basketwise.etl.gold.metadata import read_metadata
from basketwise.etl.raw.table_name import TableName
from basketwise.etl.silver import chunks
from basketwise.etl.silver.chunks import weeks
from basketwise.etl.silver.partitions import REJECTED
from basketwise.etl.silver.stage import INTAKE_FILE, SURVEY, IntakeRecord, read_intake
from basketwise.platforms.local import LocalPlatform
from basketwise.platforms.protocol import EtlJob
from basketwise.schema import COLUMN_NAMES
from tests.engines.spark.conftest import Spark
from tests.etl.running import Run, folders, quiet

LINE = ("source", "row")


def etl_here(data: Path, root: Path, config: Config | None = None) -> Run:
    return _run(LocalPlatform(), str(data), root, config)


def etl_there(session: Any, data: str, root: Path, config: Config | None = None) -> Run:
    return _run(SparkPlatform(session), data, root, config)


def etl_of_frame(frame: Any, root: Path, config: Config | None = None) -> Run:
    return _run(SparkPlatform(frame.sparkSession, frame), "a frame", root, config)


def _run(platform: LocalPlatform, data: str, root: Path, config: Config | None) -> Run:
    config = config or Config()
    silver, gold, scratch = folders(root)
    inputs = platform.inputs(data, config)
    job = EtlJob(data, silver, gold, scratch, inputs=inputs)
    platform.etl(job, config, quiet)
    return Run(silver, gold, read_metadata(gold))


@contextmanager
def small_parts(lines: int) -> Iterator[None]:
    """Cut weeks of more than so many lines into parts of a quarter; read no more at once."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(parts, "PART_LINES", lines // 4)
        patched.setattr(parts, "MARK_LINES", max(lines // 40, 1))
        patched.setattr(chunks, "CHUNK_LINES", lines)
        for function in (chunks.read_chunks, chunks.chunk_files):
            patched.setattr(function, "__kwdefaults__", {"lines": lines})
        yield


def lines_of(silver: Path, *without: str) -> pl.DataFrame:
    """Read all lines, in the order of the files."""
    return pl.concat(pl.read_parquet(path) for _, path in weeks(silver)).drop(without)


def rejected_of(silver: Path, *without: str) -> pl.DataFrame:
    files = sorted((silver / REJECTED).glob("*.parquet"))
    assert files
    rows = pl.concat(pl.read_parquet(path) for path in files).drop(without)
    rows = rows.with_columns(pl.col(pl.Categorical).cast(pl.String))
    return rows.sort("reason", *COLUMN_NAMES, *(name for name in LINE if name in rows.columns))


def surveys_of(silver: Path) -> dict[str, pl.DataFrame]:
    return {path.stem: pl.read_parquet(path) for path in (silver / SURVEY).glob("*.parquet")}


def assert_same_silver(run: Run, expected: Run, *, of_frame: bool = False) -> None:
    """Compare all that is in two silver folders, whatever the cut of its files.

    ``of_frame``: the lines of one are a frame's, which have no numbers.
    """
    without = LINE if of_frame else ()
    assert lines_of(run.silver, *without).equals(lines_of(expected.silver, *without))
    assert rejected_of(run.silver, *without).equals(rejected_of(expected.silver, *without))
    own, others = surveys_of(run.silver), surveys_of(expected.silver)
    assert own.keys() == others.keys()
    for name, table in own.items():
        assert table.equals(others[name]), name
    assert intake_of(run, of_frame=of_frame) == intake_of(expected, of_frame=of_frame)


def intake_of(run: Run, *, of_frame: bool) -> IntakeRecord:
    assert (run.silver / INTAKE_FILE).is_file()
    intake = read_intake(run.silver)
    if not of_frame:
        return intake
    (file,) = intake.files
    named = file.model_copy(update={"name": "", "sha256": "", "bytes": 0})
    return intake.model_copy(update={"files": [named]})


def changed_gold(run: Run, expected: Run) -> list[str]:
    """Name the gold files that are not the same bytes; metadata apart, which have a time."""
    own, others = content(run.gold), content(expected.gold)
    assert own.keys() == others.keys()
    return [name for name in own if own[name] != others[name] and name != "metadata.json"]


class Table(NamedTuple):
    """A table of Sail's catalogue."""

    spark: Spark
    name: str

    def append(self, lines: pl.DataFrame) -> None:
        self.spark.frame(lines).write.mode("append").insertInto(self.name)

    @property
    def now(self) -> TableName:
        return pinned(self.spark.session, TableName(self.name))


def made_table(spark: Spark, lines: pl.DataFrame, kind: str, folder: Path) -> Table:
    name = f"shop.t{uuid4().hex}"
    spark.session.sql(f"CREATE DATABASE IF NOT EXISTS shop LOCATION '{folder}/shop'").collect()
    writer = spark.frame(lines).write.format(kind).option("path", str(folder / name))
    writer.saveAsTable(name)
    return Table(spark, name)
