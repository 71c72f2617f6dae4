"""Work on many pieces by Spark's tasks, as :class:`basketwise.pieces.Map`.

Arrays and frames, of the work, of its pieces and of the results, are handed over as Arrow files.
What they stand in goes with the task; of a result, a task tells names and shapes alone. As in
:mod:`basketwise.engines.spark.settling`, only what a task tells of counts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, fields, is_dataclass, replace
from functools import partial
from pathlib import Path
from threading import current_thread, main_thread
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import numpy as np
import polars as pl
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from basketwise.disk import write_arrow
from basketwise.engines.spark.exchange import Exchange, Folder
from basketwise.engines.spark.frames import Batches, documents
from basketwise.engines.spark.tables import numbered, numbers
from basketwise.pieces import Piece, Result

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_COLUMN = "values"


@dataclass(frozen=True)
class Handed:
    """Stands for what is in a file: an array of a shape; without one, a frame."""

    name: str
    shape: tuple[int, ...] | None = None


@dataclass(frozen=True)
class HandedPath:
    """Stands for the path of a file of the driver's."""

    name: str


@dataclass
class HandOver:
    """Hands values over, frames and arrays that come again right away once only."""

    exchange: Exchange
    _last: tuple[Any, Handed] | None = None

    def __call__(self, value: Any) -> Any:
        """Return a value whose arrays, frames and paths are handed over, and stood for."""
        if isinstance(value, pl.DataFrame | np.ndarray):
            if self._last is None or self._last[0] is not value:
                self._last = value, put(self.exchange, uuid4().hex, value)
            return self._last[1]
        if isinstance(value, Path):
            return HandedPath(self.exchange.offer(value))
        return _rebuilt(value, self)


def put(exchange: Exchange, name: str, value: pl.DataFrame | NDArray[Any]) -> Handed:
    """Hand over an array or a frame."""
    name = f"{name}.arrow"
    frame = value if isinstance(value, pl.DataFrame) else _as_frame(value)
    with exchange.writing(name) as path:
        write_arrow(frame.rechunk(), path)
    return Handed(name, None if isinstance(value, pl.DataFrame) else value.shape)


def _as_frame(array: NDArray[Any]) -> pl.DataFrame:
    return pl.DataFrame({_COLUMN: np.ascontiguousarray(array).reshape(-1)})


def read(exchange: Exchange, handed: Handed) -> Any:
    """Return an array, which may be read only, or a frame that was handed over."""
    with exchange.reading(handed.name) as path:
        frame = pl.read_ipc(path)
    if handed.shape is None:
        return frame
    return frame[_COLUMN].to_numpy().reshape(handed.shape)


def received(exchange: Exchange, value: Any, stack: ExitStack) -> Any:
    """Return a value that was handed over; its files are there until the stack is left."""
    if isinstance(value, Handed):
        return read(exchange, value)
    if isinstance(value, HandedPath):
        return stack.enter_context(exchange.reading(value.name))
    return _rebuilt(value, lambda part: received(exchange, part, stack))


def received_work(exchange: Exchange, work: Any, stack: ExitStack) -> Any:
    """Return work that was handed over; what has to be fetched is kept for the next task.

    A process keeps the last work alone, and none that has a path, whose file ends with the stack.
    """
    if isinstance(exchange, Folder):
        return received(exchange, work, stack)
    handed: list[Handed | HandedPath] = []
    _note(work, handed)
    if not handed or any(isinstance(part, HandedPath) for part in handed):
        return received(exchange, work, stack)
    key = (exchange.location, *handed)
    own = _kept.get(key)
    if own is None:
        own = received(exchange, work, stack)
        _kept.clear()
        _kept[key] = own
    return own


_kept: dict[tuple[Any, ...], Any] = {}


def _note(value: Any, handed: list[Handed | HandedPath]) -> Any:
    """List what stands for files in a value."""
    if isinstance(value, Handed | HandedPath):
        handed.append(value)
        return value
    return _rebuilt(value, lambda part: _note(part, handed))


def _rebuilt(value: Any, change: Callable[[Any], Any]) -> Any:
    """Return a value whose parts are changed."""
    if isinstance(value, partial):
        return partial(change(value.func), *change(value.args), **change(value.keywords))
    if isinstance(value, dict):
        return {name: change(part) for name, part in value.items()}
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*map(change, value))
    if isinstance(value, tuple | list):
        return type(value)(map(change, value))
    if is_dataclass(value) and not isinstance(value, type):
        parts = {field.name: getattr(value, field.name) for field in fields(value)}
        changed = {name: change(part) for name, part in parts.items()}
        if any(changed[name] is not part for name, part in parts.items()):
            return replace(value, **changed)
    return value


@contextmanager
def single_threaded() -> Iterator[None]:
    """Let BLAS use one thread: what a sum adds up first must not depend on the machine.

    Afterwards the process has its threads back, if its main thread ran the task, as in Spark's own
    workers. Elsewhere other threads may be in a task, and would lose the limit.
    """
    limits = threadpool_limits(1)
    try:
        yield
    finally:
        if current_thread() is main_thread():
            limits.restore_original_limits()


@dataclass(frozen=True)
class PieceTask:
    """Works on the pieces whose numbers it gets.

    Attributes
    ----------
    exchange
        Has what is handed over, and gets the results.
    work, pieces
        As :class:`HandOver` gives them.
    """

    exchange: Exchange
    work: Any
    pieces: Sequence[Any]

    def __call__(self, batches: Batches) -> Iterator[dict[str, Any]]:
        """Yield one document a piece: its number, and what its result consists of."""
        # As where an index is learned.
        with ExitStack() as stack:
            stack.enter_context(single_threaded())
            work = received_work(self.exchange, self.work, stack)
            for number in numbers(batches):
                with ExitStack() as own:
                    result = work(received(self.exchange, self.pieces[number], own))
                name = uuid4().hex
                told = {
                    key: put(self.exchange, f"{name}.{key}", value).shape
                    for key, value in result.items()
                }
                yield {"number": number, "name": name, "shapes": told}


class Told(Result):
    """A result that was told of: each part is read when it is asked for, and not kept."""

    def __init__(self, exchange: Exchange, document: dict[str, Any]) -> None:
        name, shapes = document["name"], document["shapes"]
        super().__init__(
            {
                key: Handed(f"{name}.{key}.arrow", None if shape is None else tuple(shape))
                for key, shape in shapes.items()
            }
        )
        self._exchange = exchange

    def __getitem__(self, name: str) -> Any:
        """Read a part."""
        return read(self._exchange, super().__getitem__(name))

    def pop(self, name: str) -> Any:  # type: ignore[override]
        """Read a part, and forget it."""
        return read(self._exchange, super().pop(name))

    def take(self, name: str, target: Path) -> None:
        """Move a frame's Arrow file to a path of this machine, unread."""
        self._exchange.take(super().__getitem__(name).name, target)


@dataclass(frozen=True)
class SparkMap:
    """Works on each piece in a task of its own; what all of them need is handed over once."""

    session: SparkSession
    exchange: Exchange

    def __call__(
        self, work: Callable[[Piece], Result], pieces: Iterable[Piece], /
    ) -> Iterator[Told]:
        """Yield a result a piece, see :class:`basketwise.pieces.Map`."""
        hand_over = HandOver(self.exchange)
        given = [hand_over(piece) for piece in pieces]
        if not given:
            return
        task = PieceTask(self.exchange, hand_over(work), given)
        told = documents(numbered(self.session, len(given)), task)
        told.sort(key=lambda document: document["number"])
        for document in told:
            yield Told(self.exchange, document)
