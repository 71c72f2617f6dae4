"""The body of the lock: what Basketwise writes, and what somebody else may have put there."""

from __future__ import annotations

import json
from typing import Any

import pytest

from basketwise.aws.storage.record import (
    DEFAULT_LEASE,
    MAX_LEASE,
    Holder,
    Record,
    Replacement,
    State,
    parse_record,
)
from basketwise.aws.storage.storage import S3Storage
from basketwise.errors import WorkspaceError
from tests.aws.storage.access import let_locks_expire, objects

ID = "0123456789abcdef" * 2
GOOD: dict[str, Any] = {
    "token": "t",
    "host": "h",
    "process": 1,
    "since": "now",
    "lease": 60.0,
    "generation": "g",
    "pending": {"id": ID, "prefix": "gold", "files": 2},
}


@pytest.mark.parametrize(
    "pending", [None, Replacement(ID, "gold", 2), Replacement(ID, "gold", 0, ("a/b", "c"))]
)
def test_a_record_is_read_as_it_was_written(pending: Replacement | None) -> None:
    record = Record(Holder("t", "h", 1, "now", 60.0), State("g", pending))

    assert parse_record(record.dump(7), "") == record
    assert parse_record(record.released().dump(8), "").holder.lease == 0.0


def test_every_write_has_other_bytes() -> None:
    record = Record(Holder("t"))

    assert record.dump(1) != record.dump(2)


@pytest.mark.parametrize(
    "body",
    [b"", b"\xff\xfe", b"null", b"[1]", b'"text"', b"{}", b"[" * 9_000, b'{"a":' * 1_500,
     b'{"lease": NaN}', json.dumps(GOOD).encode()[:-1]],
)  # fmt: skip
def test_a_body_that_is_none_is_a_lock_that_expires(body: bytes) -> None:
    record = parse_record(body, "etag")

    assert record.is_damaged
    assert record.holder == Holder(lease=DEFAULT_LEASE)
    assert record.state == State("damaged etag")


@pytest.mark.parametrize(
    "change",
    [{"lease": float("inf")}, {"lease": 10**400}, {"lease": "x"}, {"process": "x"},
     {"process": None}, {"pending": 1}, {"pending": {"id": "../x", "prefix": "gold", "files": 1}},
     *({"pending": GOOD["pending"] | {"prefix": prefix}}
       for prefix in ("", "/", "a//b", "../a", ".basketwise", ".basketwise/incoming/x")),
     {"pending": GOOD["pending"] | {"files": -1}}, {"pending": GOOD["pending"] | {"others": 1}},
     {"pending": GOOD["pending"] | {"others": ["a"]}},
     {"pending": GOOD["pending"] | {"files": 0, "others": ["a", "../b"]}}],
)  # fmt: skip
def test_values_that_basketwise_does_not_write_are_damage(change: dict[str, Any]) -> None:
    assert not parse_record(json.dumps(GOOD).encode(), "").is_damaged
    assert parse_record(json.dumps(GOOD | change).encode(), "").is_damaged


def test_a_lock_cannot_be_held_for_ever() -> None:
    record = parse_record(json.dumps(GOOD | {"lease": 1e300}).encode(), "")

    assert record.holder.lease == MAX_LEASE


@pytest.mark.parametrize(
    "body",
    [b"\x1b]0;PWN\x07 not json", b"[" * 9_000, bytes(range(256)) * 4_000,
     json.dumps(GOOD | {"pending": None, "host": "\x1b]0;PWN\x07\n", "since": "\u202e"}).encode()],
)  # fmt: skip
def test_a_hostile_lock_is_respected_and_then_taken(
    storage: S3Storage, monkeypatch: pytest.MonkeyPatch, body: bytes
) -> None:
    storage.bucket.put(".basketwise/lock", body)

    with pytest.raises(WorkspaceError, match="Another run is using") as raised:
        storage.write("a", b"1")
    assert raised.value.headline.isprintable()

    let_locks_expire(monkeypatch)
    storage.write("a", b"1")
    assert storage.read("a") == b"1"


def test_what_a_damaged_lock_may_have_committed_is_named_once(
    storage: S3Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage.bucket.put(f".basketwise/incoming/{ID}/a", b"new")
    storage.bucket.put(".basketwise/lock", b"damaged")
    let_locks_expire(monkeypatch)

    with pytest.raises(WorkspaceError, match="was overwritten by another program"):
        storage.write("a", b"1")
    storage.write("a", b"2")

    assert objects(storage) == ["a"]
    assert storage.read("a") == b"2"
