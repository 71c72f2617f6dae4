"""Files that the bucket has already: taken over as they were found, or not at all."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from basketwise.aws.s3 import S3Object
from basketwise.aws.storage.mirror import Mirror
from basketwise.aws.storage.storage import S3Storage
from basketwise.errors import WorkspaceError
from tests.aws.storage.access import Open, objects

REFUSED = r"Somebody else wrote below gold in 's3://"


@pytest.mark.parametrize("others", ["r", "rs"])
def test_bytes_written_meanwhile_are_not_published(
    opened: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, others: str
) -> None:
    storage, rival = opened(), opened()
    for name in "abc":
        storage.write(f"gold/{name}", b"old")
    new = tmp_path / "new"
    shutil.copytree(storage.local("gold"), new)
    for name in others:
        (new / name).write_bytes(b"new")
    same = Mirror.unchanged

    def then_write(self: Mirror, files: dict[str, Path], there: dict[str, S3Object]) -> set[str]:
        result = same(self, files, there)
        rival.bucket.put("gold/b", b"foreign")
        return result

    monkeypatch.setattr(Mirror, "unchanged", then_write)
    with pytest.raises(WorkspaceError, match=REFUSED):
        storage.replace(new, "gold")

    assert objects(storage) == ["gold/a", "gold/b", "gold/c"]
    assert storage.read("gold/b") == b"foreign"
    assert (new / "a").exists()


def test_a_file_deleted_meanwhile_is_detected(
    storage: S3Storage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in "ab":
        storage.write(f"gold/{name}", b"old")
    new = tmp_path / "new"
    shutil.copytree(storage.local("gold"), new)
    (new / "r").write_bytes(b"new")
    (new / "s").write_bytes(b"new")
    same = Mirror.unchanged

    def then_delete(self: Mirror, files: dict[str, Path], there: dict[str, S3Object]) -> set[str]:
        result = same(self, files, there)
        storage.bucket.remove(["gold/b"])
        return result

    monkeypatch.setattr(Mirror, "unchanged", then_delete)
    with pytest.raises(WorkspaceError, match=REFUSED):
        storage.replace(new, "gold")

    assert objects(storage) == ["gold/a"]


@pytest.mark.parametrize(
    ("manifest", "staged", "expected"),
    [
        (b'{"prefix": "gold", "files": 2}', "ab", ["gold/a", "gold/b"]),
        (b'{"prefix": "gold", "files": 3}', "ab", ["gold/old"]),
        (b'{"prefix": ".basketwise", "files": 2}', "ab", ["gold/old"]),
        (b"[" * 9_000, "ab", ["gold/old"]),
    ],
)
def test_what_an_earlier_version_has_committed_is_finished_or_dropped(
    storage: S3Storage, manifest: bytes, staged: str, expected: list[str]
) -> None:
    bucket, number = storage.bucket, "0123456789abcdef" * 2
    bucket.put("gold/old", b"old")
    for name in staged:
        bucket.put(f".basketwise/incoming/{number}/{name}", b"new")
    bucket.put(f".basketwise/adopting/{number}", manifest)

    with storage.exclusive():
        assert storage.keys("gold") == expected

    assert objects(storage) == expected
