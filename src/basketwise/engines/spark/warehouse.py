"""Silver and gold as tables of a catalogue, which Spark makes of the workspace's files.

Those of a folder Spark reads itself. Those of a bucket tasks fetch, one each, as they fetch all
else: Spark need not know how to speak to the bucket, and nothing goes through the driver.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from basketwise.config import AwsConfig
from basketwise.disk import ROW_GROUP
from basketwise.engines.spark.exchange import Exchange, exchange_at
from basketwise.engines.spark.frames import Batches, Columns, mapped, quoted
from basketwise.engines.spark.platform import SparkPlatform
from basketwise.engines.spark.session import reason
from basketwise.engines.spark.tables import numbered, numbers
from basketwise.errors import ConfigError, WorkspaceError
from basketwise.etl.gold.tables import TEST_FILE, TRAIN_FILE
from basketwise.etl.raw.table_name import is_schema_name, quoted_name
from basketwise.storage.scheme import scheme_of

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

FILES = {
    "basketwise_silver_lines": "silver/shop_week=*/*.parquet",
    "basketwise_gold_train": f"gold/{TRAIN_FILE}",
    "basketwise_gold_test": f"gold/{TEST_FILE}",
}
"""What each table is made of, below the folders of silver and gold."""


@dataclass(frozen=True)
class Warehouse:
    """A schema that gets tables.

    Attributes
    ----------
    overwrite
        Also where they exist.
    bucket
        Hands over the files of a workspace in a bucket, by their keys in it; None: it is a folder.
    """

    session: SparkSession
    schema: str
    overwrite: bool = False
    bucket: Exchange | None = None

    @property
    def names(self) -> list[str]:
        """The names of the tables."""
        return [f"{self.schema}.{table}" for table in FILES]

    def check(self) -> None:
        """Refuse what would fail after hours of work.

        Raises
        ------
        ConfigError
            If there is no such schema.
        WorkspaceError
            If a table exists, and is not to be replaced.
        """
        catalog = self.session.catalog
        if not is_schema_name(self.schema) or not catalog.databaseExists(quoted_name(self.schema)):
            raise ConfigError(
                f"There is no schema {self.schema!r} in Spark's catalogue.",
                "Give --tables as schema or catalog.schema, and create it first: CREATE SCHEMA.",
            )
        existing = [name for name in self.names if catalog.tableExists(quoted_name(name))]
        if existing and not self.overwrite:
            raise WorkspaceError(
                f"The table {existing[0]} exists already.",
                "Give --overwrite to replace what an earlier run wrote, or another schema.",
            )

    def __call__(self, silver: Path, gold: Path) -> None:
        """Write the tables; each is whole or, with Delta and Iceberg, as it was.

        Parameters
        ----------
        silver, gold : Path
            Folders of one run, which every executor reaches at the same path; of a workspace in a
            bucket, copies on this machine.

        Raises
        ------
        WorkspaceError
            If Spark cannot read the files or write a table.
        """
        folders = {"silver": silver, "gold": gold}
        for name, files in zip(self.names, FILES.values(), strict=True):
            stage, _, pattern = files.partition("/")
            frame = self._read(stage, folders[stage].absolute(), pattern)
            try:
                writer = frame.write.mode("overwrite" if self.overwrite else "error")
                writer.saveAsTable(quoted_name(name))
            except Exception as error:
                raise WorkspaceError(
                    f"Spark cannot write the table {name}: {reason(error)}",
                    "Everything else of this run is in the workspace; the same command with "
                    "--overwrite writes the tables alone.",
                ) from error

    def _read(self, stage: str, folder: Path, pattern: str) -> DataFrame:
        # Each by its name: a folder has other files too, and a name for the column of weeks.
        files = sorted(folder.glob(pattern))
        if self.bucket is None:
            return read_files(self.session, files)
        keys = [f"{stage}/{path.relative_to(folder).as_posix()}" for path in files]
        return fetch_files(self.session, self.bucket, keys, columns_of(files[0]))


def read_files(session: SparkSession, files: Sequence[Path]) -> DataFrame:
    """Read Parquet files of one schema, with types that every format of tables has.

    Unsigned numbers become ``bigint``, texts that are stored once per value ``string``.
    """
    columns = [_column(name, dtype) for name, dtype in pl.read_parquet_schema(files[0]).items()]
    return session.read.parquet(*map(spark_path, files)).selectExpr(*columns)


def fetch_files(
    session: SparkSession, bucket: Exchange, keys: Sequence[str], columns: Columns
) -> DataFrame:
    """Do the same with files in a bucket, each of which a task fetches.

    ``columns`` are those of :func:`columns_of`.
    """
    reader = Fetcher(bucket, tuple(keys), tuple(columns))
    return mapped(numbered(session, len(keys)), reader, columns)


@dataclass(frozen=True)
class Fetcher:
    """Reads columns of the files whose numbers come."""

    bucket: Exchange
    keys: tuple[str, ...]
    columns: tuple[str, ...]

    def __call__(self, batches: Batches) -> Iterator[pl.DataFrame]:
        """Yield the rows, a bounded number at a time."""
        for number in numbers(batches):
            with self.bucket.reading(self.keys[number]) as path:
                file = pl.scan_parquet(path, glob=False).select(self.columns)
                rows = file.select(pl.len()).collect().item()
                for start in range(0, rows, ROW_GROUP):
                    yield file.slice(start, ROW_GROUP).collect()


def columns_of(file: Path) -> Columns:
    """Return the columns of a Parquet file, with the types that :func:`read_files` gives them."""
    return {name: _kind(dtype) for name, dtype in pl.read_parquet_schema(file).items()}


def _kind(dtype: pl.DataType) -> str:
    if dtype.is_unsigned_integer():
        return "bigint"
    kinds: dict[type[pl.DataType], str] = {
        pl.Int8: "tinyint",
        pl.Int16: "smallint",
        pl.Int32: "int",
        pl.Int64: "bigint",
        pl.Float32: "float",
        pl.Float64: "double",
        pl.Boolean: "boolean",
    }
    return kinds.get(type(dtype), "string")


def _column(name: str, dtype: pl.DataType) -> str:
    own = quoted(name)
    if dtype.is_unsigned_integer():
        return f"CAST({own} AS BIGINT) AS {own}"
    return f"CAST({own} AS STRING) AS {own}" if dtype == pl.Categorical else own


def spark_path(path: Path) -> str:
    """Return the address by which Spark reads a file that all machines have.

    A path alone would be one of the cluster's own file system, such as HDFS.

    Examples
    --------
    >>> spark_path(Path("/shared/ws")), spark_path(Path("/dbfs/ws")), spark_path(Path("/Volumes/a"))
    ('file:///shared/ws', 'dbfs:/ws', '/Volumes/a')
    """
    name = path.as_posix()
    if name.startswith("/dbfs/"):
        return f"dbfs:{name.removeprefix('/dbfs')}"
    return name if name.startswith("/Volumes/") else f"file://{name}"


def open_warehouse(
    platform: SparkPlatform,
    schema: str,
    *,
    overwrite: bool,
    workspace: str = "",
    config: AwsConfig | None = None,
) -> Warehouse:
    """Return what writes a run's silver and gold into a schema; errors are those of its check.

    Parameters
    ----------
    workspace : str
        Where silver and gold are: a path or an address.
    config : AwsConfig, optional
        Region and endpoint, for a bucket.
    """
    bucket = exchange_at(workspace, config or AwsConfig()) if scheme_of(workspace) else None
    warehouse = Warehouse(platform.session, schema, overwrite, bucket)
    warehouse.check()
    return warehouse
