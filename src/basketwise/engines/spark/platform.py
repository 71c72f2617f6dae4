"""A platform whose ETL runs on Spark; candidates are trained in this process."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING
from uuid import uuid4

from basketwise.config import Config
from basketwise.engines.spark.batch import reachable
from basketwise.engines.spark.boosting import SparkBoost, check_session
from basketwise.engines.spark.exchange import Exchange, exchange_at
from basketwise.engines.spark.gold import write_gold, write_rest
from basketwise.engines.spark.pieces import SparkMap
from basketwise.engines.spark.session import failures, spark_session
from basketwise.engines.spark.silver import run_silver
from basketwise.engines.spark.snapshots import open_table, pinned
from basketwise.engines.spark.tables import Tables, open_frame, open_remote, open_sources
from basketwise.etl.gold.stage import run_gold
from basketwise.etl.lines.rules import rules_of
from basketwise.etl.preview import check_split
from basketwise.etl.raw.sources import Delivery
from basketwise.etl.raw.table_name import table_name
from basketwise.etl.silver.product_file import input_digests, line_files
from basketwise.etl.silver.table_reader import changed_file
from basketwise.platforms.local import LocalPlatform
from basketwise.platforms.protocol import EtlJob, TrainingJob
from basketwise.progress import Tick
from basketwise.storage.opening import with_local_products
from basketwise.storage.scheme import OWN, scheme_of

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession


@dataclass
class SparkPlatform(LocalPlatform):
    """Runs ETL on a session.

    Attributes
    ----------
    frame
        The raw lines, if they are no files and no table.
    exchange
        Address below which tasks and this process hand each other files. Empty: in the workspace,
        which every executor must reach at the same path.
    """

    session: SparkSession
    frame: DataFrame | None = None
    exchange: str = ""
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

    def start(self, inputs: Mapping[str, str], config: Config) -> None:
        """Refuse what the session cannot do; the stages start when they are called."""
        if config.training.xgboost_on_spark:
            check_session(self.session, config.training)

    def train(self, job: TrainingJob, config: Config, tick: Tick) -> None:
        """Fill ``out``; tasks score the test baskets, and make XGBoost's final fit if wanted."""
        from basketwise.engines.spark.asking import asked
        from basketwise.training.stage import run_training

        settings, boost = config.training, None
        if settings.xgboost_on_spark:
            check_session(self.session, settings)
        with self._exchange(job.out.parent, config) as exchange, failures():
            if settings.xgboost_on_spark:
                boost = SparkBoost(self.session, exchange, settings.xgboost_workers)
            ask = partial(asked, SparkMap(self.session, exchange))
            run_training(job.gold, job.out, settings, tick, job.checkpoints, boost, ask)

    @contextmanager
    def _exchange(self, folder: Path, config: Config) -> Iterator[Exchange]:
        """Give an exchange in the workspace's bucket, or below a folder; it is removed."""
        name = f"exchange-{uuid4().hex}"
        where = f"{self.exchange}/{name}" if self.exchange else str(folder / name)
        exchange = exchange_at(where, config.aws)
        exchange.open()
        try:
            yield exchange
        finally:
            exchange.close()

    def etl(self, job: EtlJob, config: Config, tick: Tick) -> None:
        """Fill ``silver`` and ``gold``."""
        config = with_local_products(config)
        with self._exchange(job.scratch, config) as exchange, failures():
            if job.clean:
                run_silver(self._opened(job.data, config), job.silver, exchange, config, tick)
            each = SparkMap(self.session, exchange)
            wanted = config.training.xgboost_on_spark
            metadata = run_gold(
                *(job.silver, job.gold, job.scratch),
                config,
                tick,
                write_rows=partial(write_gold, each),
                write_rest=partial(write_rest, each) if wanted else None,
                each=each,
            )
        for file in metadata.files if job.clean else ():
            if job.inputs.get(file.name, file.sha256) != file.sha256:
                raise changed_file(file.name)

    def use(self, data: str, delivery: Delivery, config: Config) -> None:
        """Read files that were listed already as the data of a name."""
        with failures():
            opened = open_sources(self.session, delivery, config, rules_of(config, labelled=True))
        self._tables[data] = opened

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
def spark_platform(
    url: str = "", workspace: str = "", settings: Mapping[str, str] = MappingProxyType({})
) -> Iterator[SparkPlatform]:
    """Give a platform on a session, which ends with the block if it was started for it.

    Parameters
    ----------
    url, settings
        See :func:`basketwise.engines.spark.session.spark_session`, as errors are.
    workspace : str
        Where the run's outputs will be: a path or an address.
    """
    with spark_session(url, settings) as session:
        yield SparkPlatform(session, exchange=exchange_in(workspace))


def exchange_in(workspace: str) -> str:
    """Return the address for files in transit in a workspace; empty for a folder."""
    return f"{workspace.rstrip('/')}/{OWN}/spark" if scheme_of(workspace) else ""


def frame_platform(frame: DataFrame, workspace: str = "") -> SparkPlatform:
    """Return a platform on a frame's own session, with the frame as the raw lines."""
    return SparkPlatform(frame.sparkSession, frame, exchange_in(workspace))
