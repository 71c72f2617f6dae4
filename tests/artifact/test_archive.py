from __future__ import annotations

import errno
import gzip
import hashlib
import io
import json
import os
import tarfile
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from basketwise.artifact import tarball
from basketwise.artifact.archive import (
    FORMAT,
    check,
    extract,
    pack,
    read_json,
    unpack,
    write_manifest,
)
from basketwise.errors import InputError, WorkspaceError
from basketwise.files import ARCHIVE, MANIFEST
from basketwise.model.archive import load_model_archive

FILES = {"metadata.json": b'{"a": 1}', "model.skops": bytes(range(256)) * 40}
Member = tuple[tarfile.TarInfo, bytes]


def folder_of(path: Path, files: dict[str, bytes] = FILES, **facts: Any) -> Path:
    path.mkdir()
    for name, data in files.items():
        (path / name).write_bytes(data)
    write_manifest(path, {"seed": 42, **facts})
    return path


def packed(root: Path, files: dict[str, bytes] = FILES, **facts: Any) -> Path:
    archive = root / ARCHIVE
    pack(folder_of(root / "packed", files, **facts), archive)
    return archive


def member(name: str, data: bytes = b"", **fields: Any) -> Member:
    info = tarfile.TarInfo(name)
    info.size = len(data)
    for field, value in fields.items():
        setattr(info, field, value)
    return info, data


def tar(path: Path, members: list[Member]) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for info, data in members:
            archive.addfile(info, io.BytesIO(data))
    return path


def manifest_for(files: dict[str, bytes], version: object = FORMAT) -> Member:
    digests = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
    document = {"format_version": version, "files": digests}
    return member(MANIFEST, json.dumps(document).encode())


def contents(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def refuse(archive: Path, root: Path) -> str:
    """Expect a refusal, and nothing written but into the folder to extract to."""
    target = root / "deep" / "target"
    target.mkdir(parents=True)
    before = {path for path in root.rglob("*") if target not in path.parents}
    with pytest.raises(InputError) as caught:
        unpack(archive, target)
    assert {path for path in root.rglob("*") if target not in path.parents} == before
    assert caught.value.hint
    return caught.value.headline


def test_the_same_files_give_the_same_bytes(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    archives = []
    for root, names in ((first, sorted(FILES)), (second, sorted(FILES, reverse=True))):
        root.mkdir()
        archive = packed(root, {name: FILES[name] for name in names})
        archives.append(archive.rename(root / f"{root.name}.tar.gz").read_bytes())
    assert archives[0] == archives[1]
    # Seconds may pass between two packings: the header must hold no time.
    assert archives[0][4:8] == bytes(4)


def test_what_is_packed_comes_back(tmp_path: Path) -> None:
    archive, target = packed(tmp_path), tmp_path / "target"
    target.mkdir()
    manifest = unpack(archive, target)
    assert contents(target) == contents(tmp_path / "packed")
    assert manifest["seed"] == 42
    assert manifest["format_version"] == FORMAT
    assert manifest["files"] == {
        name: hashlib.sha256(data).hexdigest() for name, data in FILES.items()
    }
    with tarfile.open(archive) as opened:
        assert {(info.uid, info.uname, info.mtime) for info in opened} == {(0, "", 0)}


CODE = {"code/inference.py": b"import basketwise", "code/requirements.txt": b"numpy==2.0"}


def with_code(root: Path) -> Path:
    """An archive of a folder that has code in it."""
    folder = root / "packed"
    (folder / "code").mkdir(parents=True)
    for name, data in {**FILES, **CODE}.items():
        (folder / name).write_bytes(data)
    write_manifest(folder, {"seed": 42})
    pack(folder, root / ARCHIVE)
    return root / ARCHIVE


def test_the_folder_code_is_packed_checked_and_comes_back(tmp_path: Path) -> None:
    archive, target = with_code(tmp_path), tmp_path / "target"
    target.mkdir()
    manifest = unpack(archive, target)
    assert manifest["files"].keys() == FILES.keys() | CODE.keys()
    assert {path.name: path.read_bytes() for path in (target / "code").iterdir()} == {
        name.removeprefix("code/"): data for name, data in CODE.items()
    }
    with tarfile.open(archive) as opened:
        assert all(info.isfile() for info in opened)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"code/inference.py": b"import evil"}, "'code/inference.py' is not what the manifest"),
        ({"code/inference.py": None}, "'code/inference.py' is not what the manifest"),
        ({"code/more.py": b"x"}, "'code/more.py', which its manifest does not name"),
    ],
)
def test_changed_code_in_an_archive_is_refused(
    tmp_path: Path, changes: dict[str, bytes | None], message: str
) -> None:
    held = {**FILES, **CODE, **changes}
    members = [member(name, data) for name, data in held.items() if data is not None]
    archive = tar(tmp_path / ARCHIVE, [*members, manifest_for({**FILES, **CODE})])
    assert message in refuse(archive, tmp_path)


