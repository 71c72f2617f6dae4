"""A clock that a test sets."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo

import pytest

from basketwise import clock

START = datetime(2026, 2, 3, 12, 0, 5, tzinfo=UTC)


class Clock:
    """Takes the place of this machine's clock while a test runs; it stands still."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.time = START
        monkeypatch.setattr(clock, "datetime", self)

    def now(self, _: tzinfo) -> datetime:
        return self.time

    def back(self, **delta: float) -> None:
        self.time -= timedelta(**delta)
