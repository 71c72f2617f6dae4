"""The clock of a server that goes back, or that it does not tell: locks are neither taken early
nor stuck."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from basketwise.aws.s3 import Bucket
from basketwise.aws.storage import lock
from basketwise.aws.storage.lock import LOCK, Lease
from basketwise.errors import WorkspaceError
from tests.hostile.s3.store import Client, Store

LEASE = 60.0


class Waiting:
    """Stands for ``time``: waiting moves the clock at once, and lets others act."""

    def __init__(self) -> None:
        self.now = 0.0
        self.meanwhile: Callable[[], None] = lambda: None

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.meanwhile()


@pytest.fixture
def waiting(monkeypatch: pytest.MonkeyPatch) -> Waiting:
    waiting = Waiting()
    monkeypatch.setattr(lock, "time", waiting)
    return waiting


@pytest.fixture
def store() -> Store:
    return Store()


def lease(store: Store) -> Lease:
    client: Any = Client(store)
    return Lease(Bucket(client, "shop", "w"), LEASE)


@pytest.mark.parametrize("back", [3_600, 31_536_000])
def test_the_lock_of_a_killed_run_is_taken_after_one_lease(
    store: Store, waiting: Waiting, back: int
) -> None:
    lease(store).acquire()
    store.now -= back
    lease(store).acquire()
    assert waiting.now == pytest.approx(LEASE)


@pytest.mark.parametrize("back", [3_600, 31_536_000])
def test_a_living_run_keeps_its_lock(store: Store, waiting: Waiting, back: int) -> None:
    first = lease(store)
    first.acquire()
    store.now -= back
    waiting.meanwhile = lambda: first.renew() if waiting.now > LEASE / 3 else None
    with pytest.raises(WorkspaceError, match="Another run"):
        lease(store).acquire()
    assert waiting.now < LEASE / 2


def test_a_lock_that_is_removed_meanwhile_is_for_the_next_command(
    store: Store, waiting: Waiting
) -> None:
    lease(store).acquire()
    store.now -= 60
    waiting.meanwhile = store.objects.clear
    with pytest.raises(WorkspaceError, match="Another run"):
        lease(store).acquire()
    lease(store).acquire()
    assert LOCK in next(iter(store.objects))


def test_a_released_lock_is_free_at_once(store: Store, waiting: Waiting) -> None:
    first = lease(store)
    first.acquire()
    first.release()
    store.now -= 3_600
    lease(store).acquire()
    assert waiting.now == 0


def test_a_server_without_a_clock(store: Store, waiting: Waiting) -> None:
    store.is_dated = False
    lease(store).acquire()
    lease(store).acquire()
    assert waiting.now == pytest.approx(LEASE)
