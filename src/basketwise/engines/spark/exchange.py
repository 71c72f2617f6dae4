"""Where tasks and the driver hand each other files: a folder that all machines reach, or a bucket.

Names are relative, with ``/``. Whoever writes chooses a name that nobody else has, and tells it;
only what is told of is read. So it does not matter what an attempt leaves that Spark gave up.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import polars as pl

from basketwise.config import AwsConfig
from basketwise.disk import write_parquet
from basketwise.etl.silver.survey import Survey
from basketwise.files import move
from basketwise.plugins import EXCHANGES, load
from basketwise.storage.scheme import scheme_of


class Exchange(Protocol):
    """Hands over files; goes with tasks to other machines.

    Raises
    ------
    BasketwiseError
        From any method but ``is_reached``, if a place refuses or cannot be reached.
    """

    @property
    def location(self) -> str:
        """Its path or address."""

    def open(self) -> None:
        """Create it; called once, by the driver."""

    def is_reached(self) -> bool:
        """Whether this machine reaches what the driver has created."""

    @contextmanager
    def writing(self, name: str) -> Iterator[Path]:
        """Give a path for a new file, which others can read after the block."""

    @contextmanager
    def reading(self, name: str) -> Iterator[Path]:
        """Give a path of this machine with a file's content for the time of the block."""

    def take(self, name: str, target: Path) -> None:
        """Move a file to a path of this machine."""

    def offer(self, path: Path) -> str:
        """Return the name under which tasks read a file of the driver's."""

    def close(self) -> None:
        """Remove what is left; called once, by the driver."""


@dataclass(frozen=True)
class Folder:
    """A folder that every machine has at the same absolute path."""

    path: Path

    @property
    def location(self) -> str:
        """The folder's path."""
        return str(self.path)

    def open(self) -> None:
        """Create the folder."""
        self.path.mkdir(parents=True)

    def is_reached(self) -> bool:
        """Whether the folder exists."""
        return self.path.is_dir()

    @contextmanager
    def writing(self, name: str) -> Iterator[Path]:
        """Give the file's path in the folder."""
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        yield path

    @contextmanager
    def reading(self, name: str) -> Iterator[Path]:
        """Give the file's path; an offered one is absolute."""
        yield self.path / name

    def take(self, name: str, target: Path) -> None:
        """Rename the file, or copy it if the target is on another file system."""
        move(self.path / name, target)

    def offer(self, path: Path) -> str:
        """Return the path itself: it is in the workspace, which all machines reach."""
        return str(path.absolute())

    def close(self) -> None:
        """Remove the folder."""
        shutil.rmtree(self.path, ignore_errors=True)


def exchange_at(location: str, config: AwsConfig) -> Exchange:
    """Return the exchange at a path or an address.

    Parameters
    ----------
    config : AwsConfig
        Region and endpoint, for a bucket.
    """
    scheme = scheme_of(location)
    if not scheme:
        return Folder(Path(location).absolute())
    exchange: Exchange = load(EXCHANGES[scheme])(location, config)
    return exchange


def put_frame(exchange: Exchange, name: str, frame: pl.DataFrame) -> None:
    """Hand over a frame as a Parquet file."""
    with exchange.writing(name) as path:
        write_parquet(frame, path)


def put_survey(exchange: Exchange, name: str, survey: Survey) -> None:
    """Hand over a survey, one file a table."""
    for table, frame in vars(survey).items():
        put_frame(exchange, _table(name, table), frame)


def read_frame(exchange: Exchange, name: str, columns: list[str] | None = None) -> pl.DataFrame:
    """Return some columns of a Parquet file that was handed over; None: all."""
    with exchange.reading(name) as path:
        return pl.read_parquet(path, columns=columns, glob=False)


def read_survey(exchange: Exchange, name: str) -> Survey:
    """Return a survey that was handed over."""
    tables = ("baskets", "products", "spends")
    return Survey(*(read_frame(exchange, _table(name, table)) for table in tables))


def _table(name: str, table: str) -> str:
    return f"{name}.{table}.parquet"
