"""What every storage must do; an implementation joins by a function in ``IMPLEMENTATIONS``."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from basketwise.errors import InputError, WorkspaceError
from basketwise.storage import OLD, LocalStorage, Storage

HOLD = """
import sys
from pathlib import Path
from basketwise.storage import LocalStorage
with LocalStorage(Path(sys.argv[1])).exclusive():
    print("held", flush=True)
    sys.stdin.read()
"""


@dataclass(frozen=True)
class Subject:
    """A storage under test, empty at first."""

    storage: Storage
    fill_up: Callable[[], AbstractContextManager[None]]
    """While it is open, the place is full: bytes can be taken in, but not be kept."""
    holder: list[str]
    """The command of another process that says ``held`` and holds the place until its end."""


def local(folder: Path, patch: pytest.MonkeyPatch) -> Subject:
    @contextmanager
    def full() -> Iterator[None]:
        def no_room(descriptor: int) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        with patch.context() as patched:
            patched.setattr(os, "fsync", no_room)
            yield

    root = folder / "workspace"
    return Subject(LocalStorage(root), full, [sys.executable, "-c", HOLD, str(root)])


IMPLEMENTATIONS = {"local": local}


@pytest.fixture(params=list(IMPLEMENTATIONS))
def subject(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Subject:
    return IMPLEMENTATIONS[request.param](tmp_path, monkeypatch)


@pytest.fixture
def storage(subject: Subject) -> Storage:
    return subject.storage


def exclusive(storage: Storage) -> AbstractContextManager[None]:
    return storage.exclusive()


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


def test_delete_takes_a_key_or_all_below_it(storage: Storage) -> None:
    for key in ("a/b", "a/c/d", "ab", "e"):
        storage.write(key, b"")

    storage.delete("a")
    storage.delete("e")
    storage.delete("never-there")

    assert not storage.exists("a")
    assert not storage.exists("e")
    assert storage.exists("ab")


def test_adopt_replaces_everything_below(storage: Storage, tmp_path: Path) -> None:
    storage.write("gold/old", b"old")
    new = folder_of(tmp_path / "new", one=b"1", two=b"2")

    storage.adopt(new, "gold")

    assert storage.keys("gold") == ["gold/one", "gold/two"]
    assert storage.read("gold/two") == b"2"
    assert not new.exists()


def test_adopt_takes_a_deep_prefix_that_is_new(storage: Storage, tmp_path: Path) -> None:
    storage.adopt(folder_of(tmp_path / "new", one=b"1"), "artifacts/run-1")

    assert storage.keys("artifacts") == ["artifacts/run-1/one"]


def test_local_shows_the_current_files(storage: Storage) -> None:
    storage.write("gold/a/b", b"1")
    storage.write("gold/a/b", b"2")

    assert (storage.local("gold") / "a" / "b").read_bytes() == b"2"


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
        lambda: storage.adopt(new, key),
        lambda: storage.local(key),
    ):
        with pytest.raises(InputError, match="is no key of a workspace"):
            refused()
    assert (new / "one").exists()


def test_a_write_that_fails_in_the_middle_leaves_the_old_bytes(subject: Subject) -> None:
    subject.storage.write("gold/a", b"old")

    with (
        subject.fill_up(),
        pytest.raises(WorkspaceError, match="cannot be written to: No space left"),
    ):
        subject.storage.write("gold/a", b"new bytes")

    assert subject.storage.read("gold/a") == b"old"
    assert subject.storage.keys("gold") == ["gold/a"]


def test_a_first_write_that_fails_leaves_nothing(subject: Subject) -> None:
    with subject.fill_up(), pytest.raises(WorkspaceError):
        subject.storage.write("gold/a", b"new bytes")

    assert not subject.storage.exists("gold")


def test_one_at_a_time(subject: Subject) -> None:
    with exclusive(subject.storage):
        rival = subprocess.run(subject.holder, capture_output=True, input=b"", check=False)

    assert rival.returncode != 0
    assert b"Another run is using the workspace" in rival.stderr
    assert b"held" not in rival.stdout


def test_another_process_keeps_us_out_until_it_is_killed(subject: Subject) -> None:
    with held(subject) as process:
        with (
            pytest.raises(WorkspaceError, match="Another run is using the workspace"),
            exclusive(subject.storage),
        ):
            pass
        process.send_signal(signal.SIGKILL)
        process.wait()

    with exclusive(subject.storage):
        subject.storage.write("a", b"ours")
    assert subject.storage.read("a") == b"ours"


def test_an_error_frees_the_lock(storage: Storage) -> None:
    with pytest.raises(InputError, match="mine"), exclusive(storage):
        raise InputError("mine")

    with exclusive(storage):
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