def test_code_in_a_folder_is_not_looked_at(tmp_path: Path) -> None:
    """AWS's image writes there, or takes it away, before the model is loaded."""
    with_code(tmp_path)
    folder = tmp_path / "packed"
    (folder / "code" / "setup.py").write_text("x")
    (folder / "code" / "inference.py").write_text("import evil")
    assert check(folder, "model")["seed"] == 42
    (folder / "code").rename(tmp_path / "elsewhere")
    assert check(folder, "model")["seed"] == 42
    (folder / "metadata.json").write_text("{}")
    with pytest.raises(InputError, match=r"'metadata\.json' is not what the manifest says"):
        check(folder, "model")


def test_what_sagemaker_packs_is_extracted(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.mkdir()
    target.mkdir()
    for name, data in FILES.items():
        (source / name).write_bytes(data)
    with tarfile.open(tmp_path / ARCHIVE, "w:gz") as archive:
        archive.add(source, ".")
    with pytest.raises(InputError, match="not a plain file"):
        extract(tmp_path / ARCHIVE, target)
    extract(tmp_path / ARCHIVE, target, dotted=True)
    assert contents(target) == FILES


@pytest.mark.parametrize("name", ["./../escaped", ".//escaped", "././file", "./.hidden", "./"])
def test_dots_lead_nowhere_else(tmp_path: Path, name: str) -> None:
    archive, target = tar(tmp_path / ARCHIVE, [member(name, b"x")]), tmp_path / "target"
    target.mkdir()
    with pytest.raises(InputError):
        extract(archive, target, dotted=True)
    assert list(target.iterdir()) == []
    assert not (tmp_path / "escaped").exists()


@pytest.mark.parametrize(
    "bad",
    [
        member("../escaped.txt", b"x"),
        member("/escaped.txt", b"x"),
        member("sub/file.txt", b"x"),
        member("code/sub/file.txt", b"x"),
        member("code/../escaped.txt", b"x"),
        member("code/..", b"x"),
        member("code/", b"x"),
        member("code/.hidden", b"x"),
        member("code/link", type=tarfile.SYMTYPE, linkname="../../../outside.txt"),
        member("code", type=tarfile.SYMTYPE, linkname="../../"),
        member("code", type=tarfile.DIRTYPE),
        member("code", b"x"),
        member("./file.txt", b"x"),
        member("..", b"x"),
        member(".hidden", b"x"),
        member("sub", type=tarfile.DIRTYPE),
        member("link", type=tarfile.SYMTYPE, linkname="../../outside.txt"),
        member("link", type=tarfile.SYMTYPE, linkname="metadata.json"),
        member("hard", type=tarfile.LNKTYPE, linkname="metadata.json"),
        member("null", type=tarfile.CHRTYPE, devmajor=1, devminor=3),
        member("disk", type=tarfile.BLKTYPE, devmajor=8),
        member("pipe", type=tarfile.FIFOTYPE),
    ],
    ids=lambda bad: f"{bad[0].name}-{bad[0].type.decode()}",
)
def test_only_plain_files_of_its_own_folder_are_extracted(tmp_path: Path, bad: Member) -> None:
    (tmp_path / "outside.txt").write_text("untouched")
    good = [member(name, data) for name, data in FILES.items()]
    archive = tar(tmp_path / ARCHIVE, [*good, bad, manifest_for(FILES)])
    assert f"{bad[0].name!r}, which is not a plain file" in refuse(archive, tmp_path)
    assert (tmp_path / "outside.txt").read_text() == "untouched"


def test_too_many_files_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = packed(tmp_path)
    monkeypatch.setattr(tarball, "MAX_FILES", 2)
    assert "more than 2 files" in refuse(archive, tmp_path)


def test_too_many_bytes_are_refused_before_any_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = tar(tmp_path / ARCHIVE, [member("zeros", bytes(2_000_000))])
    assert archive.stat().st_size < 5_000
    monkeypatch.setattr(tarball, "MAX_BYTES", 1_000_000)
    assert "1,000,000 bytes" in refuse(archive, tmp_path)
    assert list((tmp_path / "deep" / "target").iterdir()) == []


def test_an_archive_at_the_limits_is_accepted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive, target = packed(tmp_path), tmp_path / "target"
    target.mkdir()
    held = contents(tmp_path / "packed")
    monkeypatch.setattr(tarball, "MAX_FILES", len(held))
    monkeypatch.setattr(tarball, "MAX_BYTES", sum(map(len, held.values())))
    unpack(archive, target)


@pytest.mark.parametrize("kept", [0, 5, 20, 200, -200, -20, -8, -1])
def test_a_truncated_archive_is_refused(tmp_path: Path, kept: int) -> None:
    archive = packed(tmp_path)
    archive.write_bytes(archive.read_bytes()[:kept])
    refuse(archive, tmp_path)


def test_a_damaged_archive_is_refused_whichever_byte_it_is(tmp_path: Path) -> None:
    noise = np.random.default_rng(1).bytes(3_000)
    archive = packed(tmp_path, {**FILES, "noise": noise})
    sound = archive.read_bytes()
    for position in range(10, len(sound), 61):
        damaged = bytearray(sound)
        damaged[position] ^= 0x55
        archive.write_bytes(damaged)
        target = tmp_path / f"target-{position}"
        target.mkdir()
        with pytest.raises(InputError):
            unpack(archive, target)


@pytest.mark.parametrize(
    "data", [b"", b"PK\x03\x04 no tar", gzip.compress(b"no tar" * 200, mtime=0)]
)
def test_what_is_no_archive_is_refused(tmp_path: Path, data: bytes) -> None:
    archive = tmp_path / ARCHIVE
    archive.write_bytes(data)
    refuse(archive, tmp_path)


def test_an_absent_archive_is_refused(tmp_path: Path) -> None:
    assert "cannot be opened" in refuse(tmp_path / "absent.tar.gz", tmp_path)


@pytest.mark.parametrize(
    "document",
    [
        None,
        b"",
        b"{",
        b"[]",
        b"{}",
        b'{"files": {}}',
        b'{"format_version": 1}',
        b'{"format_version": "new", "files": {}}',
        b'{"format_version": 1, "files": 3}',
        b"\xff\xfe",
    ],
)
def test_an_archive_without_a_readable_manifest_is_refused(
    tmp_path: Path, document: bytes | None
) -> None:
    members = [member(name, data) for name, data in FILES.items()]
    if document is not None:
        members.append(member(MANIFEST, document))
    assert "no readable manifest.json" in refuse(tar(tmp_path / ARCHIVE, members), tmp_path)


def test_a_newer_format_is_refused_by_its_number(tmp_path: Path) -> None:
    members = [member(name, data) for name, data in FILES.items()]
    archive = tar(tmp_path / ARCHIVE, [*members, manifest_for(FILES, FORMAT + 1)])
    headline = refuse(archive, tmp_path)
    assert f"has format {FORMAT + 1}" in headline
    assert f"up to {FORMAT}" in headline


def test_a_changed_file_is_refused(tmp_path: Path) -> None:
    changed = {**FILES, "metadata.json": b'{"a": 2}'}
    members = [member(name, data) for name, data in changed.items()]
    headline = refuse(tar(tmp_path / ARCHIVE, [*members, manifest_for(FILES)]), tmp_path)
    assert "'metadata.json' is not what the manifest says" in headline


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    members = [member("metadata.json", FILES["metadata.json"]), manifest_for(FILES)]
    headline = refuse(tar(tmp_path / ARCHIVE, members), tmp_path)
    assert "'model.skops' is not what the manifest says" in headline


def test_a_file_that_the_manifest_does_not_name_is_refused(tmp_path: Path) -> None:
    members = [member(name, data) for name, data in {**FILES, "more.py": b"x"}.items()]
    headline = refuse(tar(tmp_path / ARCHIVE, [*members, manifest_for(FILES)]), tmp_path)
    assert "'more.py', which its manifest does not name" in headline


def test_a_second_copy_of_a_file_is_refused(tmp_path: Path) -> None:
    members = [member(name, data) for name, data in FILES.items()]
    again = member("metadata.json", b"another")
    headline = refuse(tar(tmp_path / ARCHIVE, [*members, again, manifest_for(FILES)]), tmp_path)
    assert "it contains 'metadata.json' twice" in headline


def test_a_manifest_cannot_name_files_elsewhere(tmp_path: Path) -> None:
    secret = {"../outside.txt": b"secret"}
    (tmp_path / "outside.txt").write_bytes(b"secret")
    refuse(tar(tmp_path / ARCHIVE, [manifest_for(secret)]), tmp_path)


def test_a_folder_is_checked_like_an_archive_but_for_hidden_files(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "model")
    (folder / ".directory").write_text("left by a file browser")
    assert check(folder, "model")["seed"] == 42
    (folder / "extra").write_text("x")
    with pytest.raises(InputError, match="'extra', which its manifest does not name"):
        check(folder, "model")


def test_one_json_file_is_read_without_extracting(tmp_path: Path) -> None:
    assert read_json(packed(tmp_path), "metadata.json") == {"a": 1}


@pytest.mark.parametrize(
    ("name", "data"),
    [("absent.json", b"{}"), ("results.json", b"{"), ("results.json", b"3"), ("results.json", b"")],
)
def test_json_that_cannot_be_read_is_refused(tmp_path: Path, name: str, data: bytes) -> None:
    archive = packed(tmp_path, {**FILES, "results.json": data})
    with pytest.raises(InputError, match=f"contains no readable {name}"):
        read_json(archive, name)


def test_json_of_a_broken_archive_is_refused(tmp_path: Path) -> None:
    archive = packed(tmp_path)
    archive.write_bytes(archive.read_bytes()[:60])
    with pytest.raises(InputError, match="contains no readable"):
        read_json(archive, "metadata.json")


def test_a_full_disk_is_not_the_archives_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive, folder = packed(tmp_path), tmp_path / "out"
    folder.mkdir()

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("basketwise.artifact.archive._extract", full)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "elsewhere"))
    with pytest.raises(WorkspaceError, match="No room left on the disk of the folder") as caught:
        extract(archive, folder)
    assert str(folder) in caught.value.headline
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with pytest.raises(WorkspaceError, match="of the temporary folder") as caught:
        load_model_archive(archive)
    assert str(tmp_path) in caught.value.headline
    assert "TMPDIR" in caught.value.hint


def test_a_disk_that_fills_up_while_a_model_is_tried_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise ValueError("it cannot be written") from OSError(errno.ENOSPC, "No space left")

    monkeypatch.setattr("basketwise.model.archive._opened", full)
    with pytest.raises(WorkspaceError, match="No room left"):
        load_model_archive(tmp_path)
