from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from basketwise.registry import ledger
from basketwise.registry.protocol import ApprovalState, Change

AT = datetime(2026, 3, 1, 12, 30, 15, 123456, tzinfo=UTC)
PENDING, APPROVED, REJECTED = ApprovalState.PENDING, ApprovalState.APPROVED, ApprovalState.REJECTED


def change(**other: object) -> Change:
    values: dict[str, object] = {
        "at": AT,
        "version": "3",
        "old": PENDING,
        "new": APPROVED,
        "who": "ann",
        "why": "good",
    }
    return Change(**(values | other))  # type: ignore[arg-type]


@settings(deadline=None)
@given(st.text(max_size=200), st.text(max_size=4000))
def test_an_entry_is_short_enough_and_gives_back_what_fits(who: str, why: str) -> None:
    entry = change(who=who, why=why)
    text = ledger.entry_text(entry)
    assert len(text) <= ledger.ENTRY_LENGTH
    (read,) = ledger.read_entries("3", {ledger.entry_key(entry): text, "other": "x"})
    plain = json.dumps([who, why], ensure_ascii=False)
    if len(plain) < ledger.ENTRY_LENGTH - 200:
        assert read == entry


def test_a_reason_that_is_too_long_is_cut_and_says_so() -> None:
    text = ledger.entry_text(change(why="because " * 2000))
    (read,) = ledger.read_entries("3", {ledger.entry_key(change()): text})
    assert len(text) <= ledger.ENTRY_LENGTH
    assert read.why.startswith("because because")
    kept, marker = read.why.split(" … ")
    assert marker == f"[{16000 - len(kept)} characters cut]"
    assert len(kept) > 4000


def test_characters_that_json_spells_out_are_counted_as_spelled() -> None:
    assert len(ledger.entry_text(change(why="\x00" * 5000, who="\x01" * 5000))) <= 5000


def test_a_lone_surrogate_is_spelled_out() -> None:
    text = ledger.entry_text(change(why="\udcff"))
    assert text.encode("utf-8")
    assert ledger.read_entries("3", {ledger.entry_key(change()): text})[0].why == "\\udcff"


def test_keys_sort_by_time_and_never_meet() -> None:
    moments = [AT + timedelta(microseconds=step) for step in (0, 1, 999_999, 10**9)]
    keys = [ledger.entry_key(change(at=moment)) for moment in moments]
    assert keys == sorted(keys)
    assert ledger.entry_key(change()) != ledger.entry_key(change())


def test_the_next_moment_is_later_than_a_clock_that_is_ahead() -> None:
    ahead = datetime.now(UTC) + timedelta(hours=1)
    assert ledger.next_moment([change(), change(at=ahead)]) == ahead + timedelta(microseconds=1)
    assert ledger.next_moment([]) > AT


def test_the_version_approved_last_of_those_still_approved_leads() -> None:
    later = AT + timedelta(seconds=1)
    histories = {
        "9": [change(at=AT)],
        "10": [change(at=AT)],
        "11": [change(at=AT), change(at=later, new=REJECTED)],
        "12": [],
    }
    assert ledger.leading(histories) == "10"
    assert ledger.leading({"11": histories["11"], "12": []}) is None
    assert ledger.leading({}) is None


def test_a_description_names_the_last_change_but_not_the_registration() -> None:
    registered = change(old=None, new=PENDING)
    assert ledger.describe("a model", [registered]) == "a model"
    description = ledger.describe("a model", [registered, change()])
    assert description == "a model\n\nApproved by ann on 2026-03-01 12:30 UTC: good"
    assert len(ledger.describe("x" * 9000, [])) <= ledger.DESCRIPTION_LENGTH
