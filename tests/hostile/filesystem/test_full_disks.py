"""Disks that are full at some write: told, nothing half-made, and well once there is room."""

from __future__ import annotations

import random
import shutil
import tempfile
from pathlib import Path

import pytest

from tests.cli.calling import SMALL, call, called
from tests.cli.till import delivered, delivery
from tests.hostile.filesystem.disks import disk, enlarge
from tests.hostile.filesystem.faulty import rest
from tests.hostile.registry.shop import LINES, Shop
from tests.hostile.scale import tried

ROOM = 64 * 2**20
PAGE = 4096


def full(code: int, err: str, folder: Path) -> None:
    """Check that a command which could not write names the disk that is full."""
    assert code in (2, 3), err
    assert "No room left" in err or "No space left" in err or "full" in err, err
    assert str(folder) in err, err
    assert "bug" not in err


def sizes(seed: int, most: int, rounds: int) -> list[int]:
    """Return sizes of disks in bytes, small ones as often as large ones."""
    chance = random.Random(seed)
    return [PAGE * int(4 * (most / PAGE / 4) ** chance.random()) for _ in range(rounds)]


@pytest.mark.skipif(tried(0, 1) == 0, reason="make hostile")
@pytest.mark.parametrize("command", ["run", "etl"])
@pytest.mark.parametrize("size", sizes(1, 2_000_000, 30))
def test_a_run(tmp_path: Path, command: str, size: int) -> None:
    raw = delivered(tmp_path / "raw", delivery())
    with disk(tmp_path / "disk", size) as folder:
        workspace = folder / "w"
        arguments = (command, raw, "--workspace", workspace, *SMALL)
        outcome = call(*arguments)
        if outcome.code:
            full(outcome.code, outcome.err, folder)
            if command == "run":
                assert not list(workspace.glob("artifacts/*"))
        enlarge(folder, ROOM)
        called(*arguments)
        if command == "run":
            assert len(Shop(workspace).registry.versions()) == 1
            assert Shop(workspace).is_settled
        assert not list(rest(workspace))


@pytest.mark.parametrize("size", sizes(2, 400_000, tried(1, 30)))
def test_an_approval(template: Shop, tmp_path: Path, size: int) -> None:
    used = sum(-(-path.stat().st_size // PAGE) * PAGE for path in template.folder.rglob("*"))
    with disk(tmp_path / "disk", ROOM) as folder:
        shop = template.copied(folder / "w")
        enlarge(folder, used + size)
        outcome = shop.call("models", "approve", "1")
        if outcome.code:
            full(outcome.code, outcome.err, folder)
        enlarge(folder, ROOM)
        assert shop.call("models", "list").code == 0
        assert shop.is_settled
        assert shop.call("models", "approve", "1").code == 0
        assert shop.champion == shop.latest == "1"


@pytest.mark.parametrize("size", sizes(3, 60_000, tried(1, 30)))
def test_predictions(template: Shop, tmp_path: Path, size: int) -> None:
    with disk(tmp_path / "disk", size) as folder:
        raw = shutil.copy(LINES, tmp_path)
        arguments = ("predict", raw, "--out", folder / "scores.csv")
        outcome = template.call(*arguments)
        if outcome.code:
            full(outcome.code, outcome.err, folder)
            assert list(folder.iterdir()) == []
        enlarge(folder, ROOM)
        assert template.call(*arguments).code == 0


@pytest.mark.parametrize("size", sizes(4, 400_000, tried(1, 30)))
@pytest.mark.parametrize("words", [("models", "approve", "1"), ("predict", "RAW", "--out", "OUT")])
def test_the_temporary_folder(
    template: Shop,
    tmp_path: Path,
    size: int,
    words: tuple[str, ...],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shop = template.copied(tmp_path / "w")
    paths = {"RAW": LINES, "OUT": tmp_path / "scores.csv"}
    arguments = [paths.get(word, word) for word in words]
    with disk(tmp_path / "disk", size) as folder:
        monkeypatch.setattr(tempfile, "tempdir", str(folder))
        outcome = shop.call(*arguments)
        if outcome.code:
            full(outcome.code, outcome.err, folder)
        assert list(folder.iterdir()) == []
        enlarge(folder, ROOM)
        assert shop.call(*arguments).code == 0
        assert shop.is_settled
