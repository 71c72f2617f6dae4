"""A platform whose ETL runs on Spark; training stays in this process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from basketwise.config import Config
from basketwise.engines.spark.batch import reachable
from basketwise.engines.spark.gold import write_gold
from basketwise.engines.spark.session import failures, spark_session
from basketwise.engines.spark.silver import run_silver
from basketwise.engines.spark.snapshots import open_table, pinned
from basketwise.engines.spark.tables import Tables, open_frame, open_remote, open_sources
from basketwise.etl.gold import run_gold
from basketwise.etl.intake import changed_file
from basketwise.etl.preview import check_split
from basketwise.etl.product_file import input_digests, line_files
from basketwise.etl.rules import rules_of
from basketwise.etl.sources import Delivery
from basketwise.etl.table_name import table_name
from basketwise.platforms.local import LocalPlatform
from basketwise.platforms.protocol import EtlJob
from basketwise.progress import Tick
from basketwise.storage.opening import with_local_products
from basketwise.storage.scheme import scheme_of

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession


@dataclass
class SparkPlatform(LocalPlatform):
    """Runs ETL on a session; ``frame`` are the raw lines, if they are no files and no table."""

    session: SparkSession
    frame: DataFrame | None = None
    _tables: dict[str, Tables] = field(default_factory=dict)

    def inputs(self, data: str, config: Config) -> dict[str, str]:
        """Return the content digest of each raw table, and of the product file.

        Files are read for it where they lie, frames and tables are read once.
        """
        config = with_local_products(config)
        tables = self._opened(data, config)
        products = config.data.products
        named = dict(input_digests(Delivery(), products)) if products else {}
        named |= {file.name: file.sha256 for file in tables.records}
        return named | {file.name: "skipped" for file in tables.skipped if file.is_data}

    def etl(self, job: EtlJob, config: Config, tick: Tick) -> None:
        """Fill ``silver`` and ``gold``, which every executor must reach at the same path."""
        config = with_local_products(config)
        silver, gold, scratch = (
            Path(folder).absolute() for folder in (job.silver, job.gold, job.scratch)
        )
        with failures():
            if job.clean:
                tables = self._opened(job.data, config)
                run_silver(tables, silver, scratch / "silver", config, tick)
            write_rows = partial(write_gold, self.session)
            metadata = run_gold(silver, gold, scratch, config, tick, write_rows=write_rows)
        for file in metadata.files if job.clean else ():
            if job.inputs.get(file.name, file.sha256) != file.sha256:
                raise changed_file(file.name)

    def _opened(self, data: str, config: Config) -> Tables:
        """Open the data, once in a run."""
        if data not in self._tables:
            with failures():
                self._tables[data] = self._open(data, config)
        return self._tables[data]

    def _open(self, data: str, config: Config) -> Tables:
        rules = rules_of(config, labelled=True)
        if self.frame is not None:
            return open_frame(self.frame, rules)
        if table := table_name(data):
            table = pinned(self.session, table)
            return open_frame(open_table(self.session, table), rules, table.name, table.snapshot)
        if scheme_of(data) or data.startswith("dbfs:"):
            return open_remote(self.session, reachable(data), config, rules)
        delivery = line_files(str(Path(data).expanduser().absolute()), config.data.products)
        check_split(delivery.sources, config)
        return open_sources(self.session, delivery, config, rules)


@contextmanager
def spark_platform(url: str = "") -> Iterator[SparkPlatform]:
    """Give a platform on a session, which ends with the block if it was started for it.

    Parameters
    ----------
    url : str
        See :func:`basketwise.engines.spark.session.spark_session`, as errors are.
    """
    with spark_session(url) as session:
        yield SparkPlatform(session)


def frame_platform(frame: DataFrame) -> SparkPlatform:
    """Return a platform on a frame's own session, with the frame as the raw lines."""
    return SparkPlatform(frame.sparkSession, frame)
