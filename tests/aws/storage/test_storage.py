"""What a bucket adds to the storage contract: replacements cut off, leases, the local copy."""

from __future__ import annotations

import hashlib
import shutil
import threading
from base64 import b64encode
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from basketwise.aws import parallel
from basketwise.aws import s3 as s3_objects
from basketwise.aws.s3 import Bucket, S3Object
from basketwise.aws.storage.lock import LOCK
from basketwise.aws.storage.mirror import Mirror
from basketwise.aws.storage.storage import S3Storage
from basketwise.config import AwsConfig
from basketwise.errors import ConfigError, DependencyError, InputError, WorkspaceError
from basketwise.storage.local import LocalStorage
from basketwise.storage.opening import open_storage
from tests.aws.storage.access import Open, folder_of, objects
from tests.seaweed import S3Server


def unfinished_uploads(storage: S3Storage) -> list[str]:
    bucket = storage.bucket
    listed = bucket.client.list_multipart_uploads(Bucket=bucket.name, Prefix=f"{bucket.prefix}/")
    return [item["Key"] for item in listed.get("Uploads", [])]


def cut_off_copying(storage: S3Storage, patch: pytest.MonkeyPatch, folder: Path) -> None:
    """Adopt a folder as ``gold``; end after the first file has come to its place."""
    copied: list[str] = []
    copy = Bucket.copy

    def one_only(self: Bucket, source: S3Object, key: str, replaced: str = "") -> str:
        if copied:
            raise KeyboardInterrupt
        copied.append(key)
        return copy(self, source, key, replaced)

    with patch.context() as patched:
        patched.setattr(Bucket, "copy", one_only)
        patched.setattr(parallel, "WORKERS", 1)
        with pytest.raises(KeyboardInterrupt):
            storage.replace(folder, "gold")


def recorded_calls(storage: S3Storage) -> list[str]:
    """Return the list that the names of all writing calls are put into from now on."""
    calls: list[str] = []

    def note(model: Any, params: dict[str, Any], **_: Any) -> None:
        is_lock = params.get("Key", "").endswith(LOCK)
        if model.name in ("CopyObject", "DeleteObjects", "PutObject") and not is_lock:
            calls.append(model.name)

    storage.bucket.client.meta.events.register("provide-client-params.s3", note)
    return calls


def test_files_that_the_bucket_has_already_are_not_sent_again(
    storage: S3Storage, tmp_path: Path
) -> None:
    for name in ("a", "b", "stray"):
        storage.write(f"gold/{name}", name.encode())
    shutil.copytree(storage.local("gold"), tmp_path / "new", ignore=lambda *_: {"stray"})
    (tmp_path / "new" / "record").write_bytes(b"new")
    calls = recorded_calls(storage)

    storage.replace(tmp_path / "new", "gold")

    assert storage.keys("gold") == ["gold/a", "gold/b", "gold/record"]
    # The record, and the tombstone for the stray file; all else is copied within the bucket.
    assert calls.count("PutObject") == 2
    assert storage.read("gold/a") == b"a"
    assert (storage.local("gold") / "record").read_bytes() == b"new"


def test_one_new_file_beside_others_is_published_by_a_copy(
    storage: S3Storage, tmp_path: Path
) -> None:
    for name in ("a", "b"):
        storage.write(f"gold/{name}", name.encode())
    shutil.copytree(storage.local("gold"), tmp_path / "new")
    (tmp_path / "new" / "record").write_bytes(b"new")
    calls = recorded_calls(storage)

    storage.replace(tmp_path / "new", "gold")

    assert calls == ["PutObject", "CopyObject", "DeleteObjects"]
    assert storage.keys("gold") == ["gold/a", "gold/b", "gold/record"]


def test_a_file_changed_locally_or_in_the_bucket_is_uploaded(
    opened: Open, storage: S3Storage, tmp_path: Path
) -> None:
    for name in ("a", "b"):
        storage.write(f"gold/{name}", name.encode())
    shutil.copytree(storage.local("gold"), tmp_path / "new")
    opened().write("gold/a", b"A")
    (tmp_path / "new" / "b").write_bytes(b"B")

    storage.replace(tmp_path / "new", "gold")

    assert storage.read("gold/a") == b"a"
    assert storage.read("gold/b") == b"B"


def test_what_is_written_carries_its_checksum(storage: S3Storage) -> None:
    storage.write("a", b"bytes")

    head = storage.bucket.client.head_object(
        Bucket=storage.bucket.name, Key=storage.bucket.full("a"), ChecksumMode="ENABLED"
    )
    assert head["ChecksumSHA256"] == b64encode(hashlib.sha256(b"bytes").digest()).decode()


