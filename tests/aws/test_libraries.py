from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from basketwise.artifact.bundle import SERVING, pins
from basketwise.aws.libraries import download, merge_wheels, needed
from basketwise.deploy.library import Library, lock_text
from basketwise.errors import DependencyError
from tests.aws.wheel_index import Index, offered, write_library


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Index]:
    with offered(tmp_path_factory.mktemp("index")) as own:
        yield own


def write_wheel(path: Path, files: dict[str, str]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as wheel:
        for name, text in files.items():
            wheel.writestr(name, text)
    return path


def test_a_library_without_a_wheel_for_the_image_is_named(index: Index, tmp_path: Path) -> None:
    lock = write_library(index.folder, "maconly", "cp312-cp312-macosx_11_0_arm64")
    with pytest.raises(DependencyError, match=r"Python 3\.12 on Linux x86-64: .*maconly") as error:
        download(index.lock + lock, tmp_path)
    assert "slim" in error.value.hint


def test_a_wheel_with_another_hash_is_refused(index: Index, tmp_path: Path) -> None:
    lock = write_library(index.folder, "changed")
    wheel = index.folder / "changed-1-py3-none-any.whl"
    wheel.write_bytes(wheel.read_bytes() + b"\0")
    with pytest.raises(DependencyError, match="cannot be downloaded"):
        download(lock, tmp_path)
    assert not list(tmp_path.glob("*.whl"))


def test_pip_is_asked_for_where_it_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(DependencyError, match="needs pip") as error:
        download("", tmp_path)
    assert "ensurepip" in error.value.hint


@pytest.mark.parametrize("library", list(Library))
def test_it_carries_what_scoring_needs_and_no_server(library: Library) -> None:
    names = {line.partition("==")[0] for line in needed(lock_text(library)).splitlines()}
    names = {name for name in names if name and name[0].isalpha()}
    scoring = {pin.partition("==")[0] for pin in pins((*SERVING, "cloudpickle"))}
    assert {"numpy", "polars", "pydantic"} <= names <= scoring | {"typing-extensions"}


def test_every_library_keeps_its_hashes() -> None:
    lock = needed(lock_text(Library.BOTH))
    starts = [line for line in lock.splitlines() if line[0].isalpha()]
    assert all(line.endswith("\\") for line in starts)
    assert "uvicorn" not in lock
    assert lock.count("--hash=sha256:") > len(starts)


def test_wheels_are_merged_as_an_installer_lays_them_out(tmp_path: Path) -> None:
    first = write_wheel(
        tmp_path / "b-1-py3-none-any.whl",
        {
            "b/__init__.py": "",
            "b/": "",
            "b-1.data/purelib/b/more.py": "more",
            "b-1.data/platlib/b/_fast.so": "fast",
            "b-1.data/scripts/b": "run",
            "b-1.data/data/share/b.txt": "text",
            "b-1.dist-info/METADATA": "Name: b",
        },
    )
    second = write_wheel(tmp_path / "a-1-py3-none-any.whl", {"a.py": "a" * 10_000})
    for number, wheels in enumerate(([first, second], [second, first])):
        merge_wheels(wheels, tmp_path / f"{number}.zip")
    assert (tmp_path / "0.zip").read_bytes() == (tmp_path / "1.zip").read_bytes()
    with zipfile.ZipFile(tmp_path / "0.zip") as merged:
        assert {name: merged.read(name).decode() for name in merged.namelist()} == {
            "a.py": "a" * 10_000,
            "b/__init__.py": "",
            "b/more.py": "more",
            "b/_fast.so": "fast",
            "b-1.dist-info/METADATA": "Name: b",
        }
        # What the archive's own compression would see twice.
        assert {info.compress_type for info in merged.infolist()} == {zipfile.ZIP_STORED}


@pytest.mark.parametrize("cut", [-1, 40])
def test_a_damaged_wheel_is_named(tmp_path: Path, cut: int) -> None:
    whole = write_wheel(tmp_path / "a-1-py3-none-any.whl", {"a.py": "text" * 100}).read_bytes()
    path = tmp_path / "a-1-py3-none-any.whl"
    path.write_bytes(whole[:cut] if cut < 0 else whole[:cut] + b"\0\0\0" + whole[cut + 3 :])
    with pytest.raises(DependencyError, match=r"The wheel a-1-py3-none-any\.whl is damaged"):
        merge_wheels([path], tmp_path / "merged.zip")
