"""Parts of a workspace that cannot be changed: told, and well once they can be."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from basketwise.storage.local import LocalStorage
from tests.cli.calling import SMALL, call, called, spawn
from tests.cli.till import delivered, delivery
from tests.hostile.filesystem.faulty import rest
from tests.hostile.filesystem.immutable import immutable
from tests.hostile.registry.shop import Shop
from tests.hostile.scale import tried

pytestmark = pytest.mark.skipif(tried(0, 1) == 0, reason="make hostile")

PARTS = (
    ".",
    ".lock",
    "deployment-configs",
    "deployment-configs/latest_model_config.json",
    "registry",
    "registry/registry.db",
    "registry/artifacts",
    "registry/artifacts/*",
    "artifacts",
    "artifacts/*",
    "artifacts/*/report.html",
    "silver",
    "silver/*",
    "gold",
    "gold/*.parquet",
)
"""Of the workspace; of what a pattern matches, the first one."""

TOLD = (os.strerror(errno.EPERM), os.strerror(errno.EACCES), "the right to read and write")
TRAINING = (*SMALL, "--set", "training.models=decision_tree")
OTHER = ("--set", "training.random_state=7")
COMMANDS: tuple[tuple[str, ...], ...] = (
    ("models", "approve", "1"),
    ("models", "reject", "2"),
    ("models", "list"),
    ("predict", "RAW", "--out", "OUT"),
    ("clean", "--yes", "--keep", "1"),
    ("doctor",),
    ("etl", "RAW", "--set", "split.test_size=0.3"),
    ("train", *TRAINING, *OTHER),
    ("run", "RAW", *TRAINING, *OTHER),
    ("export",),
)


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return delivered(tmp_path_factory.mktemp("delivered") / "raw", delivery())


@pytest.fixture(scope="module")
def used(raw: Path) -> Shop:
    """A workspace with two runs, of which the first may be removed."""
    shop = Shop(raw.parent / "w")
    options = ("--workspace", shop.folder, *TRAINING)
    called("run", raw, *options)
    called("models", "reject", "1", "--workspace", shop.folder)
    called("run", raw, *options, "--set", "training.random_state=2")
    called("models", "approve", "2", "--workspace", shop.folder)
    return shop


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("words", COMMANDS, ids=lambda words: " ".join(words[:2])[:14])
def test_a_part_that_cannot_be_changed(
    used: Shop, raw: Path, tmp_path: Path, words: tuple[str, ...], part: str
) -> None:
    shop = used.copied(tmp_path / "w")
    given = {"RAW": str(raw), "OUT": str(tmp_path / "scores.csv")}
    arguments = [given.get(word, word) for word in words]
    path = shop.folder if part == "." else min(shop.folder.glob(part))
    with immutable(path):
        outcome = shop.call(*arguments)
        readable = shop.call("models", "show", "2")
    assert outcome.code in (0, 2, 3), outcome
    assert "bug" not in outcome.err
    if outcome.code:
        said = outcome.err + outcome.out
        assert str(shop.folder) in said, outcome
        assert any(text in said for text in TOLD), outcome
    assert readable.code in (0, 2, 3), readable
    # A process keeps its connection to a database that it could not write to.
    again = spawn if part == "registry/registry.db" else call
    outcome = again(*arguments, "--workspace", shop.folder)
    assert outcome.code == 0, outcome
    with LocalStorage(shop.folder).exclusive():
        pass
    assert shop.is_settled
    assert not list(rest(shop.folder))
    assert not list(shop.folder.glob(".basketwise-removed-*"))
