"""Raw files that change while a run uses them: the file is named, and nothing is published."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from basketwise.etl.silver import partitions, table_reader
from basketwise.platforms.local import LocalPlatform
from tests.cli.calling import call, called
from tests.cli.till import delivered, delivery


def append(file: Path) -> None:
    line = file.read_bytes().splitlines(keepends=True)[-1]
    with file.open("ab") as stream:
        stream.write(line)


def truncate(file: Path) -> None:
    os.truncate(file, file.stat().st_size // 2)


def replace(file: Path) -> None:
    draft = file.with_name("draft")
    draft.write_bytes(file.read_bytes().replace(b"PRD00", b"PRD99"))
    draft.replace(file)


def remove(file: Path) -> None:
    file.unlink()


CHANGES: list[Callable[[Path], None]] = [append, truncate, replace, remove]
changed = pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return delivered(tmp_path / "raw", delivery()) / "till.csv"


def refused(file: Path, workspace: Path) -> None:
    outcome = call("etl", file.parent, "--workspace", workspace)
    assert outcome.code == 2, outcome
    assert "till.csv" in outcome.err
    assert not (workspace / "gold").exists()


@changed
def test_while_they_are_read(
    file: Path, tmp_path: Path, change: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    land, left = partitions.land, [change]

    def land_later(*arguments: Any, **options: Any) -> Any:
        while left:
            left.pop()(file)
        return land(*arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(table_reader, "land", land_later)
        refused(file, tmp_path / "w")
    if change in (append, replace):
        called("etl", file.parent, "--workspace", tmp_path / "w")


@pytest.mark.parametrize("change", [append, replace], ids=lambda change: change.__name__)
def test_between_the_plan_and_the_reading(
    file: Path, tmp_path: Path, change: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(LocalPlatform, "start", lambda *_: change(file))
    refused(file, tmp_path / "w")
