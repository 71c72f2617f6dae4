from __future__ import annotations

import errno
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from basketwise import scratch as module
from basketwise.errors import WorkspaceError
from basketwise.scratch import DAY, HIDDEN, is_scratch, orphans, scratch, sweep

LEAVING = """
import os, sys
from pathlib import Path
from basketwise.scratch import scratch
with scratch(Path(sys.argv[1])) as folder:
    (folder / "large").write_bytes(b"x")
    print(folder.parent.name)
    sys.stdout.flush()
    os._exit(9)
"""


def test_it_is_empty_and_removed_at_the_end(tmp_path: Path) -> None:
    with scratch(tmp_path) as folder:
        assert list(folder.iterdir()) == []
        assert is_scratch(folder)
        assert folder.parent.parent == tmp_path
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_process_left_is_removed_by_the_next(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LEAVING, str(tmp_path)], capture_output=True, text=True, check=False
    )
    left = tmp_path / done.stdout.strip()
    assert left.is_dir()
    assert orphans(tmp_path) == [left]
    with scratch(tmp_path) as folder:
        assert list(tmp_path.iterdir()) == [folder.parent]


def test_what_a_living_process_uses_stays(tmp_path: Path) -> None:
    with scratch(tmp_path) as folder:
        os.utime(folder.parent, (0, 0))
        assert sweep(tmp_path) == []
        assert folder.is_dir()


def test_a_folder_that_a_sweep_holds_before_its_owner_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has no owner for a moment after it was created: a sweep may come first."""
    lock, sweeping = module._lock, list[tuple[Path, int]]()

    def late(descriptor: int) -> bool | None:
        if not sweeping:
            # The sweep's own lock, of the same file.
            sweeping.append((Path(), 0))
            sweeping[:] = module._orphans(tmp_path)
        return lock(descriptor)

    monkeypatch.setattr(module, "_lock", late)
    with scratch(tmp_path) as folder:
        for swept, owner in sweeping:
            module._remove(swept, owner)
        (folder / "file").touch()
        assert [swept for swept, _ in sweeping] != [folder.parent]
    assert list(tmp_path.iterdir()) == []


def test_a_folder_from_the_future_ages_from_now_on(tmp_path: Path) -> None:
    folder, now = tmp_path / f"{HIDDEN}leftover", time.time()
    folder.mkdir()
    os.utime(folder, (now + 3 * DAY, now + 3 * DAY))
    assert sweep(tmp_path) == []
    assert folder.stat().st_mtime < now + DAY


def test_a_folder_without_an_owner_stays_for_a_day(tmp_path: Path) -> None:
    young, old = tmp_path / f"{HIDDEN}12345678", tmp_path / f"{HIDDEN}abcd_fgh"
    for folder in (young, old):
        folder.mkdir()
    os.utime(old, (0, 0))
    assert sweep(tmp_path) == [old]
    assert list(tmp_path.iterdir()) == [young]


NAMES = (
    "basketwise-workspace",
    "basketwise-projects",
    "basketwise-data",
    f"{HIDDEN}1234567",
    f"{HIDDEN}12345678",
)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("content", ["registry/registry.db", "files/notes.txt", ".owner"])
def test_a_workspace_and_folders_of_other_people_stay(
    name: str, content: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever they are called, and however long nobody has written to them."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    file = tmp_path / name / content
    file.parent.mkdir(parents=True)
    file.touch()
    (tmp_path / name / "more").touch()
    os.utime(tmp_path / name, (0, 0))
    with scratch(tmp_path), scratch():
        assert file.exists()
    assert list(tmp_path.iterdir()) == [tmp_path / name]


def test_an_empty_folder_is_taken_for_ours_below_tmpdir_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "basketwise-projects"
    folder.mkdir()
    os.utime(folder, (0, 0))
    assert sweep(tmp_path) == []
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    assert sweep(tmp_path) == [folder]


def test_a_removal_that_was_cut_off_is_finished(tmp_path: Path) -> None:
    folder = tmp_path / f"{HIDDEN}12345678"
    (folder / "files").mkdir(parents=True)
    os.utime(folder, (0, 0))
    assert sweep(tmp_path) == [folder]


def test_links_and_files_of_such_names_stay(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.mkdir()
    (target / "file").touch()
    (tmp_path / f"{HIDDEN}linkedto").symlink_to(target)
    (tmp_path / f"{HIDDEN}someones").touch()
    assert sweep(tmp_path) == []
    assert (target / "file").exists()


def test_where_it_cannot_be_beside_it_is_below_tmpdir(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with scratch(tmp_path / "absent") as folder:
        assert folder.parent.parent == tmp_path


def test_a_full_tmpdir_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(module, "_make", full)
    with pytest.raises(WorkspaceError, match="temporary folder") as caught, scratch():
        pass
    assert str(tmp_path) in caught.value.headline
    assert "TMPDIR" in caught.value.hint


def test_where_nothing_can_be_locked_folders_work_and_only_old_ones_are_swept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_lock", lambda _: False)
    with scratch(tmp_path) as folder:
        assert sweep(tmp_path) == []
        os.utime(folder.parent, (0, 0))
        assert orphans(tmp_path) == [folder.parent]
