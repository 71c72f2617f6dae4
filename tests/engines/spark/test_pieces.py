"""Work on pieces is the same in tasks as it is here, and reads lines there alone."""

from __future__ import annotations

import copy
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from numpy.typing import NDArray

from basketwise.config import AwsConfig, Config
from basketwise.engines.spark import pieces
from basketwise.engines.spark.exchange import Exchange, exchange_at
from basketwise.engines.spark.pieces import (
    Handed,
    HandOver,
    PieceTask,
    SparkMap,
    put,
    read,
    received,
    received_work,
    single_threaded,
)
from basketwise.etl.gold import selection
from basketwise.pieces import Result, here
from basketwise.sampling import draw_lines
from tests.engines.spark.conftest import Spark
from tests.engines.spark.running import changed_gold, etl_here, etl_of_frame

FRAME = pl.DataFrame(
    {"a": [1, None], "b": ["x", "y"], "c": pl.Series(["p", "q"], dtype=pl.Categorical)}
)


class Piece(NamedTuple):
    path: Path
    factor: int


@dataclass(frozen=True)
class Scaling:
    """Multiplies a file's numbers with some of its own."""

    weights: NDArray[np.float32]
    table: pl.DataFrame

    def __call__(self, piece: Piece) -> Result:
        numbers = pl.read_parquet(piece.path)["a"].to_numpy()
        scaled = np.outer(numbers, self.weights) * piece.factor
        return {"scaled": scaled, "table": self.table.with_columns(factor=piece.factor)}


@pytest.fixture
def exchange(tmp_path: Path) -> Iterator[Exchange]:
    own = exchange_at(str(tmp_path / "exchange"), AwsConfig())
    own.open()
    yield own
    own.close()


@pytest.mark.parametrize(
    "value",
    [
        np.arange(6, dtype=np.float32).reshape(2, 3),
        np.arange(6, dtype=np.int8)[::2],
        np.array([True, False, True]),
        np.zeros((0, 4)),
        np.array([np.nan, -0.0, np.inf]),
        np.asfortranarray(np.arange(6).reshape(2, 3)),
    ],
    ids=["matrix", "strided", "flags", "empty", "special", "columns first"],
)
def test_an_array_is_handed_over_as_it_is(exchange: Exchange, value: NDArray[Any]) -> None:
    again = read(exchange, put(exchange, "name", value))
    assert again.dtype == value.dtype
    assert again.shape == value.shape
    assert again.tobytes() == value.tobytes()


def test_values_are_handed_over_within_what_they_are_in(exchange: Exchange, tmp_path: Path) -> None:
    path = tmp_path / "own.txt"
    path.write_text("content")
    work = Scaling(np.arange(3, dtype=np.float32), FRAME)
    given = (partial(work, Piece(path, 2)), {"frame": FRAME}, [FRAME, "text", None])
    handed = HandOver(exchange)(given)
    # A frame that comes again right away is written once.
    assert handed[1]["frame"] is handed[2][0]
    with ExitStack() as stack:
        called, named, (frame, *others) = received(exchange, handed, stack)
        assert called.args[0].path.read_text() == "content"
        np.testing.assert_array_equal(called.func.weights, work.weights)
        for own in (called.func.table, named["frame"], frame):
            assert own.equals(FRAME)
            assert own.schema == FRAME.schema
        assert others == ["text", None]


@pytest.fixture
def sent_along() -> Iterator[None]:
    """Send this module with the tasks: in processes of their own it is not there."""
    pickling: Any = import_module("pyspark.cloudpickle")
    pickling.register_pickle_by_value(sys.modules[__name__])
    yield
    pickling.unregister_pickle_by_value(sys.modules[__name__])


@pytest.mark.usefixtures("sent_along")
def test_tasks_give_what_threads_give(spark: Spark, exchange: Exchange, tmp_path: Path) -> None:
    pieces = []
    for number in range(5):
        path = tmp_path / f"{number}.parquet"
        pl.DataFrame({"a": np.arange(number)}).write_parquet(path)
        pieces.append(Piece(path, number))
    work = Scaling(np.array([1, 0.1], np.float32), FRAME)
    each = SparkMap(spark.session, exchange)
    there, expected = list(each(work, iter(pieces))), list(here(work, pieces))
    assert len(there) == 5
    for own, other in zip(there, expected, strict=True):
        assert own["table"].equals(other["table"])
        scaled = own.pop("scaled")
        assert scaled.tobytes() == other["scaled"].tobytes()
        assert scaled.shape == other["scaled"].shape
        assert list(own) == ["table"]
    assert list(each(work, [])) == []


