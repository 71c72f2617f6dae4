"""A log of predictions as Parquet, for monitoring: one row per scored basket, off by default.

Answers are not held up: they are put into a queue, and a thread of its own writes. What does not
fit is counted and dropped. Files are published whole, and the oldest go when there are too many.
Nothing of a customer is stored; ids of baskets are, or instead a keyed hash of them.
"""

from __future__ import annotations

import hmac
import os
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import polars as pl

from basketwise.disk import write_parquet
from basketwise.errors import ConfigError
from basketwise.schema import (
    CERTAINTY,
    INDEX_LABELS,
    KEY,
    KNOWN_SHARE,
    PREDICTED,
    PROBABILITIES,
)
from basketwise.serving.http.answers import Answer
from basketwise.serving.http.served import Served

ROWS_WAITING = 500_000
"""Baskets that wait to be written, at most."""
COMPLAIN_SECONDS = 60.0
COUNTS = tuple(f"lines_{label.lower()}" for label in INDEX_LABELS)
"""Lines of the basket by the class of their product."""

SCHEMA: dict[str, pl.DataType] = {
    "time": pl.Datetime("us", "UTC"),
    "version": pl.String(),
    "sha256": pl.String(),
    KEY: pl.String(),
    PREDICTED: pl.String(),
    **dict.fromkeys(PROBABILITIES, pl.Float64()),
    KNOWN_SHARE: pl.Float64(),
    CERTAINTY: pl.String(),
    **dict.fromkeys(COUNTS, pl.Int32()),
}
PREFIX = "predictions-"
SHORTEST_KEY = 16
_COPIED = (PREDICTED, *PROBABILITIES, KNOWN_SHARE, CERTAINTY)

Say = Callable[[str], None]
Row = dict[str, Any]


@dataclass(frozen=True)
class Rotation:
    """When a file is closed, and how much is stored.

    ``rows``: per file; ``seconds``: after which one with fewer is closed; ``files``: the newest
    that are stored.
    """

    rows: int = 100_000
    seconds: float = 300.0
    files: int = 200


class PredictionLog:
    """Writes predictions into a folder, from a thread of its own.

    Parameters
    ----------
    folder : Path
        Made if it is absent.
    say : callable
        Is told when something could not be written, once in a while.
    key : bytes, optional
        Secret: baskets are stored under a hash with it (HMAC-SHA-256) instead of their ids.
    rotation : Rotation
        Sizes.

    Raises
    ------
    ConfigError
        If the folder cannot be made or written to.
    """

    def __init__(
        self, folder: Path, say: Say, key: bytes | None = None, rotation: Rotation | None = None
    ) -> None:
        self._folder, self._say, self._key = folder, say, key
        self._rotation = rotation or Rotation()
        self._waiting: queue.SimpleQueue[tuple[datetime, Answer] | None] = queue.SimpleQueue()
        self._rows_waiting = 0
        self._lock = threading.Lock()
        self.dropped = 0
        self.written = 0
        self._complain_at = 0.0
        self._number = 0
        try:
            folder.mkdir(parents=True, exist_ok=True)
            probe = folder / f".{PREFIX}probe"
            probe.write_bytes(b"")
            probe.unlink()
        except OSError as error:
            raise ConfigError(
                f"The folder for the log, {str(folder)!r}, cannot be written to: {error.strerror}.",
                "Choose another with --prediction-log.",
            ) from error
        self._thread = threading.Thread(target=self._write, name="basketwise-log", daemon=True)
        self._thread.start()

    def put(self, answer: Answer, served: Served) -> None:
        """Log the baskets of an answer, or drop them if too many wait; returns at once."""
        number = len(answer.outcomes)
        with self._lock:
            taken = self._rows_waiting + number <= ROWS_WAITING
            if taken:
                self._rows_waiting += number
            else:
                self.dropped += number
                self._complain()
        if taken:
            self._waiting.put((datetime.now(UTC), answer))

    def close(self, seconds: float = 5.0) -> None:
        """Write what waits, and end the thread."""
        self._waiting.put(None)
        self._thread.join(seconds)

    def _complain(self) -> None:
        """Tell of dropped predictions, once a minute: a log of its own must not slow answers."""
        now = time.monotonic()
        if now >= self._complain_at:
            self._complain_at = now + COMPLAIN_SECONDS
            self._say(f"{self.dropped:,} predictions so far were not logged: too many at a time.")

    def _rows(self, now: datetime, answer: Answer) -> list[Row]:
        counts = answer.class_counts()
        identity = answer.served.identity
        rows = []
        for row in answer.predictions:
            key = str(row[KEY]).strip()
            own = counts.get(key)
            logged = {name: row.get(name) for name in _COPIED}
            logged |= {"time": now, **identity, KEY: self._named(key)}
            if own is not None:
                logged |= dict(zip(COUNTS, (own[label] for label in INDEX_LABELS), strict=True))
            rows.append(logged)
        return rows

    def _named(self, key: str) -> str:
        if self._key is None:
            return key
        return hmac.new(self._key, key.encode(), sha256).hexdigest()

    def _write(self) -> None:
        rows: list[Row] = []
        opened = time.monotonic()
        while True:
            remaining = max(0.0, self._rotation.seconds - (time.monotonic() - opened))
            item: tuple[datetime, Answer] | None = None
            is_last = False
            try:
                item = self._waiting.get(timeout=remaining if rows else None)
                is_last = item is None
            except queue.Empty:
                pass
            if not rows:
                opened = time.monotonic()
            if item is not None:
                rows += self._rows(*item)
                with self._lock:
                    self._rows_waiting -= len(item[1].outcomes)
            is_due = time.monotonic() - opened >= self._rotation.seconds
            if rows and (is_last or is_due or len(rows) >= self._rotation.rows):
                self._publish(rows)
                rows = []
            if is_last:
                return

    def _publish(self, rows: list[Row]) -> None:
        self._number += 1
        stamp = f"{datetime.now(UTC):%Y%m%dT%H%M%S%f}Z"
        name = f"{PREFIX}{stamp}-{os.getpid()}-{self._number:06d}.parquet"
        hidden = self._folder / f".{name}"
        try:
            write_parquet(pl.DataFrame(rows, schema=SCHEMA), hidden)
            hidden.rename(self._folder / name)
            self.written += len(rows)
            files = sorted(self._folder.glob(f"{PREFIX}*.parquet"))
            for old in files[: -self._rotation.files]:
                old.unlink(missing_ok=True)
        except (OSError, pl.exceptions.PolarsError) as error:
            self.dropped += len(rows)
            self._say(f"{len(rows):,} predictions could not be logged: {error}")


def open_log(folder: str, key_file: str | None, say: Say) -> PredictionLog:
    """Open a log in a folder; ``key_file`` has the secret for the hashes of basket ids.

    Raises
    ------
    ConfigError
        If the folder cannot be written to, or the key cannot be read or is too short.
    """
    key = None
    if key_file:
        try:
            key = Path(key_file).expanduser().read_bytes().strip()
        except OSError as error:
            raise ConfigError(
                f"The key file {key_file!r} cannot be read: {error.strerror}.",
                "Name a file with one line.",
            ) from error
        if len(key) < SHORTEST_KEY:
            raise ConfigError(
                f"The key in {key_file!r} has fewer than {SHORTEST_KEY} bytes.",
                "Make one: python3 -c 'import secrets; print(secrets.token_urlsafe())'",
            )
    return PredictionLog(Path(folder).expanduser(), say, key)
