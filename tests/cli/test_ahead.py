"""Processes are started early where they will be needed, and only there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from basketwise.cli import ahead


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    modules: list[str] = []

    @contextmanager
    def spied(module: str) -> Iterator[None]:
        modules.append(module)
        yield
        modules.append("ended")

    monkeypatch.setattr(ahead, "started_ahead", spied)
    monkeypatch.setattr(ahead, "many_below", lambda data: data == "much")
    return modules


def test_much_is_read_in_processes_that_start_at_once(started: list[str], tmp_path: Path) -> None:
    with ahead.readers_ahead("much", str(tmp_path), engine="local", force=False):
        assert started == ["basketwise.etl.silver.table_reader"]
    assert started[1:] == ["ended"]


@pytest.mark.parametrize(
    ("data", "made", "engine", "force"),
    [
        ("little", False, "local", False),
        ("much", True, "local", False),
        ("much", False, "spark", False),
    ],
)
def test_none_is_started_in_vain(
    data: str, made: bool, engine: str, force: bool, started: list[str], tmp_path: Path
) -> None:
    if made:
        (tmp_path / "silver").mkdir()
    with ahead.readers_ahead(data, str(tmp_path), engine=engine, force=force):
        assert started == []


def test_what_is_made_anyway_needs_them_too(started: list[str], tmp_path: Path) -> None:
    (tmp_path / "silver").mkdir()
    with ahead.readers_ahead("much", str(tmp_path), engine="local", force=True):
        assert started
