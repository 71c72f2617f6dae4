"""What every storage must do; an implementation joins by a function in ``IMPLEMENTATIONS``."""

from __future__ import annotations

import errno
import hashlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from basketwise.aws.storage.storage import S3Storage
from basketwise.errors import BasketwiseError, DependencyError, InputError, WorkspaceError
from basketwise.storage.local import OLD, LocalStorage
from basketwise.storage.protocol import SAME_TIME, Storage
from tests.seaweed import S3Server

HOLD = """
import sys
from pathlib import Path
from basketwise.storage.local import LocalStorage
with LocalStorage(Path(sys.argv[1])).exclusive():
    print("held", flush=True)
    sys.stdin.read()
"""

HOLD_S3 = """
import sys
from pathlib import Path
from basketwise.aws.clients import client
from basketwise.config import AwsConfig
from basketwise.aws.storage.storage import S3Storage
endpoint, bucket, prefix, cache, lease = sys.argv[1:]
s3 = client("s3", AwsConfig(endpoint_url=endpoint))
with S3Storage(s3, bucket, prefix, cache=Path(cache), lease=float(lease)).exclusive():
    print("held", flush=True)
    sys.stdin.read()
"""

LEASE = 3.0
NO_SUM_OF_ANYTHING = "RBNvo1WzZ4oRRq0W9+hknpT7T8If536DEMBg9hyq/4o="


@dataclass(frozen=True)
class Subject:
    """A storage under test, empty at first."""

    storage: Storage
    fill_up: Callable[[], AbstractContextManager[None]]
    """While it is open, the place is full: bytes can be taken in, but not be kept."""
    refusal: tuple[type[BasketwiseError], str]
    """What a write that cannot be kept is answered with."""
    holder: list[str]
    """The command of another process that says ``held`` and holds the place until its end."""
    freed_within: float = 0.0
    """Seconds after which the place of a holder that was killed is free."""


Fixtures = pytest.FixtureRequest


def local(folder: Path, patch: pytest.MonkeyPatch, _: Fixtures) -> Subject:
    @contextmanager
    def full() -> Iterator[None]:
        def no_room(descriptor: int) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        with patch.context() as patched:
            patched.setattr(os, "fsync", no_room)
            yield

    root = folder / "workspace"
    refusal = (WorkspaceError, "cannot be written to: No space left")
    return Subject(LocalStorage(root), full, refusal, [sys.executable, "-c", HOLD, str(root)])


def s3(folder: Path, patch: pytest.MonkeyPatch, fixtures: Fixtures) -> Subject:
    server: S3Server = fixtures.getfixturevalue("s3_server")
    for name, value in server.environment.items():
        patch.setenv(name, value)
    client, prefix = server.client(), server.new_prefix()

    @contextmanager
    def full() -> Iterator[None]:
        def damaged(params: dict[str, Any], **_: object) -> None:
            if not params["url_path"].endswith("/lock"):
                params["headers"]["x-amz-checksum-sha256"] = NO_SUM_OF_ANYTHING

        client.meta.events.register("before-call.s3.PutObject", damaged)
        try:
            yield
        finally:
            client.meta.events.unregister("before-call.s3.PutObject", damaged)

    command = [sys.executable, "-c", HOLD_S3, server.endpoint_url, server.bucket]
    return Subject(
        S3Storage(client, server.bucket, prefix, cache=folder / "cache", lease=LEASE),
        full,
        (DependencyError, "AWS refused to write s3://.*BadDigest"),
        [*command, prefix, str(folder / "other"), str(LEASE)],
        freed_within=LEASE + 4,
    )


IMPLEMENTATIONS = {"local": local, "s3": s3}


