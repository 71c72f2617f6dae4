"""The registry's database: locked, read-only, cut off, replaced or with damaged pages."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from basketwise.registry.ledger import ENTRY
from basketwise.registry.mlflow import calls
from basketwise.registry.mlflow.registry import METRICS
from tests.hostile.registry.shop import LINES, Shop
from tests.hostile.scale import tried

Damage = Callable[[Path], None]

COMMANDS: tuple[tuple[str, ...], ...] = (
    ("models", "list"),
    ("models", "approve", "1"),
    ("models", "history"),
    ("models", "rollback"),
    ("predict", str(LINES), "--out", "OUT"),
    ("export",),
    ("doctor",),
)


def empty(file: Path) -> None:
    file.write_bytes(b"")


def header_alone(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:100])


def half(file: Path) -> None:
    data = file.read_bytes()
    file.write_bytes(data[: len(data) // 2])


def last_page_gone(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-4096])


def noise(file: Path) -> None:
    file.write_bytes(random.Random(7).randbytes(50_000))


def text(file: Path) -> None:
    file.write_text("version https://git-lfs.github.com/spec/v1\n")


def a_folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


def another_database(file: Path) -> None:
    file.unlink()
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("CREATE TABLE customers (name TEXT)")


def without_a_table(file: Path) -> None:
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("DROP TABLE model_version_tags")


def gone(file: Path) -> None:
    file.unlink()


DAMAGES: list[Damage] = [
    *(empty, header_alone, half, last_page_gone, noise, text, a_folder, another_database),
    *(without_a_table, gone),
]


@pytest.fixture
def shop(template: Shop, tmp_path: Path) -> Shop:
    return template.copied(tmp_path / "w")


def ends_well(shop: Shop, words: tuple[str, ...]) -> int:
    """Call a command: it succeeds, or says what is wrong with the registry."""
    outcome = shop.call(
        *(str(shop.folder / "out.csv") if word == "OUT" else word for word in words)
    )
    assert outcome.code in (0, 2, 3), outcome
    assert "bug" not in outcome.err
    return outcome.code


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
@pytest.mark.parametrize(
    "words", COMMANDS[: tried(1, 9)], ids=lambda words: "-".join(words[:2])[-9:]
)
def test_a_database_that_is_damaged(shop: Shop, words: tuple[str, ...], damage: Damage) -> None:
    file = shop.folder / "registry" / "registry.db"
    damage(file)
    code = ends_well(shop, words)
    # Never is it taken for a registry without versions, but where there is none.
    assert code or damage is gone
    if damage is empty:
        assert file.read_bytes() == b""


@pytest.mark.parametrize("seed", range(tried(2, 40)))
def test_a_database_with_damaged_bytes(shop: Shop, seed: int) -> None:
    file, chance = shop.folder / "registry" / "registry.db", random.Random(seed)
    whole = file.read_bytes()
    for words in COMMANDS[: tried(2, 9)]:
        data = bytearray(whole)
        for _ in range(chance.choice((1, 10, 1_000))):
            data[chance.randrange(len(data))] = chance.randrange(256)
        file.write_bytes(data)
        ends_well(shop, words)


def test_a_database_that_another_process_has_locked(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calls, "LOCKED_FOR", 0.1)
    connect: Any = sqlite3.connect

    def hasty(*arguments: Any, **options: Any) -> Any:
        return connect(*arguments, **{**options, "timeout": 0.1})

    monkeypatch.setattr(sqlite3, "connect", hasty)
    with closing(connect(shop.folder / "registry" / "registry.db")) as other:
        other.execute("BEGIN EXCLUSIVE")
        for words in COMMANDS[: tried(2, 9)]:
            outcome = shop.call(*words)
            assert outcome.code == 3, outcome
            assert "database is locked" in outcome.err + outcome.out
        other.execute("ROLLBACK")
    assert ends_well(shop, ("models", "approve", "1")) == 0
    assert shop.is_settled


@pytest.mark.parametrize("tag", [METRICS, ENTRY])
def test_a_tag_that_was_changed_by_hand(shop: Shop, tag: str) -> None:
    with closing(sqlite3.connect(shop.folder / "registry" / "registry.db")) as connection:
        changed = connection.execute(
            "UPDATE model_version_tags SET value = '{' WHERE version = 2 AND key LIKE ?",
            [f"{tag}%"],
        )
        assert changed.rowcount
        connection.commit()
    outcome = shop.call("models", "list")
    assert outcome.code == 3
    assert "version 2" in outcome.err
    assert "restore a backup" in outcome.err
