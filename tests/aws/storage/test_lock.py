"""The lease on a bucket's lock: kept, lost, taken, and asked for before anything is published."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from botocore.response import StreamingBody

from basketwise.aws.storage.lock import LOCK, Lease
from basketwise.aws.storage.record import INCOMING
from basketwise.aws.storage.storage import S3Storage
from basketwise.errors import DependencyError, WorkspaceError
from tests.aws.storage.access import Open, folder_of, objects


def published(storage: S3Storage) -> list[str]:
    """List all objects but those that are staged: the next holder of the lock removes them."""
    return [key for key in objects(storage) if not key.startswith(INCOMING)]


def test_of_many_threads_one_gets_the_lock(opened: Open) -> None:
    storages = [opened() for _ in range(4)]
    start, end = threading.Barrier(4), threading.Barrier(4)
    outcomes: list[str] = []

    def attempt(storage: S3Storage) -> None:
        start.wait()
        try:
            with storage.exclusive():
                outcomes.append("held")
                end.wait()
        except WorkspaceError as error:
            outcomes.append(error.headline)
            end.wait()

    threads = [threading.Thread(target=attempt, args=(storage,)) for storage in storages]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert outcomes.count("held") == 1
    assert len([text for text in outcomes if "Another run is using" in text]) == 3


def test_the_owner_is_named(opened: Open) -> None:
    with (
        opened().exclusive(),
        pytest.raises(WorkspaceError, match=r"process \d+, since 20.* UTC\)") as raised,
        opened().exclusive(),
    ):
        pass
    assert "expires within 60 seconds" in raised.value.hint


def test_a_lock_is_renewed_beyond_its_lease(opened: Open) -> None:
    rival = opened(lease=1.0)
    with opened(lease=1.0).exclusive():
        time.sleep(3.5)
        with pytest.raises(WorkspaceError, match="Another run is using"), rival.exclusive():
            pass


def test_who_lost_the_lock_publishes_nothing(opened: Open, tmp_path: Path) -> None:
    storage = opened()
    storage.write("gold/a", b"old")
    new = folder_of(tmp_path / "new", a=b"new")

    with storage.exclusive():
        assert storage._active_lease is not None
        storage.bucket.put(LOCK, json.dumps({"token": "of another"}).encode())
        with pytest.raises(WorkspaceError, match=r"The lock .* was lost"):
            storage._active_lease.renew()
        attempts: list[Callable[[], None]] = [
            lambda: storage.replace(new, "gold"),
            lambda: storage.write("gold/a", b"new"),
            lambda: storage.delete("gold"),
        ]
        for refused in attempts:
            with pytest.raises(WorkspaceError, match=r"The lock .* was lost"):
                refused()

    assert published(storage) == ["gold/a"]
    assert storage.read("gold/a") == b"old"


def test_who_slept_goes_on_unless_another_has_taken_the_lock(
    opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Lease, "renew_until", lambda *_: None)
    storage, rival = opened(lease=0.2), opened()
    with storage.exclusive():
        time.sleep(2.3)
        storage.write("a", b"1")
        time.sleep(2.3)
        rival.write("a", b"2")
        with pytest.raises(WorkspaceError, match="was lost"):
            storage.write("a", b"3")

    assert objects(storage) == ["a"]
    assert storage.read("a") == b"2"


@pytest.mark.parametrize("names", ["a", "ab"])
def test_a_lost_lock_is_noticed_before_publishing(opened: Open, tmp_path: Path, names: str) -> None:
    storage = opened()
    storage.write("gold/a", b"old")
    new = folder_of(tmp_path / "new", **dict.fromkeys(names, b"new"))

    with storage.exclusive():
        storage.bucket.put(LOCK, json.dumps({"token": "of another"}).encode())
        with pytest.raises(WorkspaceError, match=r"The lock .* was lost"):
            storage.replace(new, "gold")

    assert published(storage) == ["gold/a"]
    assert storage.read("gold/a") == b"old"


@pytest.mark.parametrize("names", ["a", "ab"])
def test_nothing_is_published_when_the_lock_cannot_be_verified(
    opened: Open, tmp_path: Path, names: str
) -> None:
    storage = opened()
    new = folder_of(tmp_path / "new", **dict.fromkeys(names, b"new"))

    def cut(params: dict[str, Any], **_: object) -> None:
        if params["url_path"].endswith("lock"):
            raise ConnectionError("the line is cut")

    with storage.exclusive():
        storage.bucket.client.meta.events.register("before-call.s3.PutObject", cut)
        with pytest.raises(DependencyError, match="the line is cut"):
            storage.replace(new, "gold")

    assert storage.keys("gold") == []
    assert (new / "a").exists()


def test_two_threads_renew_one_after_the_other(opened: Open) -> None:
    storage, under_way, most = opened(), list[int](), list[int]()

    def begin(**_: object) -> None:
        under_way.append(1)
        most.append(len(under_way))
        time.sleep(0.05)

    def end(**_: object) -> None:
        under_way.pop()

    with storage.exclusive():
        held = storage._active_lease
        assert held is not None
        storage.bucket.client.meta.events.register("before-call.s3.PutObject", begin)
        storage.bucket.client.meta.events.register("after-call.s3.PutObject", end)
        threads = [threading.Thread(target=held.renew) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert most == [1] * 8
        storage.write("a", b"")

    # The last one's ETag is known, so the lock could be released.
    with opened().exclusive():
        pass


@pytest.mark.parametrize("lost_answer", ["acquire", "renew"])
def test_a_lock_whose_response_was_lost_is_ours(opened: Open, lost_answer: str) -> None:
    storage, sent = opened(), threading.Event()

    def twice(params: dict[str, Any], **_: object) -> None:
        if not sent.is_set() and params["url_path"].endswith("lock"):
            sent.set()
            storage.bucket.put(LOCK, params["body"].getvalue())

    events = storage.bucket.client.meta.events
    if lost_answer == "acquire":
        events.register("before-call.s3.PutObject", twice)
    with storage.exclusive():
        assert storage._active_lease is not None
        if lost_answer == "renew":
            events.register("before-call.s3.PutObject", twice)
            storage._active_lease.renew()
        assert sent.is_set()
        storage.write("a", b"")

    with opened().exclusive():
        assert objects(storage) == ["a"]


def test_a_lock_whose_body_breaks_off_is_not_a_foreign_one(opened: Open, tmp_path: Path) -> None:
    storage, seen = opened(), []
    storage.write("gold/a", b"1")

    def cut(parsed: dict[str, Any], **_: object) -> None:
        seen.append(parsed["ContentLength"])
        body = BytesIO(parsed["Body"].read()[:-1])
        parsed["Body"] = StreamingBody(body, parsed["ContentLength"])

    storage.bucket.client.meta.events.register("after-call.s3.GetObject", cut)
    for attempt in (lambda: storage.keys("gold"), lambda: storage.write("gold/a", b"2")):
        with pytest.raises(DependencyError, match=r"read the lock .* total bytes expected"):
            attempt()

    assert len(seen) == 2
    assert opened().read("gold/a") == b"1"


def test_a_foreign_lock_is_respected(storage: S3Storage) -> None:
    storage.bucket.put(LOCK, b"\xff not json")

    with pytest.raises(WorkspaceError, match="unknown, process 0"), storage.exclusive():
        pass