@pytest.fixture(params=list(IMPLEMENTATIONS))
def subject(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Subject:
    return IMPLEMENTATIONS[request.param](tmp_path, monkeypatch, request)


@pytest.fixture
def storage(subject: Subject) -> Storage:
    return subject.storage


def folder_of(root: Path, **files: bytes) -> Path:
    root.mkdir(parents=True)
    for name, data in files.items():
        (root / name).write_bytes(data)
    return root


@contextmanager
def held(subject: Subject) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(subject.holder, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    with process:
        assert process.stdout
        assert process.stdout.readline() == b"held\n"
        yield process


def test_what_is_written_is_read(storage: Storage) -> None:
    storage.write("gold/metadata.json", b"\x00\xff\n")

    assert storage.read("gold/metadata.json") == b"\x00\xff\n"


def test_a_write_replaces(storage: Storage) -> None:
    storage.write("a", b"a long old text")
    storage.write("a", b"new")

    assert storage.read("a") == b"new"
    assert storage.keys("nothing") == []


def test_several_keys_are_read_at_once_those_that_are_there(storage: Storage) -> None:
    for key in ("runs/1/a", "runs/2/a"):
        storage.write(key, key.encode())
    read = storage.read_each(["runs/1/a", "runs/2/a", "runs/3/a", "runs/1", "never-there"])

    assert read == {"runs/1/a": b"runs/1/a", "runs/2/a": b"runs/2/a"}
    assert storage.read_each([]) == {}
    with pytest.raises(InputError):
        storage.read_each(["../outside"])


def test_reading_what_is_not_there_names_the_key(storage: Storage) -> None:
    with pytest.raises(InputError, match=r"There is no gold/metadata\.json"):
        storage.read("gold/metadata.json")


def test_a_prefix_is_not_read(storage: Storage) -> None:
    storage.write("gold/metadata.json", b"")

    with pytest.raises(InputError, match="There is no gold in"):
        storage.read("gold")


def test_exists_is_true_of_keys_and_of_prefixes(storage: Storage) -> None:
    storage.write("gold/a/b", b"")

    assert storage.exists("gold/a/b")
    assert storage.exists("gold")
    assert not storage.exists("gol")
    assert not storage.exists("gold/a/b/c")


def test_keys_are_sorted_and_only_those_below(storage: Storage) -> None:
    for key in ("silver/w=2/x", "silver/w=10/x", "silver2/x", "silver/a"):
        storage.write(key, b"")

    assert storage.keys("silver") == ["silver/a", "silver/w=10/x", "silver/w=2/x"]
    assert storage.keys("gold") == []


def test_folders_are_the_names_that_keys_are_below(storage: Storage) -> None:
    assert storage.folders("runs") == []
    for key in ("runs/b/x/1", "runs/b/2", "runs/a/3", "runs/note", "runsx/c/4", "other/5"):
        storage.write(key, b"1")
    assert storage.folders("runs") == ["a", "b"]


def test_the_newest_are_those_written_last(storage: Storage) -> None:
    assert storage.newest("runs") == []
    storage.write("runs/old", b"1")
    time.sleep(SAME_TIME.total_seconds() + 1.1)
    for key in ("runs/b", "runs/a", "other"):
        storage.write(key, b"1")
    assert storage.newest("runs") == ["runs/a", "runs/b"]


def test_delete_takes_a_key_or_all_below_it(storage: Storage) -> None:
    for key in ("a/b", "a/c/d", "ab", "e"):
        storage.write(key, b"")

    storage.delete("a", "e")
    storage.delete("never-there")
    storage.delete("neither", "nor-this")
    storage.delete()

    assert not storage.exists("a")
    assert not storage.exists("e")
    assert storage.exists("ab")


def test_everything_below_is_replaced(storage: Storage, tmp_path: Path) -> None:
    storage.write("gold/old", b"old")
    new = folder_of(tmp_path / "new", one=b"1", two=b"2")

    storage.replace(new, "gold")

    assert storage.keys("gold") == ["gold/one", "gold/two"]
    assert storage.read("gold/two") == b"2"
    assert not new.exists()


def test_what_is_to_stay_stays(storage: Storage, tmp_path: Path) -> None:
    for key in ("silver/w=1/a", "silver/w=2/b", "silver/stray", "silver/record"):
        storage.write(key, key.encode())

    storage.replace(folder_of(tmp_path / "new", record=b"new"), "silver", ["w=1/a", "w=2/b"])

    assert storage.keys("silver") == ["silver/record", "silver/w=1/a", "silver/w=2/b"]
    assert storage.read("silver/record") == b"new"
    assert storage.read("silver/w=2/b") == b"silver/w=2/b"
    # Once more, now that nothing else is there: a single file is written.
    storage.replace(folder_of(tmp_path / "new", record=b"newer"), "silver", ["w=1/a", "w=2/b"])
    assert len(storage.keys("silver")) == 3
    assert storage.read("silver/record") == b"newer"


def test_nothing_is_replaced_if_what_is_to_stay_is_not_there(
    storage: Storage, tmp_path: Path
) -> None:
    storage.write("silver/a", b"1")

    with pytest.raises(WorkspaceError, match="silver/gone is missing"):
        storage.replace(folder_of(tmp_path / "new", record=b""), "silver", ["gone"])

    assert storage.keys("silver") == ["silver/a"]


def test_digests_name_every_file_below(storage: Storage) -> None:
    files = {f"w={number}/part": bytes([number]) for number in range(12)}
    for name, data in files.items():
        storage.write(f"silver/{name}", data)

    assert storage.digests("gold") == {}
    assert storage.digests("silver") == {
        name: hashlib.sha256(data).hexdigest() for name, data in files.items()
    }


def test_a_deep_prefix_that_is_new_is_filled(storage: Storage, tmp_path: Path) -> None:
    storage.replace(folder_of(tmp_path / "new", one=b"1"), "artifacts/run-1")

    assert storage.keys("artifacts") == ["artifacts/run-1/one"]


def test_local_shows_the_current_files(storage: Storage) -> None:
    storage.write("gold/a/b", b"1")
    storage.write("gold/a/b", b"2")

    assert (storage.local("gold") / "a" / "b").read_bytes() == b"2"


def test_a_prefix_without_files_has_no_local_folder(storage: Storage) -> None:
    assert not storage.local("gold").exists()


def test_what_is_edited_is_brought_back(storage: Storage) -> None:
    storage.write("configs/kept", b"kept")
    storage.write("configs/changed", b"old")
    storage.write("configs/deep/removed", b"")

    with storage.edit("configs") as folder:
        (folder / "changed").write_bytes(b"new")
        (folder / "deep" / "removed").unlink()
        (folder / "added").write_bytes(b"1")

    assert storage.keys("configs") == ["configs/added", "configs/changed", "configs/kept"]
    assert storage.read("configs/changed") == b"new"


def test_a_folder_can_be_begun_by_editing(storage: Storage) -> None:
    with storage.edit("configs") as folder:
        folder.mkdir(parents=True)
        (folder / "first").write_bytes(b"1")

    assert storage.read("configs/first") == b"1"


def test_keys_may_have_odd_characters(storage: Storage) -> None:
    names = ["a b+c", "ü%25/&=#?", "'(1)~;:,@!$*\"", "日本/😀", "<x>", ".hidden/..x"]
    for number, name in enumerate(names):
        storage.write(f"odd/{name}", bytes([number]))

    assert storage.keys("odd") == sorted(f"odd/{name}" for name in names)
    for number, name in enumerate(names):
        assert storage.read(f"odd/{name}") == bytes([number])
        assert (storage.local("odd") / name).read_bytes() == bytes([number])


@pytest.mark.parametrize(
    "key", ["/etc/passwd", "../a", "a/../../b", "a/..", "", "a//b", "a/", "..\\a", "a\\b"]
)
def test_keys_that_lead_outside_are_refused(storage: Storage, tmp_path: Path, key: str) -> None:
    new = folder_of(tmp_path / "new", one=b"1")
    for refused in (
        lambda: storage.read(key),
        lambda: storage.write(key, b"bad"),
        lambda: storage.exists(key),
        lambda: storage.keys(key),
        lambda: storage.delete(key),
        lambda: storage.replace(new, key),
        lambda: storage.local(key),
    ):
        with pytest.raises(InputError, match="is not a key of a workspace"):
            refused()
    assert (new / "one").exists()


def test_a_write_that_fails_in_the_middle_leaves_the_old_bytes(subject: Subject) -> None:
    subject.storage.write("gold/a", b"old")

    refusal, words = subject.refusal
    with subject.fill_up(), pytest.raises(refusal, match=words):
        subject.storage.write("gold/a", b"new bytes")

    assert subject.storage.read("gold/a") == b"old"
    assert subject.storage.keys("gold") == ["gold/a"]


def test_a_first_write_that_fails_leaves_nothing(subject: Subject) -> None:
    with subject.fill_up(), pytest.raises(subject.refusal[0]):
        subject.storage.write("gold/a", b"new bytes")

    assert not subject.storage.exists("gold")


def test_one_at_a_time(subject: Subject) -> None:
    with subject.storage.exclusive():
        rival = subprocess.run(subject.holder, capture_output=True, input=b"", check=False)

    assert rival.returncode != 0
    assert b"Another run is using the workspace" in rival.stderr
    assert b"held" not in rival.stdout


def test_another_process_keeps_us_out_until_it_is_killed(subject: Subject) -> None:
    with held(subject) as process:
        with (
            pytest.raises(WorkspaceError, match="Another run is using the workspace"),
            subject.storage.exclusive(),
        ):
            pass
        process.send_signal(signal.SIGKILL)
        process.wait()

    time.sleep(subject.freed_within)
    with subject.storage.exclusive():
        subject.storage.write("a", b"ours")
    assert subject.storage.read("a") == b"ours"


def test_an_error_frees_the_lock(storage: Storage) -> None:
    with pytest.raises(InputError, match="mine"), storage.exclusive():
        raise InputError("mine")

    with storage.exclusive():
        pass


@pytest.mark.parametrize("prefix", ["gold", "artifacts/run-1"])
def test_a_replacement_cut_off_after_the_first_step_is_undone(tmp_path: Path, prefix: str) -> None:
    storage = LocalStorage(tmp_path)
    storage.write(f"{prefix}/a", b"old")
    target = storage.local(prefix)
    target.rename(target.with_name(OLD + target.name))

    with storage.exclusive():
        assert storage.read(f"{prefix}/a") == b"old"

    assert [path.name for path in tmp_path.rglob(f"{OLD}*")] == []


@pytest.mark.parametrize("prefix", ["gold", "artifacts/run-1"])
def test_a_replacement_cut_off_after_the_second_step_is_finished(
    tmp_path: Path, prefix: str
) -> None:
    storage = LocalStorage(tmp_path)
    storage.write(f"{prefix}/a", b"new")
    target = storage.local(prefix)
    folder_of(target.with_name(OLD + target.name), a=b"old", b=b"old")

    with storage.exclusive():
        assert storage.keys(prefix) == [f"{prefix}/a"]

    assert storage.read(f"{prefix}/a") == b"new"
    assert [path.name for path in tmp_path.rglob(f"{OLD}*")] == []


def test_a_place_that_cannot_be_a_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    storage = LocalStorage(tmp_path / "file" / "workspace")

    with pytest.raises(WorkspaceError, match="cannot be written to: Not a directory"):
        storage.write("a", b"")
    with (
        pytest.raises(WorkspaceError, match="cannot be written to: Not a directory"),
        storage.exclusive(),
    ):
        pass