def test_a_large_file_is_sent_in_parts(
    storage: S3Storage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3_objects, "PART", 5 << 20)
    data = bytes(range(256)) * (6 << 12)

    storage.replace(folder_of(tmp_path / "new", large=data), "gold")

    assert (storage.local("gold") / "large").read_bytes() == data
    assert unfinished_uploads(storage) == []


def test_an_upload_that_fails_in_a_later_part_leaves_nothing(
    storage: S3Storage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3_objects, "PART", 5 << 20)
    storage.write("gold/old", b"old")
    new = folder_of(tmp_path / "new", large=bytes(11 << 20), small=b"1")

    def damaged(params: dict[str, Any], **_: object) -> None:
        if params["query_string"]["partNumber"] == 2:
            params["headers"]["x-amz-checksum-sha256"] = b64encode(bytes(32)).decode()

    storage.bucket.client.meta.events.register("before-call.s3.UploadPart", damaged)
    with pytest.raises(DependencyError, match=r"AWS refused to write s3://.*BadDigest"):
        storage.replace(new, "gold")

    assert objects(storage) == ["gold/old"]
    assert unfinished_uploads(storage) == []
    assert (new / "large").exists()


def test_parts_that_a_killed_run_sent_are_removed(storage: S3Storage) -> None:
    bucket = storage.bucket
    key = bucket.full(".basketwise/incoming/dead/file")
    bucket.client.create_multipart_upload(Bucket=bucket.name, Key=key)
    bucket.put(".basketwise/incoming/dead/other", b"")
    storage.write("gold/a", b"")

    with storage.exclusive():
        pass

    assert unfinished_uploads(storage) == []
    assert objects(storage) == ["gold/a"]


