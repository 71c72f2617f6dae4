from __future__ import annotations

import json
from pathlib import Path

import pytest

from basketwise.deploy.approved import ApprovedModel
from basketwise.deploy.writing import RECORD, write_files
from basketwise.digests import content
from basketwise.errors import InputError, WorkspaceError

FILES = {"a.yaml": "a: 1\n", "sub/b": "b"}


def test_a_rendering_is_recorded_and_can_be_repeated(model: ApprovedModel, tmp_path: Path) -> None:
    out = tmp_path / "new" / "deploy"
    write_files(out, {**FILES, "model": model.archive}, model, "docker")
    first = content(out)
    record = json.loads((out / RECORD).read_bytes())
    assert record["version"] == "1"
    assert record["sha256"] == model.sha256
    assert record["files"] == {name: first[name] for name in ("a.yaml", "model", "sub/b")}
    write_files(out, {**FILES, "model": model.archive}, model, "docker")
    assert content(out) == first
    write_files(out, {"c": "c"}, model, "docker")
    assert set(content(out)) == {"c", RECORD}
    assert [path.name for path in out.parent.iterdir()] == ["deploy"]


def test_a_folder_of_somebody_else_is_left_alone(model: ApprovedModel, tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("dear", encoding="utf-8")
    for overwrite in (False, True):
        with pytest.raises(InputError, match="was not rendered by Basketwise"):
            write_files(tmp_path, FILES, model, "docker", overwrite=overwrite)
    assert set(content(tmp_path)) == {"letter.txt"}


@pytest.mark.parametrize("record", ["", "[]", '{"files": 1}', "{", '{"files": [1]}'])
def test_a_damaged_record_counts_as_none(model: ApprovedModel, tmp_path: Path, record: str) -> None:
    (tmp_path / RECORD).write_text(record, encoding="utf-8")
    with pytest.raises(InputError, match="was not rendered by Basketwise"):
        write_files(tmp_path, FILES, model, "docker")


@pytest.mark.parametrize("name", ["a.yaml", "sub/mine.yaml"])
def test_changes_are_kept_until_they_may_be_overwritten(
    model: ApprovedModel, tmp_path: Path, name: str
) -> None:
    out = tmp_path / "out"
    write_files(out, FILES, model, "docker")
    (out / name).write_text("changed", encoding="utf-8")
    with pytest.raises(InputError, match=f"has been changed since it was rendered: {name}"):
        write_files(out, FILES, model, "docker")
    assert (out / name).read_text(encoding="utf-8") == "changed"
    write_files(out, FILES, model, "docker", overwrite=True)
    assert set(content(out)) == {*FILES, RECORD}


def test_a_folder_that_cannot_be_made_is_the_users(model: ApprovedModel, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(WorkspaceError, match="cannot be written"):
        write_files(tmp_path / "file" / "out", FILES, model, "docker")
