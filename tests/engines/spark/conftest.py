"""Sessions of three implementations: Spark in this process, Spark Connect, and Sail."""

from __future__ import annotations

import os
import shutil
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import wraps
from importlib.metadata import version
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pytest

from basketwise.engines.spark import frames, scoring
from basketwise.model.archive import load_model_archive
from basketwise.model.scoring import Model
from tests.evaluation.running import Evaluated

VERSION = tuple(int(part) for part in version("pyspark").split(".")[:2])

GROUP_LINES = 500
"""So few that a test's lines make several groups."""


@dataclass(frozen=True)
class Spark:
    """A session, and the URL of a server that speaks Connect."""

    name: str
    session: Any
    url: str

    def frame(self, lines: pl.DataFrame, partitions: int = 2) -> Any:
        """Hand lines to Spark, spread over partitions."""
        table = lines.to_arrow(compat_level=pl.CompatLevel.oldest())
        schema = pa.schema([(f.name, _plain(f.type)) for f in table.schema])
        given = table.cast(schema)
        # Spark 3.5 takes no Arrow table.
        rows = given if VERSION >= (4,) else given.to_pandas()
        return self.session.createDataFrame(rows).repartition(partitions)


def collected(frame: Any) -> pl.DataFrame:
    """Return a Spark frame's rows, in no certain order."""
    if hasattr(frame, "toArrow"):
        table = pl.from_arrow(frame.toArrow())
    else:
        table = pl.from_pandas(frame.toPandas())
    assert isinstance(table, pl.DataFrame)
    return table


def _plain(kind: pa.DataType) -> pa.DataType:
    return pa.string() if kind == pa.large_string() else kind


@pytest.fixture(scope="session")
def classic(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Spark]:
    """Spark of two threads in a JVM of this process, which answers Connect's clients too.

    ``make test-spark`` runs these; ``make test`` leaves it at Sail, which starts in a second.
    """
    if not os.environ.get("BASKETWISE_TEST_SPARK"):
        pytest.skip("make test-spark runs it")
    if shutil.which("java") is None:
        pytest.skip("there is no Java")
    from pyspark import SparkContext
    from pyspark.sql import SparkSession

    folder = tmp_path_factory.mktemp("spark")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    os.environ["PYSPARK_PYTHON"] = sys.executable
    settings = {
        "spark.connect.grpc.binding.address": "127.0.0.1",
        "spark.connect.grpc.binding.port": str(port),
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.extraJavaOptions": f"-Dderby.system.home={folder}",
        "spark.local.dir": str(folder / "local"),
        "spark.sql.shuffle.partitions": "2",
        "spark.sql.warehouse.dir": str(folder / "warehouse"),
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
    }
    if VERSION >= (4,):
        # Before, it was no part of the package.
        settings["spark.plugins"] = "org.apache.spark.sql.connect.SparkConnectPlugin"
    builder = SparkSession.builder.master("local[2]")
    for name, value in settings.items():
        builder = builder.config(name, value)
    session = builder.getOrCreate()
    yield Spark("classic", session, f"sc://127.0.0.1:{port}")
    gateway: Any = SparkContext._gateway
    session.stop()
    gateway.shutdown()
    # It ends when nobody writes to it any more.
    gateway.proc.stdin.close()
    gateway.proc.wait(30)


@pytest.fixture(scope="session")
def connect(classic: Spark) -> Iterator[Spark]:
    """A client of Spark Connect."""
    if VERSION < (4,):
        pytest.skip("pyspark 3.5 has no server of Spark Connect")
    yield from _client("connect", classic.url)


@pytest.fixture(scope="module")
def sail() -> Iterator[Spark]:
    """A client of a server without a JVM, which runs tasks in threads of this process."""
    from pysail.spark import SparkConnectServer

    server = SparkConnectServer("127.0.0.1", 0)
    with pytest.MonkeyPatch.context() as patched:
        for task in ("_as_batches", "_as_documents", "_of_group"):
            patched.setattr(frames, task, _traced(getattr(frames, task)))
        server.start(background=True)
        host, port = server.listening_address
        yield from _client("sail", f"sc://{host}:{port}")
        server.stop()


def _traced(task: Callable[..., Any]) -> Callable[..., Any]:
    """Measure coverage of a task: the server's threads are not Python's, which would be traced."""

    @wraps(task)
    def own(*arguments: Any) -> Any:
        sys.settrace(threading.gettrace())
        return task(*arguments)

    return own


def _client(name: str, url: str) -> Iterator[Spark]:
    from pyspark.sql.connect.session import SparkSession

    session = SparkSession.builder.remote(url).create()
    yield Spark(name, session, url)
    # The server ends next. It is not told: one that has forgotten the session is asked for minutes.
    session.client.close()


@pytest.fixture(params=["sail", "classic", "connect"])
def spark(request: pytest.FixtureRequest) -> Spark:
    """Each implementation in turn."""
    session: Spark = request.getfixturevalue(request.param)
    return session


@pytest.fixture(autouse=True)
def small_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scoring, "GROUP_LINES", GROUP_LINES)


@pytest.fixture(scope="session")
def model(evaluated: Evaluated) -> Model:
    return load_model_archive(evaluated.archive)


@pytest.fixture(scope="session")
def plain_lines(sample: Path) -> pl.DataFrame:
    """Some 1,900 lines of 300 baskets, as text, shuffled."""
    files = sorted(sample.glob("*.csv*"))
    lines = pl.concat([pl.read_csv(file, infer_schema=False) for file in files])
    ids = lines["BASKET_ID"].unique(maintain_order=True).gather_every(10)
    return lines.filter(pl.col("BASKET_ID").is_in(ids.implode())).sample(
        fraction=1, shuffle=True, seed=5
    )


@pytest.fixture(scope="session")
def damaged_lines(plain_lines: pl.DataFrame) -> pl.DataFrame:
    """The same with text ids, decimal commas, padding, copies, and every kind of refused line."""
    number = pl.int_range(pl.len())

    def every(step: int, column: str, value: pl.Expr | str | None) -> pl.Expr:
        other = value if isinstance(value, pl.Expr) else pl.lit(value)
        return pl.when(number % step == 1).then(other).otherwise(pl.col(column)).alias(column)

    lines = plain_lines.with_columns(
        pl.col("SPEND").str.replace(".", ",", literal=True),
        pl.when(pl.col("BASKET_ID").str.ends_with("7"))
        .then(pl.lit("Ä-") + pl.col("BASKET_ID"))
        .otherwise("BASKET_ID")
        .alias("BASKET_ID"),
    )
    for change in (
        every(50, "BASKET_ID", pl.lit("  ") + pl.col("BASKET_ID")),
        every(61, "BASKET_ID", None),
        every(67, "SPEND", "many"),
        every(71, "SPEND", "-1,5"),
        every(73, "QUANTITY", "0"),
        every(79, "PROD_CODE", "NULL"),
        every(83, "PROD_CODE", "NEW1"),
        every(89, "SHOP_WEEK", "200699"),
        every(97, "SHOP_WEEK", "200652"),
        every(101, "SHOP_HOUR", "noon"),
        every(103, "STORE_REGION", "X99"),
    ):
        lines = lines.with_columns(change)
    copies = lines.gather_every(40)
    return pl.concat([lines, copies])
