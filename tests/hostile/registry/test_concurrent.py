"""Several processes that change versions at the same time: one champion, which is exported."""

from __future__ import annotations

import os
import random
import time
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from basketwise.config import DeploymentConfig
from basketwise.errors import InputError, WorkspaceError
from basketwise.registry.approval import Approvals
from basketwise.registry.usable import try_version
from basketwise.storage.local import LocalStorage
from tests.cli.calling import clean_environment
from tests.hostile.registry.shop import Shop
from tests.hostile.scale import tried
from tests.warm import WarmProcess

PROCESSES = 3
CHANGES = 4
"""Of each process in a round."""


def change(shop: Shop, chance: random.Random, results: dict[str, Any]) -> int:
    """Make one change at random; returns how many were made."""
    tryout, storage = mock.Mock(return_value=results), LocalStorage(shop.folder)
    approvals = Approvals(shop.registry, storage, DeploymentConfig(), tryout)
    word, version = chance.choice(("approve", "reject", "rollback")), chance.choice("123")
    while True:
        try:
            with storage.exclusive():
                if word == "rollback":
                    approvals.rollback(who="ann", why="bad")
                else:
                    getattr(approvals, word)(version, who="ann", why="why")
                return 1
        except InputError:
            # Nothing that could be rolled back.
            return 0
        except WorkspaceError:
            # Another process is at it.
            time.sleep(0.005)


def changed_in_child(shop: Shop, seed: int, results: dict[str, Any]) -> int:
    """Make changes in another process, whose exit code says how many; returns its id."""
    child = os.fork()
    if child:
        return child
    code = 99
    try:
        chance = random.Random(seed)
        code = sum(change(shop, chance, results) for _ in range(CHANGES))
    finally:
        os._exit(code)


def consistent(shop: Shop, before: int, made: int) -> None:
    assert shop.is_settled
    assert len(shop.registry.history()) == before + made
    assert sum(version.champion for version in shop.registry.versions()) <= 1


@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
def test_changes_at_the_same_time(template: Shop, tmp_path: Path) -> None:
    results = try_version(template.registry, "1")
    shop = template.copied(tmp_path / "w")
    for number in range(tried(1, 100)):
        before = len(shop.registry.history())
        seeds = [number * PROCESSES + process for process in range(PROCESSES)]
        children = [changed_in_child(shop, seed, results) for seed in seeds]
        codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
        assert all(0 <= code <= CHANGES for code in codes)
        consistent(shop, before, sum(codes))


@pytest.mark.skipif(tried(0, 1) == 0, reason="make hostile")
def test_commands_at_the_same_time(template: Shop, tmp_path: Path) -> None:
    shop, chance = template.copied(tmp_path / "w"), random.Random(5)
    words = [("approve", "1"), ("approve", "2"), ("reject", "2"), ("reject", "3"), ("rollback",)]
    for number in range(30):
        before = len(shop.registry.history())
        processes = [
            WarmProcess(
                "basketwise",
                ["models", *chance.choice(words), "--workspace", str(shop.folder)],
                environment=clean_environment(),
                cwd=tmp_path,
                stdout=tmp_path / f"{number}-{process}",
                stderr=tmp_path / f"{number}-{process}",
            )
            for process in range(PROCESSES)
        ]
        ended = [(process.wait(200), process.communicate()[0]) for process in processes]
        assert {code for code, _ in ended} <= {0, 2}, ended
        assert all("Another run" in text or "roll" in text for code, text in ended if code), ended
        consistent(shop, before, sum(not code for code, _ in ended))