@pytest.mark.parametrize("outliers", ["drop", "clip"])
def test_the_driver_reads_no_lines(
    sail: Spark, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, outliers: str
) -> None:
    monkeypatch.setattr(selection, "FEWEST", 300)
    monkeypatch.setattr(selection, "KNOWN", 0.0)
    monkeypatch.setattr(selection, "MISTAKES", -1.0)
    settings = {
        "etl": {"outliers": outliers},
        "training": {"folds": 3},
        "features": {"groups": ["basket", "product", "customer"], "tried": ["price", "season"]},
    }
    config = Config.model_validate(settings)
    lines = draw_lines(baskets=1_500, seed=3, weeks=8)
    (tmp_path / "raw").mkdir()
    lines.write_parquet(tmp_path / "raw/table.parquet")
    here = etl_here(tmp_path / "raw", tmp_path / "here", config)
    readers: list[str] = []
    read_parquet = pl.read_parquet

    def recorded(source: Any, **options: Any) -> pl.DataFrame:
        if "shop_week=" in str(source):
            readers.append(threading.current_thread().name)
        return read_parquet(source, **options)

    monkeypatch.setattr(pl, "read_parquet", recorded)
    text = pl.all().cast(pl.String)
    there = etl_of_frame(sail.frame(lines.select(text), 3), tmp_path / "there", config)
    monkeypatch.undo()
    assert changed_gold(there, here) == []
    facts, expected = there.metadata, here.metadata
    assert len(facts.learning_curve.points) == 3
    assert (facts.learning_curve, facts.tried) == (expected.learning_curve, expected.tried)
    assert len(facts.tried) == 2
    # Training lines, customers, two samples, rows: all by threads that Sail has started.
    assert len(readers) > 5 * 3
    assert {name.partition("-")[0] for name in readers} == {"Dummy"}


def test_a_worker_has_its_threads_back_after_a_task(monkeypatch: pytest.MonkeyPatch) -> None:
    limits = mock.Mock()
    monkeypatch.setattr(pieces, "threadpool_limits", limits)
    restored = limits.return_value.restore_original_limits

    def task() -> None:
        with single_threaded():
            limits.assert_called_with(1)
            restored.assert_not_called()

    # One thread of several leaves the limit to the others.
    thread = threading.Thread(target=task)
    thread.start()
    thread.join()
    assert limits.call_count == 1
    task()
    restored.assert_called_once_with()
    with pytest.raises(ZeroDivisionError), single_threaded():
        _ = 1 // 0
    assert restored.call_count == 2


class Counting:
    """An exchange that is no folder, and lists what is read."""

    def __init__(self, folder: Exchange) -> None:
        self.folder, self.location, self.names = folder, folder.location, list[str]()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.folder, name)

    def reading(self, name: str) -> Any:
        self.names.append(name)
        return self.folder.reading(name)


def test_what_must_be_fetched_is_fetched_once_in_a_process(exchange: Exchange) -> None:
    counting: Any = Counting(exchange)
    hand_over = HandOver(counting)
    works = [hand_over(Weighted(np.arange(3.0) + first, "same")) for first in (0, 1)]
    files = [work.weights.name for work in works]

    def results(work: Any) -> list[float]:
        # Spark sends each task its own copy.
        task = PieceTask(counting, copy.deepcopy(work), [2.0, 4.0])
        told = [list(task(numbers_of(number))) for number in (0, 1)]
        return [
            float(read(exchange, Handed(f"{document['name']}.sum.arrow", (1,)))[0])
            for (document,) in told
        ]

    assert results(works[0]) == [6.0, 12.0]
    assert counting.names == files[:1]
    assert results(works[1]) == [12.0, 24.0]
    assert results(works[1]) == [12.0, 24.0]
    assert counting.names == files
    # One work is kept, no more.
    assert results(works[0]) == [6.0, 12.0]
    assert counting.names == [*files, files[0]]


def test_a_path_is_not_kept(exchange: Exchange, tmp_path: Path) -> None:
    FRAME.drop("c").write_parquet(tmp_path / "own.parquet")
    counting: Any = Counting(exchange)
    work = HandOver(counting)({"path": tmp_path / "own.parquet", "weights": np.arange(2.0)})
    for _ in range(2):
        with ExitStack() as stack:
            got = received_work(counting, work, stack)
            assert pl.read_parquet(got["path"]).equals(FRAME.drop("c"))
    assert len(counting.names) == 4


@dataclass(frozen=True)
class Weighted:
    """Adds up its weights, times a piece."""

    weights: NDArray[np.float64]
    label: str

    def __call__(self, piece: float) -> Result:
        return {"sum": np.array([self.weights.sum() * piece])}


def numbers_of(number: int) -> Any:
    return iter([pa.RecordBatch.from_pydict({"id": [number]})])
