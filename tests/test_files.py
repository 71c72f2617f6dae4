from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from pydantic import BaseModel

from basketwise import files
from basketwise.errors import InputError
from basketwise.files import discard, move, read_document, write_whole


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """Two folders that the system takes for two mounts."""
    source, target = tmp_path / "here", tmp_path / "there"
    source.mkdir()
    target.mkdir()
    replace = Path.replace

    def of_one_mount(self: Path, target: Path) -> Path:
        if self.parent != target.parent:
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV), str(self))
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", of_one_mount)
    return source, target


def test_a_damaged_document_is_refused_with_the_command_that_writes_it_again(
    tmp_path: Path,
) -> None:
    class Document(BaseModel):
        lines: int

    file = tmp_path / "document.json"
    for text, complaint in (("x", "Invalid JSON"), ('{"lines": []}', "lines: ")):
        file.write_text(text)
        with pytest.raises(InputError) as refused:
            read_document(Document, file, "basketwise etl PATH --force")
        assert complaint in refused.value.headline
        assert "document.json' cannot be read" in refused.value.headline
        assert "'basketwise etl PATH --force'" in refused.value.hint


def test_a_file_moves_to_another_mount_and_replaces_what_is_there(
    folders: tuple[Path, Path],
) -> None:
    source, target = folders
    (source / "a").write_text("new")
    (target / "a").write_text("old")
    move(source / "a", target / "a")
    assert (target / "a").read_text() == "new"
    assert not list(source.iterdir())
    assert [path.name for path in target.iterdir()] == ["a"]


def test_a_folder_moves_to_another_mount(folders: tuple[Path, Path]) -> None:
    source, target = folders
    (source / "a" / "b").mkdir(parents=True)
    (source / "a" / "b" / "c").write_text("new")
    move(source / "a", target / "a")
    assert (target / "a" / "b" / "c").read_text() == "new"
    assert not list(source.iterdir())
    assert [path.name for path in target.iterdir()] == ["a"]


def test_a_move_that_fails_leaves_the_source_and_nothing_else(
    folders: tuple[Path, Path],
) -> None:
    source, target = folders
    (source / "a").mkdir()
    (source / "a" / "b").write_text("new")
    (target / "a").mkdir()
    (target / "a" / "in the way").touch()
    with pytest.raises(OSError, match="not empty"):
        move(source / "a", target / "a")
    assert (source / "a" / "b").read_text() == "new"
    assert [path.name for path in target.iterdir()] == ["a"]


def test_any_other_error_is_raised(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        move(tmp_path / "absent", tmp_path / "b")


def test_a_file_is_written_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(b"before")
    write_whole(path, b"af", b"ter")
    assert path.read_bytes() == b"after"
    assert list(tmp_path.iterdir()) == [path]


def test_a_write_that_fails_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(b"before")

    def full(_: int) -> None:
        raise OSError("no space")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="no space"):
        write_whole(path, b"after")
    assert path.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("number", [errno.EBUSY, errno.EIO, errno.ESTALE])
def test_a_folder_that_cannot_be_renamed_is_removed_where_there_is_one(
    tmp_path: Path, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(files, "PAUSES", ())
    monkeypatch.setattr(os, "rename", fail)
    folder = tmp_path / "folder"
    discard(folder, tmp_path)
    (folder / "below").mkdir(parents=True)
    discard(folder, tmp_path)
    assert list(tmp_path.iterdir()) == []
