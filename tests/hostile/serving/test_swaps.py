"""The champion changes while clients ask: none is refused, none is answered by another version."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import click
import pytest

from basketwise.registry.protocol import ApprovalState
from tests.hostile.registry.shop import Shop
from tests.hostile.scale import tried
from tests.hostile.serving.load import running, seconds_until, under_load

CHANGES = tried(2, 100)
WATCH = 0.05
LAG = 5.0
"""Seconds in which a change has to arrive, on a machine that does other things as well."""


@pytest.fixture
def shop(template: Shop, tmp_path: Path) -> Shop:
    folder = tmp_path / "w"
    shutil.copytree(template.folder, folder)
    return Shop(folder)


def test_no_request_is_lost_and_none_is_answered_by_an_unapproved_version(
    shop: Shop, tmp_path: Path
) -> None:
    """Odd changes approve the other version, even ones reject the champion: a rollback."""
    registry = shop.registry
    first, second, never = "1", "2", "3"
    registry.set_state(never, ApprovalState.REJECTED, who="test", why="")
    registry.set_state(second, ApprovalState.APPROVED, who="test", why="")
    arguments = ("--workspace", str(shop.folder), "--watch", str(WATCH))
    rejected: list[tuple[float, float, str]] = []
    log = tmp_path / "serve.log"
    with running(*arguments, log=log) as server, under_load(server.port) as load:
        seconds_until(lambda: len(load.asked) > 20)
        for change in range(CHANGES):
            champion = registry.champion()
            assert champion is not None
            other = first if champion.version == second else second
            if change % 2:
                registry.set_state(champion.version, ApprovalState.REJECTED, who="t", why="")
                rejected_at = time.monotonic()
            else:
                registry.set_state(other, ApprovalState.APPROVED, who="test", why="")
            expected = registry.champion()
            assert expected is not None
            start = time.monotonic()
            took = seconds_until(
                lambda start=start, expected=expected: any(
                    one.version == expected.version and one.sent > start for one in load.asked[-8:]
                ),
                most=LAG,
            )
            assert took < LAG, log.read_text()[-2_000:]
            if change % 2:
                back = time.monotonic()
                registry.set_state(champion.version, ApprovalState.APPROVED, who="t", why="")
                registry.set_state(expected.version, ApprovalState.APPROVED, who="t", why="")
                rejected.append((rejected_at + took + WATCH, back, champion.version))
    assert load.lost == []
    assert {one.status for one in load.asked} == {200}
    assert {one.version for one in load.asked} == {first, second}
    # From the moment on that the other version answered, the rejected one never did again.
    for start, end, version in rejected:
        assert not [one for one in load.asked if start < one.sent < end and one.version == version]
    click.echo(f"{CHANGES} changes, {len(load.asked):,} requests, none lost")


def test_a_version_that_is_broken_never_answers(shop: Shop, tmp_path: Path) -> None:
    registry = shop.registry
    champion = registry.champion()
    assert champion is not None
    other = "1" if champion.version != "1" else "2"
    shop.archive(other).write_bytes(b"broken")
    arguments = ("--workspace", str(shop.folder), "--watch", str(WATCH))
    log = tmp_path / "serve.log"
    with running(*arguments, log=log) as server, under_load(server.port, clients=2) as load:
        registry.set_state(other, ApprovalState.APPROVED, who="test", why="")
        seconds_until(lambda: "is refused" in log.read_text(), most=LAG)
        seconds_until(lambda: len(load.asked) > 50)
    assert f"Version {other} is refused" in log.read_text()
    assert load.lost == []
    assert {(one.status, one.version) for one in load.asked} == {(200, champion.version)}
