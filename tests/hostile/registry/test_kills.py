"""Kills between an approval and its export: the next command finishes what was begun."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from basketwise.config import DeploymentConfig
from basketwise.registry import deployment
from basketwise.registry.approval import Approvals
from basketwise.registry.mlflow.database import StateWriter
from basketwise.registry.usable import try_version
from basketwise.storage import local
from basketwise.storage.local import LocalStorage
from tests.hostile.killing import killed
from tests.hostile.registry.shop import Shop
from tests.hostile.scale import tried

CHANGES: dict[str, Callable[[Approvals], object]] = {
    "approve": lambda approvals: approvals.approve("1", who="ann", why="good"),
    "reject": lambda approvals: approvals.reject("3", who="ann", why="bad"),
    "rollback": lambda approvals: approvals.rollback(who="ann", why="bad"),
}

WRITES: tuple[tuple[Any, str], ...] = (
    (local, "write_whole"),
    (deployment, "write_whole"),
    (StateWriter, "_write"),
    (LocalStorage, "delete"),
)
"""Everything by which a change writes to the disk."""


def change_killed(shop: Shop, name: str, step: int, results: dict[str, Any]) -> bool:
    """Make a change in a process that is killed at a step; False if it ended before."""

    def change() -> None:
        # Polars cannot work after a fork; other tests open the archives.
        tryout = mock.Mock(return_value=results)
        storage = LocalStorage(shop.folder)
        approvals = Approvals(shop.registry, storage, DeploymentConfig(), tryout)
        with storage.exclusive():
            CHANGES[name](approvals)

    return killed(step, WRITES, change)


@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
@pytest.mark.parametrize("name", CHANGES)
def test_a_kill_at_any_step_is_made_good_by_the_next_command(
    template: Shop, tmp_path: Path, name: str
) -> None:
    results = try_version(template.registry, "1")
    stale = 0
    for step in range(0, 100, tried(5, 1)):
        shop = template.copied(tmp_path / str(step))
        killed = change_killed(shop, name, step, results)
        stale += not shop.is_settled
        outcome = shop.call("models", "list")
        assert outcome.code == 0
        assert shop.is_settled, f"{name} killed at step {step}: {shop.latest}"
        if not killed:
            break
    assert not killed
    # Else nothing would have been tested.
    assert stale > tried(0, 2)
