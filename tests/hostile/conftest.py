"""What several of these tests need."""

from __future__ import annotations

import pytest

from tests.hostile.clock import Clock
from tests.hostile.registry.shop import Shop, build


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """A workspace with three approved versions of one model, which tests copy."""
    return build(tmp_path_factory.mktemp("shop") / "w", versions=3)
