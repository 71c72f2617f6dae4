"""A holder that sleeps at any request, on a real server, while another run publishes."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from basketwise.aws.storage.lock import LOCK
from basketwise.aws.storage.storage import S3Storage
from basketwise.errors import WorkspaceError
from tests.aws.storage.access import let_locks_expire, objects
from tests.hostile.s3.publishing import Files, read_folder, written
from tests.hostile.scale import tried
from tests.seaweed import S3Server

ROUNDS = tried(3, 200)
BETWEEN = 30
"""Requests of one publication, at most."""


def sleep_at(request: int, owner: S3Storage, meanwhile: Callable[[], None]) -> None:
    """Let something happen when the holder of the lock is about to send its n-th request."""
    left, counting = iter(range(1, request + 1)), threading.Lock()

    def count(**_: object) -> None:
        # Its signature is made: however late it arrives, it is the same request.
        with counting:
            if owner._active_lease and next(left, None) == request:
                meanwhile()

    owner.bucket.client.meta.events.register("before-send.s3", count)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every lock have expired, as if whoever holds it slept."""
    let_locks_expire(monkeypatch)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("seed", range(ROUNDS))
def test_who_sleeps_hides_and_deletes_nothing(
    s3_server: S3Server, tmp_path: Path, seed: int
) -> None:
    rng, prefix = random.Random(seed), s3_server.new_prefix()

    def opened(name: str) -> S3Storage:
        return S3Storage(s3_server.client(), s3_server.bucket, prefix, cache=tmp_path / name)

    def version(name: str) -> tuple[Path, Files]:
        files = {key: rng.choice((b"1", b"2")) for key in rng.sample("abcde", rng.randint(1, 4))}
        return written(tmp_path / name, files), files

    owner, rival, reader, last = map(opened, ("owner", "rival", "reader", "last"))
    owner.replace(version("first")[0], "gold")
    (newer, expected), (older, _) = version("newer"), version("older")
    seen: list[Files] = []

    def meanwhile() -> None:
        with rival.exclusive():
            rival.replace(newer, "gold")
        seen.append(read_folder(reader.local("gold")))

    sleep_at(rng.randint(1, BETWEEN), owner, meanwhile)
    with suppress(WorkspaceError):
        owner.replace(older, "gold")
    if not seen:
        meanwhile()

    assert seen == [expected]
    assert read_folder(reader.local("gold")) == expected
    assert rival.keys("gold") == sorted(f"gold/{name}" for name in expected)
    folder, final = version("last")
    last.replace(folder, "gold")
    assert read_folder(reader.local("gold")) == final
    assert objects(last) == sorted(f"gold/{name}" for name in final)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("before", ["the commit", "the deletion"])
def test_two_pauses_that_matter(s3_server: S3Server, tmp_path: Path, before: str) -> None:
    prefix = s3_server.new_prefix()
    owner, rival = (
        S3Storage(s3_server.client(), s3_server.bucket, prefix, cache=tmp_path / name)
        for name in ("owner", "rival")
    )
    owner.replace(written(tmp_path / "old", dict.fromkeys("yz", b"1")), "gold")
    newer = written(tmp_path / "newer", dict.fromkeys("qyz", b"1"))
    is_committed = threading.Event()

    def pause(params: dict[str, Any], model: Any, **_: object) -> None:
        is_lock = params.get("Key", "").endswith(LOCK)
        is_commit = is_lock and b'"pending": {' in params.get("Body", b"")
        is_deletion = model.name == "DeleteObjects" and "/gold/y" in str(params["Delete"])
        if (is_commit if before == "the commit" else is_deletion) and newer.exists():
            is_committed.set()
            with rival.exclusive():
                rival.replace(newer, "gold")

    owner.bucket.client.meta.events.register("provide-client-params.s3", pause)
    with pytest.raises(WorkspaceError, match="was lost"):
        owner.replace(written(tmp_path / "older", dict.fromkeys("qr", b"1")), "gold")

    assert is_committed.is_set()
    assert rival.keys("gold") == ["gold/q", "gold/y", "gold/z"]
    assert rival.read("gold/y") == b"1"
    rival.write("gold/y", b"2")
    assert objects(rival) == ["gold/q", "gold/y", "gold/z"]
