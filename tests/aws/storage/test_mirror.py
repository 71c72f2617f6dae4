"""The cache of a bucket: shared, deleted, changed by hand."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from basketwise.aws.s3 import S3Object
from basketwise.aws.storage.mirror import Mirror

BRING = """
import sys, time
from pathlib import Path
from basketwise.aws.storage.mirror import Mirror
from basketwise.aws.s3 import S3Object

def fetch(found, path):
    time.sleep(0.001)
    path.write_text(found.etag)

mirror = Mirror(Path(sys.argv[1]))
for turn in range(10):
    prefix = sys.argv[2]
    keys = [f"{prefix}/{n}" for n in range(9)]
    wanted = {key: S3Object(key, 1, f"{key}-{turn}") for key in keys}
    folder = mirror.fetch(prefix, wanted, fetch)
    if prefix != "both":
        assert {p.name: p.read_text() for p in folder.iterdir()} == {
            key.rpartition("/")[2]: found.etag for key, found in wanted.items()
        }
"""


class Source:
    """Objects by key, and which of them were fetched."""

    def __init__(self, **data: str) -> None:
        self.data = {key.replace("__", "/"): text for key, text in data.items()}
        self.fetched: list[str] = []

    @property
    def wanted(self) -> dict[str, S3Object]:
        """What a bucket would list."""
        return {key: S3Object(key, len(text), f'"{text}"') for key, text in self.data.items()}

    def fetch(self, result: S3Object, path: Path) -> None:
        """Write an object's text."""
        self.fetched.append(result.key)
        path.write_text(self.data[result.key])


@pytest.fixture
def mirror(tmp_path: Path) -> Mirror:
    return Mirror(tmp_path / "cache")


def fetch_all(mirror: Mirror, source: Source, prefix: str = "gold") -> dict[str, str]:
    source.fetched.clear()
    folder = mirror.fetch(prefix, source.wanted, source.fetch)
    files = [folder, *folder.rglob("*")]
    return {
        path.relative_to(mirror.files.root).as_posix(): path.read_text()
        for path in files
        if path.is_file()
    }


@pytest.mark.parametrize("prefixes", [("one", "two"), ("both", "both")])
def test_two_processes_share_a_cache(tmp_path: Path, prefixes: tuple[str, str]) -> None:
    command = [sys.executable, "-c", BRING, str(tmp_path / "cache")]
    both = [subprocess.Popen([*command, prefix]) for prefix in prefixes]
    assert [process.wait() for process in both] == [0, 0]

    # What each of them fetched is known to the other, and nothing is left lying about.
    mirror = Mirror(tmp_path / "cache")
    last = {
        f"{prefix}/{n}": S3Object(f"{prefix}/{n}", 1, f"{prefix}/{n}-9")
        for prefix in prefixes
        for n in range(9)
    }
    assert mirror.unchanged({key: mirror.files.local(key) for key in last}, last) == set(last)
    names = {path.name for path in mirror.root.iterdir()}
    assert names == {".lock", "files", "index.json"}


def test_a_cache_that_was_deleted_is_filled_again(mirror: Mirror) -> None:
    source = Source(gold__a="1", gold__b="2")
    fetch_all(mirror, source)
    shutil.rmtree(mirror.root)

    assert fetch_all(mirror, source) == {"gold/a": "1", "gold/b": "2"}


def test_files_that_were_deleted_from_the_cache_are_fetched_again(mirror: Mirror) -> None:
    source = Source(gold__a="1", gold__b="2")
    fetch_all(mirror, source)
    shutil.rmtree(mirror.root / "files")
    fetch_all(mirror, source)
    (mirror.root / "files" / "gold" / "b").unlink()

    assert fetch_all(mirror, source) == {"gold/a": "1", "gold/b": "2"}
    assert source.fetched == ["gold/b"]


def test_a_cache_that_is_deleted_while_it_is_filled_is_filled_again(mirror: Mirror) -> None:
    source, gone = Source(gold__a="1", gold__b="2"), threading.Event()
    fetch = source.fetch

    def once_deleted(result: S3Object, path: Path) -> None:
        if result.key == "gold/b" and not gone.is_set():
            gone.set()
            shutil.rmtree(mirror.root, ignore_errors=True)
        fetch(result, path)

    mirror.fetch("gold", source.wanted, once_deleted)

    assert fetch_all(mirror, source) == {"gold/a": "1", "gold/b": "2"}
    assert source.fetched == []


@pytest.mark.parametrize("text", ["", "{", "[]", '{"x": 1}', "\udcff"])
def test_an_index_that_cannot_be_read_costs_a_fetch(mirror: Mirror, text: str) -> None:
    source = Source(gold__a="1")
    fetch_all(mirror, source)
    (mirror.root / "index.json").write_bytes(text.encode(errors="surrogateescape"))

    assert fetch_all(mirror, source) == {"gold/a": "1"}
    assert source.fetched == ["gold/a"]


def test_a_file_changed_by_hand_is_fetched_again_whatever_its_time_says(mirror: Mirror) -> None:
    source = Source(gold__a="1", gold__b="2")
    path = mirror.fetch("gold", source.wanted, source.fetch) / "a"
    before = path.stat()
    path.write_text("X")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))

    # It is also not taken for what the bucket holds.
    files = {"gold/a": path, "gold/b": path.with_name("b")}
    assert mirror.unchanged(files, source.wanted) == {"gold/b"}
    assert fetch_all(mirror, source) == {"gold/a": "1", "gold/b": "2"}
    assert source.fetched == ["gold/a"]


def test_a_folder_can_take_the_place_of_a_file_and_the_reverse(mirror: Mirror) -> None:
    fetch_all(mirror, Source(gold__a="1"), "gold/a")

    assert fetch_all(mirror, Source(gold__a__b="2"), "gold/a/b") == {"gold/a/b": "2"}
    assert fetch_all(mirror, Source(gold__a="3"), "gold/a") == {"gold/a": "3"}


def test_what_vanishes_while_it_is_compared_is_not_the_same(mirror: Mirror, tmp_path: Path) -> None:
    source = Source(gold__a="1")
    fetch_all(mirror, source)

    assert mirror.unchanged({"gold/a": tmp_path / "gone"}, source.wanted) == set()
