"""Archives that are gone, changed or hold no model: told, with commands that lead out."""

from __future__ import annotations

import gzip
import io
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from basketwise.digests import sha256
from basketwise.registry.mlflow.database import StateWriter
from basketwise.registry.mlflow.runs import SHA256
from tests.hostile.registry.shop import LINES, Shop, commands

Damage = Callable[[Shop, str], None]


def lose(shop: Shop, version: str) -> None:
    shop.archive(version).unlink()


def lose_folder(shop: Shop, version: str) -> None:
    shutil.rmtree(shop.archive(version).parent)


def append(shop: Shop, version: str) -> None:
    with shop.archive(version).open("ab") as stream:
        stream.write(b"x")


def exchange(shop: Shop, version: str) -> None:
    """Replace the archive and its digest, as whoever may write to the registry can."""
    archive, packed = shop.archive(version), io.BytesIO()
    with (
        tarfile.open(archive) as source,
        gzip.GzipFile(fileobj=packed, mode="wb") as stream,
        tarfile.open(fileobj=stream, mode="w") as target,
    ):
        for member in source:
            data = source.extractfile(member)
            if member.name != "product_index.parquet":
                target.addfile(member, data)
    archive.write_bytes(packed.getvalue())
    database = shop.folder / "registry" / "registry.db"
    group = shop.registry.get(version).uri.split("/")[1]
    StateWriter(database).set_model_version_tag(group, version, SHA256, sha256(archive))


DAMAGES: list[Damage] = [lose, lose_folder, append, exchange]
damaged = pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)


@pytest.fixture
def shop(template: Shop, tmp_path: Path) -> Shop:
    return template.copied(tmp_path / "w")


def tried(shop: Shop, text: str) -> int:
    """Run every command of a message in a workspace of its own; return how many there are."""
    named = [words for words in commands(text) if words[0] != "run"]
    for number, words in enumerate(named):
        copy = shop.copied(shop.folder.with_name(f"{shop.folder.name}-{number}"))
        pasted = [str(copy.folder) if word == str(shop.folder) else word for word in words]
        assert str(copy.folder) in pasted
        assert copy.call(*pasted).code == 0
        assert copy.is_settled
    return len(named)


@damaged
def test_a_version_that_cannot_be_used_is_not_approved(shop: Shop, damage: Damage) -> None:
    damage(shop, "1")
    before = shop.registry.history()
    outcome = shop.call("models", "approve", "1")
    assert outcome.code in (2, 3)
    assert outcome.err.startswith("Version 1 was not approved: ")
    assert shop.registry.history() == before
    assert shop.is_settled
    assert shop.champion == "3"
    assert tried(shop, outcome.err)


@damaged
def test_a_successor_that_cannot_be_used_is_passed_over(shop: Shop, damage: Damage) -> None:
    damage(shop, "2")
    outcome = shop.call("models", "rollback")
    assert outcome.code == 0
    assert "version 2 cannot be used" in outcome.err
    assert "version 1 is the champion again" in outcome.out
    assert shop.is_settled
    assert shop.states == "APR"
    assert "cannot succeed version 3" in shop.registry.history("2")[-1].why


def test_without_a_usable_successor_there_is_no_champion(shop: Shop) -> None:
    lose(shop, "1")
    append(shop, "2")
    outcome = shop.call("models", "rollback")
    assert outcome.code == 2
    assert "version 2 cannot be used" in outcome.err
    assert "version 1 cannot be used" in outcome.err
    assert shop.states == "AAA"
    assert tried(shop, outcome.err) == 1
    outcome = shop.call("models", "reject", "3")
    assert outcome.code == 0
    assert "There is no champion" in outcome.out
    assert shop.states == "PPR"
    assert shop.is_settled


@damaged
def test_predict_names_ways_out_of_a_champion_that_is_lost(
    shop: Shop, damage: Damage, tmp_path: Path
) -> None:
    damage(shop, "3")
    arguments = ("predict", LINES, "--out", tmp_path / "scores.csv")
    outcome = shop.call(*arguments)
    assert outcome.code in (2, 3)
    assert outcome.err.startswith("Version 3 cannot be used: ")
    assert tried(shop, outcome.err) == 2
    assert "add --model 2." in outcome.err
    assert shop.call(*arguments, "--model", "2").code == 0


@damaged
def test_other_versions_can_be_rejected_though_the_champion_is_lost(
    shop: Shop, damage: Damage
) -> None:
    damage(shop, "3")
    assert shop.call("models", "reject", "1").code == 0
    assert (shop.states, shop.champion) == ("RAA", "3")
    assert shop.is_settled
    assert shop.call("models", "reject", "3").code == 0
    assert (shop.states, shop.champion) == ("RAR", "2")
    assert shop.is_settled
