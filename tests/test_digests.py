"""An input is read once for its digest, by whichever process comes first."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from basketwise import digests
from basketwise.digests import known_digest, learn_digest, sha256_of_input


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(digests, "_known", {})
    path = tmp_path / "lines.csv"
    path.write_bytes(b"1,2\n")
    return path


def test_what_was_read_is_not_read_again(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert known_digest(path) is None
    digest = sha256_of_input(path)
    assert digest == hashlib.sha256(b"1,2\n").hexdigest()
    monkeypatch.setattr(digests, "sha256", lambda path: pytest.fail("it was read again"))
    assert sha256_of_input(path) == digest


def test_another_process_need_not_read_it(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sha256_of_input(path)
    known = known_digest(path)
    assert known is not None
    monkeypatch.setattr(digests, "_known", {})
    monkeypatch.setattr(digests, "sha256", lambda path: pytest.fail("it was read again"))
    learn_digest(path, known)
    assert sha256_of_input(path) == known.sha256


def test_what_has_changed_is_read_again(path: Path) -> None:
    sha256_of_input(path)
    known = known_digest(path)
    assert known is not None
    path.write_bytes(b"1,2\n3,4\n")
    learn_digest(path, known)
    assert sha256_of_input(path) == hashlib.sha256(b"1,2\n3,4\n").hexdigest()