def test_a_replacement_cut_off_is_seen_as_done_and_then_finished(
    opened: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, reader = opened(), opened()
    for name in ("a", "b", "old"):
        ours.write(f"gold/{name}", b"old")
    ours.write("golden", b"")
    cut_off_copying(ours, monkeypatch, folder_of(tmp_path / "new", a=b"new", b=b"new", c=b"new"))

    assert reader.bucket.get("gold/b") == b"old"
    assert reader.keys("gold") == ["gold/a", "gold/b", "gold/c"]
    assert [reader.read(f"gold/{name}") for name in "abc"] == [b"new"] * 3
    assert [path.read_bytes() for path in reader.local("gold").iterdir()] == [b"new"] * 3
    assert reader.exists("gold/c")
    assert not reader.exists("gold/old")
    with pytest.raises(InputError, match=r"There is no gold/old"):
        reader.read("gold/old")

    with reader.exclusive():
        assert reader.bucket.get("gold/b") == b"new"
    assert objects(reader) == ["gold/a", "gold/b", "gold/c", "golden"]


def test_a_removal_cut_off_is_seen_as_done_and_then_finished(
    opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, reader = opened(), opened()
    for key in ("a/1/x", "a/1/y", "a/10", "a/2/x", "b"):
        ours.write(key, b"")

    def cut_off(*_: object) -> str:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Bucket, "copy", cut_off)
        with pytest.raises(KeyboardInterrupt):
            ours.delete("a/1", "a/2", "b")

    assert reader.bucket.get("a/1/x") == b""
    assert reader.keys("a") == ["a/10"]
    assert reader.folders("a") == []
    assert not reader.exists("b")
    for key in ("a/2/x", "b"):
        with pytest.raises(InputError, match=f"There is no {key}"):
            reader.read(key)
    with reader.exclusive():
        assert objects(reader) == ["a/10"]


def test_many_folders_are_removed_with_few_requests_more_than_they_have_objects(
    storage: S3Storage,
) -> None:
    names = [f"runs/{number:02}-{'n' * 200}" for number in range(40)]
    for name in (*names, "runs/kept"):
        storage.bucket.put(f"{name}/{len(name)}", b"")
    calls = recorded_calls(storage)
    storage.delete(*names)

    assert objects(storage) == ["runs/kept/9"]
    # The lock can name them in two parts; each object is overwritten before it is deleted.
    assert Counter(calls) == {"CopyObject": 40, "PutObject": 2, "DeleteObjects": 4}


def test_folders_of_a_replacement_cut_off_are_those_it_leaves(
    opened: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, reader = opened(), opened()
    for key in ("gold/old/1", "gold/both/1"):
        ours.write(key, b"old")
    new = folder_of(tmp_path / "new", note=b"new")
    for name in ("both", "new"):
        folder_of(new / name, a=b"new", b=b"new")
    cut_off_copying(ours, monkeypatch, new)
    assert reader.folders("gold") == ["both", "new"]
    assert reader.newest("gold") == [
        "gold/both/a",
        "gold/both/b",
        "gold/new/a",
        "gold/new/b",
        "gold/note",
    ]


def test_a_write_finishes_what_was_cut_off_first(
    opened: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage = opened()
    cut_off_copying(storage, monkeypatch, folder_of(tmp_path / "new", a=b"new", b=b"new"))

    storage.write("gold/b", b"later")

    assert objects(storage) == ["gold/a", "gold/b"]
    assert storage.read("gold/b") == b"later"


def test_sent_files_that_were_deleted_do_not_empty_the_place(
    opened: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage = opened()
    storage.write("gold/old", b"old")
    cut_off_copying(storage, monkeypatch, folder_of(tmp_path / "new", a=b"new", b=b"new"))
    sent = storage.bucket.below(".basketwise/incoming")
    storage.bucket.remove(list(sent)[:1])

    with pytest.raises(WorkspaceError, match=r"New files for gold are missing"):
        storage.write("gold/c", b"")

    assert storage.bucket.get("gold/old") == b"old"
    storage.replace(folder_of(tmp_path / "again", a=b"new", b=b"new"), "gold")
    assert objects(storage) == ["gold/a", "gold/b"]


def test_a_reader_gets_the_old_files_or_the_new_ones(opened: Open, tmp_path: Path) -> None:
    writer, reader = opened(), opened()
    names = [f"part-{number}" for number in range(6)]
    generations = [
        folder_of(tmp_path / str(number), **dict.fromkeys(names, bytes([number])))
        for number in range(8)
    ]
    writer.replace(generations[0], "gold")

    def write() -> None:
        for folder in generations[1:]:
            writer.replace(folder, "gold")

    thread = threading.Thread(target=write)
    thread.start()
    seen = []
    while thread.is_alive():
        seen.append({path.read_bytes() for path in reader.local("gold").iterdir()})
    thread.join()

    assert len(seen) > 1
    assert [len(result) for result in seen] == [1] * len(seen)
    assert (reader.local("gold") / "part-5").read_bytes() == b"\x07"


def test_files_replaced_between_two_fetches_are_fetched_again(
    opened: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer, reader = opened(), opened()
    writer.replace(folder_of(tmp_path / "old", a=b"old", b=b"old"), "gold")
    new = folder_of(tmp_path / "new", a=b"new", b=b"new")
    fetch = Bucket.fetch

    def then_replace(self: Bucket, result: S3Object, path: Path) -> None:
        fetch(self, result, path)
        if new.exists():
            writer.replace(new, "gold")

    monkeypatch.setattr(Bucket, "fetch", then_replace)
    monkeypatch.setattr(parallel, "WORKERS", 1)

    assert [path.read_bytes() for path in reader.local("gold").iterdir()] == [b"new", b"new"]


def test_files_replaced_while_they_are_listed_are_listed_again(
    opened: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer, reader = opened(), opened()
    writer.replace(folder_of(tmp_path / "old", a=b"old", b=b"old"), "gold")
    new = folder_of(tmp_path / "new", a=b"new", b=b"new")
    below, begun = Bucket.below, threading.Event()

    def after_a_start(self: Bucket, key: str) -> dict[str, S3Object]:
        if self is reader.bucket and key == "gold" and not begun.is_set():
            begun.set()
            cut_off_copying(writer, monkeypatch, new)
        return below(self, key)

    monkeypatch.setattr(Bucket, "below", after_a_start)

    assert [path.read_bytes() for path in reader.local("gold").iterdir()] == [b"new", b"new"]


def test_only_what_has_changed_is_fetched(storage: S3Storage) -> None:
    fetched: list[str] = []

    def note(params: dict[str, Any], **_: object) -> None:
        if not params["url_path"].endswith(LOCK):
            fetched.append(params["url_path"].rpartition("/")[2])

    for name in ("same", "changed", "removed", "tampered"):
        storage.write(f"gold/deep/{name}", b"1")
    folder = storage.local("gold")
    storage.write("gold/deep/changed", b"2")
    storage.delete("gold/deep/removed")
    (folder / "deep" / "tampered").write_bytes(b"X")
    (folder / "deep" / "stray").write_bytes(b"X")
    storage.bucket.client.meta.events.register("before-call.s3.GetObject", note)

    storage.local("gold")

    assert sorted(fetched) == ["changed", "tampered"]
    result = {path.name: path.read_bytes() for path in (folder / "deep").iterdir()}
    assert result == {"same": b"1", "changed": b"2", "tampered": b"1"}


def test_a_single_key_is_fetched_and_empty_folders_are_removed(storage: S3Storage) -> None:
    storage.write("gold/a", b"1")
    assert storage.local("gold/a").read_bytes() == b"1"

    storage.delete("gold")

    assert not storage.local("gold").exists()


def test_folder_markers_are_not_keys(storage: S3Storage) -> None:
    storage.bucket.put("gold/", b"")

    assert not storage.exists("gold")
    assert storage.keys("gold") == []


def test_objects_with_names_outside_the_folder_are_not_fetched(tmp_path: Path) -> None:
    # The server makes no such object; S3 itself would.
    evil = S3Object("gold/../../../evil", 4, "1")
    mirror = Mirror(tmp_path / "cache")

    with pytest.raises(InputError, match="is not a key of a workspace"):
        mirror.fetch("gold", {evil.key: evil}, lambda _, path: path.touch())

    assert list(tmp_path.iterdir()) == []


def test_an_edit_that_fails_changes_nothing(storage: S3Storage) -> None:
    storage.write("configs/a", b"old")

    def edit() -> None:
        with storage.edit("configs") as folder:
            (folder / "a").write_bytes(b"new")
            raise InputError("mine")

    with pytest.raises(InputError, match="mine"):
        edit()

    assert objects(storage) == ["configs/a"]
    assert storage.read("configs/a") == b"old"


def test_editing_locks_the_workspace(opened: Open) -> None:
    with (
        opened().edit("configs"),
        pytest.raises(WorkspaceError, match="Another run is using"),
        opened().edit("configs"),
    ):
        pass


def test_a_cache_that_cannot_be_made_is_named_and_the_lock_is_freed(
    opened: Open, tmp_path: Path
) -> None:
    storage = opened()
    (tmp_path / "file").write_text("in the way")
    storage.cache = tmp_path / "file"

    with (
        pytest.raises(WorkspaceError, match="cannot be made: Not a directory"),
        storage.exclusive(),
    ):
        pass

    with opened().exclusive():
        pass


def test_the_whole_bucket_can_be_a_workspace(s3_server: S3Server, tmp_path: Path) -> None:
    bucket = s3_server.new_bucket()
    storage = S3Storage(s3_server.client(), bucket, "", cache=tmp_path)

    with storage.exclusive():
        storage.replace(folder_of(tmp_path / "new", a=b"1"), "gold")

    assert storage.keys("gold") == ["gold/a"]
    assert (storage.local("gold") / "a").read_bytes() == b"1"
    assert storage.location == f"s3://{bucket}"


def test_opening_by_address(
    s3_server: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in s3_server.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    address = f"s3://{s3_server.bucket}/{s3_server.new_prefix()}"

    storage = open_storage(f"{address}/", s3_server.config)
    storage.write("a", b"1")

    assert storage.location == address
    assert storage.local("a").is_relative_to(tmp_path)
    assert isinstance(open_storage(str(tmp_path / "folder"), AwsConfig()), LocalStorage)


@pytest.mark.parametrize(
    "location",
    ["s3://", "s3:///x", "s3://UPPER/x", "s3://ab", "s3://bucket/a//b", "s3://bucket/../x",
     "s3://bucket/.basketwise", "gs://bucket", "https://host/x"],
)  # fmt: skip
def test_other_addresses_are_refused(location: str) -> None:
    with pytest.raises(ConfigError, match="The workspace '"):
        open_storage(location, AwsConfig())


def test_keys_that_are_wrong_are_an_error_of_the_service(
    s3_server: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (s3_server.environment | {"AWS_SECRET_ACCESS_KEY": "wrong"}).items():
        monkeypatch.setenv(name, value)
    storage = open_storage(f"s3://{s3_server.bucket}/x", s3_server.config)

    for refused in (
        lambda: storage.read("a"),
        lambda: storage.write("a", b""),
        lambda: storage.exclusive().__enter__(),
    ):
        with pytest.raises(DependencyError, match="AWS refused to"):
            refused()


def test_a_bucket_that_is_missing_is_an_error_of_the_service(
    s3_server: S3Server, tmp_path: Path
) -> None:
    storage = S3Storage(s3_server.client(), "no-such-bucket", "x", cache=tmp_path)

    for refused in (lambda: storage.read("a"), lambda: storage.keys("a")):
        with pytest.raises(DependencyError, match="NoSuchBucket"):
            refused()
