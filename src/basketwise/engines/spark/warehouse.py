"""Silver and gold as tables of a catalogue, which Spark makes of the workspace's files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from basketwise.engines.spark.frames import quoted
from basketwise.engines.spark.platform import SparkPlatform
from basketwise.engines.spark.session import reason
from basketwise.errors import ConfigError, WorkspaceError
from basketwise.etl.table_name import is_schema_name
from basketwise.etl.tables import TEST_FILE, TRAIN_FILE

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
    """A schema that gets tables; ``overwrite``: also where they exist."""

    session: SparkSession
    schema: str
    overwrite: bool = False

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
        if not is_schema_name(self.schema) or not catalog.databaseExists(self.schema):
            raise ConfigError(
                f"There is no schema {self.schema!r} in Spark's catalogue.",
                "Give --tables as schema or catalog.schema, and create it first: CREATE SCHEMA.",
            )
        existing = [name for name in self.names if catalog.tableExists(name)]
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
            Folders of one run, which every executor reaches at the same path.

        Raises
        ------
        WorkspaceError
            If Spark cannot read the files or write a table.
        """
        folders = {"silver": silver, "gold": gold}
        for name, files in zip(self.names, FILES.values(), strict=True):
            stage, _, pattern = files.partition("/")
            frame = read_files(self.session, folders[stage], pattern)
            try:
                frame.write.mode("overwrite" if self.overwrite else "error").saveAsTable(name)
            except Exception as error:
                raise WorkspaceError(
                    f"Spark cannot write the table {name}: {reason(error)}",
                    "Everything else of this run is in the workspace; the same command with "
                    "--overwrite writes the tables alone.",
                ) from error


def read_files(session: SparkSession, folder: Path, pattern: str) -> DataFrame:
    """Read Parquet files of one schema, with types that every format of tables has.

    Unsigned numbers become ``bigint``, texts that are stored once per value ``string``.
    """
    # Each by its name: a folder has other files too, and a name for the column of weeks.
    files = sorted(folder.absolute().glob(pattern))
    columns = [_column(name, dtype) for name, dtype in pl.read_parquet_schema(files[0]).items()]
    return session.read.parquet(*map(spark_path, files)).selectExpr(*columns)


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


def open_warehouse(platform: SparkPlatform, schema: str, *, overwrite: bool) -> Warehouse:
    """Return what writes a run's silver and gold into a schema; errors are those of its check."""
    warehouse = Warehouse(platform.session, schema, overwrite)
    warehouse.check()
    return warehouse
