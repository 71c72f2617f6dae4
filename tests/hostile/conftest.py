"""What several of these tests need."""

from __future__ import annotations

import pytest

from tests.hostile.clock import Clock


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)
