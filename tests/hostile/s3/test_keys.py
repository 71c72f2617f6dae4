"""Keys in a bucket that are no names of files: read or told, and nothing outside the cache."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from basketwise.aws import clients
from basketwise.aws.storage.storage import S3Storage
from basketwise.config import AwsConfig
from basketwise.errors import InputError
from basketwise.storage.opening import local_copy
from tests.cli.calling import call
from tests.hostile.s3.store import Client, Store
from tests.hostile.scale import tried

LINES = b"BASKET_ID,PROD_CODE,SPEND,QUANTITY\n1,A,1.00,1\n"

REFUSED: tuple[tuple[str, ...], ...] = (
    *(("../" * up + "escaped.csv",) for up in range(1, 9)),
    ("a/../../escaped.csv",),
    ("a/..",),
    ("/escaped.csv",),
    ("/var/escaped.csv",),
    ("a//b.csv",),
    ("./a.csv",),
    ("a/./b.csv", "a/b.csv"),
    ("..\\escaped.csv",),
    ("C:\\escaped.csv",),
    ("a\0b.csv",),
    ("x" * 300 + ".csv",),
    ("\u00e9" * 130 + ".csv",),
    ("a.csv", "a.csv/b.csv"),
    ("a", "a/b/c.csv"),
)
"""Names below a folder, of which one cannot be a file there."""

READ: tuple[tuple[str, ...], ...] = (
    ("a\nb.csv",),
    ("\x1b]0;PWN\x07.csv",),
    ("\x01\x7f\u202e.csv",),
    ("-rf.csv", "~", "*?[a].csv", " .csv"),
    (".lock", "index.json", ".fetched-1/a", "...", "..a"),
    ("a/" * 400 + "b.csv",),
    ("x" * 251 + ".csv",),
    ("a.csv", "a/b.csv", "A.csv"),
    ("folder/", "/", "folder/a.csv"),
)
"""Names that are odd, but those of files; what ends with a slash is no file."""


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Store:
    """A bucket, and a cache so deep that a name may lead out of it by some steps."""
    store = Store()
    monkeypatch.setattr(clients, "client", lambda *_: Client(store))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "a" / "b" / "c" / "cache"))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    return store


def outside(folder: Path) -> list[str]:
    """Return what is in a folder but for the cache, and for a workspace."""
    paths = (path.relative_to(folder).as_posix() for path in folder.rglob("*"))
    return sorted(path for path in paths if not path.startswith(("a/b/c/cache", "w")))


def put(store: Store, folder: str, names: tuple[str, ...]) -> None:
    for name in ("good.csv", *names):
        store.put(f"{folder}/{name}", LINES)


@pytest.mark.parametrize("names", REFUSED, ids=lambda names: ascii(names[0])[1:25])
def test_names_that_no_file_can_have(store: Store, tmp_path: Path, names: tuple[str, ...]) -> None:
    put(store, "raw", names)
    put(store, "w/gold", names)
    with pytest.raises(InputError):
        local_copy("s3://bucket/raw", AwsConfig())
    client: Any = Client(store)
    storage = S3Storage(client, "bucket", "w", cache=tmp_path / "a/b/c/cache/w")
    with pytest.raises(InputError):
        storage.local("gold")
    for arguments in COMMANDS:
        outcome = call(*arguments)
        assert outcome.code == 2, outcome
        assert "bucket" in outcome.err or "raw/" in outcome.err or "gold/" in outcome.err
    assert set(outside(tmp_path)) <= {"a", "a/b", "a/b/c"}


COMMANDS: tuple[tuple[str, ...], ...] = (
    ("etl", "--data", "s3://bucket/raw", "--workspace", "s3://bucket/w"),
    ("train", "--workspace", "s3://bucket/w"),
)[: tried(0, 2)]


@pytest.mark.parametrize("names", READ, ids=lambda names: ascii(names[0])[1:25])
def test_odd_names(store: Store, tmp_path: Path, names: tuple[str, ...]) -> None:
    put(store, "raw", names)
    folder = Path(local_copy("s3://bucket/raw", AwsConfig()))
    files = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert files == {"good.csv", *(name for name in names if not name.endswith("/"))}
    for arguments in COMMANDS[:1]:
        outcome = call(*arguments)
        assert outcome.code in (0, 2), outcome
        assert "\x1b" not in outcome.err
        assert "\u202e" not in outcome.err
    assert set(outside(tmp_path)) <= {"a", "a/b", "a/b/c"}
