"""A simulated NFS: stale handles, failing servers, files that stay while they are open."""

from __future__ import annotations

import errno
import math
import os
from pathlib import Path

import pytest

from basketwise import files
from basketwise.files import REMOVED, write_whole
from basketwise.run.workspace import open_workspace
from basketwise.scratch import scratch
from basketwise.storage.local import LocalStorage
from tests.hostile.filesystem.faulty import OPERATIONS, Faults, SillyRenames, rest
from tests.hostile.registry.shop import LINES, Shop
from tests.hostile.scale import tried

ERRORS = (errno.ESTALE, errno.EIO, errno.EBUSY)
COMMANDS: tuple[tuple[str, ...], ...] = (
    ("models", "approve", "1"),
    ("predict", str(LINES), "--out", "OUT"),
    ("models", "rollback"),
    ("models", "list"),
    ("etl", str(LINES), "--set", "split.strategy=stratified"),
    ("doctor",),
)


@pytest.fixture(autouse=True)
def _without_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "PAUSES", (0.0, 0.0, 0.0))


@pytest.fixture
def shop(template: Shop, tmp_path: Path) -> Shop:
    return template.copied(tmp_path / "w")


@pytest.mark.parametrize("operation", ["open", "replace", "sync"])
@pytest.mark.parametrize("times", [1, 3])
def test_a_stale_handle_is_looked_up_anew(
    tmp_path: Path, operation: str, times: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a").write_bytes(b"before")
    faults = Faults(operation, errno.ESTALE, tmp_path, times)
    faults.install(monkeypatch)
    write_whole(tmp_path / "a", b"after")
    assert faults.failed == times
    assert (tmp_path / "a").read_bytes() == b"after"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


@pytest.mark.parametrize("operation", ["open", "replace", "sync"])
def test_what_stays_stale_is_raised_and_leaves_nothing(
    tmp_path: Path, operation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a").write_bytes(b"before")
    with monkeypatch.context() as patch:
        Faults(operation, errno.ESTALE, tmp_path, math.inf).install(patch)
        with pytest.raises(OSError, match="Stale"):
            write_whole(tmp_path / "a", b"after")
    assert (tmp_path / "a").read_bytes() == b"before"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


@pytest.mark.parametrize("number", [errno.EINVAL, errno.EOPNOTSUPP, errno.ENOSYS, errno.ENOLCK])
def test_a_file_system_that_cannot_sync(
    tmp_path: Path, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    Faults("sync", number, tmp_path, math.inf).install(monkeypatch)
    write_whole(tmp_path / "a", b"text")
    assert (tmp_path / "a").read_bytes() == b"text"


def test_a_disk_that_fails_to_sync_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Faults("sync", errno.EIO, tmp_path, 1).install(monkeypatch)
    with pytest.raises(OSError, match="Input/output"):
        write_whole(tmp_path / "a", b"text")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("operation", ["open", "list", "unlink"])
def test_a_workspace_with_stale_handles(
    tmp_path: Path, operation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage = LocalStorage(tmp_path / "w")
    storage.write("gold/a", b"text")
    Faults(operation, errno.ESTALE, tmp_path, 2).install(monkeypatch)
    assert storage.keys("gold") == ["gold/a"]
    assert storage.read("gold/a") == b"text"
    storage.delete("gold/a")
    assert not storage.exists("gold")


@pytest.mark.parametrize("times", [1, math.inf])
@pytest.mark.parametrize("skipped", [0, 2, 7][: tried(1, 3)])
@pytest.mark.parametrize("number", ERRORS[: tried(1, 3)], ids=errno.errorcode.get)
@pytest.mark.parametrize("operation", list(OPERATIONS))
@pytest.mark.parametrize(
    "words", COMMANDS[: tried(1, 6)], ids=lambda words: " ".join(words[:2])[:20]
)
def test_commands_end_well_or_say_what_failed(
    shop: Shop,
    tmp_path: Path,
    words: tuple[str, ...],
    operation: str,
    number: int,
    skipped: int,
    times: float,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    arguments = [str(tmp_path / "out.csv") if word == "OUT" else word for word in words]
    faults = Faults(operation, number, shop.folder, times, skipped)
    with monkeypatch.context() as patch:
        faults.install(patch)
        outcome = shop.call(*arguments)
    assert outcome.code in (0, 2, 3), outcome
    assert "bug" not in outcome.err
    if outcome.code and words != ("doctor",):
        assert os.strerror(number) in outcome.err
    # Once the server is back, the next command finds everything in order.
    assert shop.call("models", "list").code == 0
    assert shop.is_settled
    assert not list(rest(shop.folder))


def test_a_replaced_folder_with_an_open_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    SillyRenames("a").install(monkeypatch)
    storage = LocalStorage(tmp_path / "w")
    for number in (b"1", b"2", b"3"):
        new = tmp_path / "new"
        new.mkdir()
        (new / "a").write_bytes(number)
        (new / "b").write_bytes(number)
        storage.replace(new, "gold")
        assert storage.read("gold/a") == number
        assert storage.keys("gold") == ["gold/a", "gold/b"]
    storage.delete("gold")
    assert not storage.exists("gold")
    assert not list(rest(tmp_path))


def test_a_replacement_that_was_cut_off_with_an_open_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage = LocalStorage(tmp_path)
    storage.write("gold/a", b"new")
    storage.write(".basketwise-old-gold/a", b"old")
    SillyRenames("a").install(monkeypatch)
    for _ in range(2):
        with storage.exclusive():
            assert storage.read("gold/a") == b"new"
    assert not list(rest(tmp_path))


def test_what_a_run_leaves_open_does_not_stop_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = open_workspace(str(tmp_path))
    SillyRenames("a", "step-gold.json").install(monkeypatch)
    for _ in range(3):
        with workspace.staged() as staging:
            assert list(staging.gold.iterdir()) == []
            (staging.gold / "a").touch()
    for _ in range(2):
        staged = tmp_path / ".staging" / "gold"
        staged.mkdir(parents=True)
        (staged / "step-gold.json").touch()
        with workspace.staged() as staging:
            assert (staging.left / "gold" / "step-gold.json").exists()
    assert list(tmp_path.glob(f"{REMOVED}*"))
    monkeypatch.undo()
    with workspace.staged():
        assert not list(tmp_path.glob(f"{REMOVED}*"))


def test_a_temporary_folder_is_gone_although_its_lock_was_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    silly, close = SillyRenames(".owner"), os.close
    silly.install(monkeypatch)

    def closed(descriptor: int) -> None:
        file = Path(f"/proc/self/fd/{descriptor}").readlink()
        close(descriptor)
        if file.name.startswith(".nfs"):
            file.rename(tmp_path / "gone")
            silly.busy.clear()

    monkeypatch.setattr(os, "close", closed)
    with scratch(tmp_path):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["gone"]
