"""Another user's workspace: it is read if it may be, and nothing is written to it."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from basketwise.locking import locked
from basketwise.scratch import DAY, sweep
from tests.cli.calling import Outcome, call
from tests.hostile.filesystem.users import another_user, needs_root
from tests.hostile.registry.shop import LINES, Shop
from tests.hostile.scale import tried

pytestmark = needs_root

READING: tuple[tuple[str, ...], ...] = (
    ("models", "list"),
    ("models", "show", "1"),
    ("models", "history"),
    ("predict", "LINES", "--out", "OUT"),
)
WRITING: tuple[tuple[str, ...], ...] = (
    ("run", "LINES"),
    ("etl", "LINES"),
    ("train",),
    ("evaluate",),
    ("register",),
    ("export",),
    ("clean", "--yes"),
    ("clean", "--dry-run"),
    ("models", "approve", "1"),
    ("models", "reject", "3"),
    ("models", "rollback"),
)[:: tried(4, 1)]
DOCTOR = ("doctor",)


class Other:
    """A workspace of this user, and what another one gets who uses it."""

    def __init__(self, root: Path, template: Shop) -> None:
        self.shop = template.copied(root / "w")
        (self.shop.folder / ".lock").touch()
        self.lines = Path(shutil.copy(LINES, root / LINES.name))
        self.temporary = root / "tmp"
        self.temporary.mkdir()
        for path in (root, *root.rglob("*")):
            path.chmod(0o755 if path.is_dir() else 0o644)
        self.temporary.chmod(0o777)

    def call(self, *words: str) -> Outcome:
        given = {"LINES": str(self.lines), "OUT": str(self.temporary / "scores.csv")}
        arguments = [given.get(word, word) for word in words]
        # Once as this user, whose modules may be readable for nobody else.
        with locked(self.shop.folder / ".lock"):
            self.shop.call(*arguments)
        self.clean()
        with another_user():
            return self.shop.call(*arguments)

    def clean(self) -> None:
        for path in self.temporary.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()

    @property
    def files(self) -> dict[str, tuple[int, int, int]]:
        statuses = {str(path): path.stat() for path in self.shop.folder.rglob("*")}
        return {name: (s.st_size, s.st_mtime_ns, s.st_mode) for name, s in statuses.items()}


@pytest.fixture
def root() -> Iterator[Path]:
    """A folder that all users may enter, as they may not enter that of pytest."""
    folder = Path(tempfile.mkdtemp(prefix="hostile-", dir="/tmp"))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def other(root: Path, template: Shop, monkeypatch: pytest.MonkeyPatch) -> Other:
    other = Other(root, template)
    monkeypatch.setattr(tempfile, "tempdir", str(other.temporary))
    monkeypatch.chdir(other.temporary)
    return other


@pytest.mark.parametrize("words", READING, ids=" ".join)
@pytest.mark.parametrize("pending", [False, True], ids=["settled", "pending"])
def test_what_may_be_read_is_read(other: Other, words: tuple[str, ...], pending: bool) -> None:
    if pending:
        (other.shop.folder / ".pending-export").write_bytes(b"{}\n")
    before = other.files
    outcome = other.call(*words)
    assert outcome.code == 0, outcome
    assert other.files == before


@pytest.mark.parametrize("words", [*WRITING, DOCTOR], ids=" ".join)
def test_nothing_is_written(other: Other, words: tuple[str, ...]) -> None:
    before = other.files
    outcome = other.call(*words)
    refused(other, outcome)
    assert other.files == before
    assert [path.name for path in other.temporary.iterdir()] == []


@pytest.mark.parametrize("words", [*READING, *WRITING, DOCTOR], ids=" ".join)
def test_a_folder_that_may_not_be_entered(other: Other, words: tuple[str, ...]) -> None:
    other.shop.folder.chmod(0o700)
    refused(other, other.call(*words))


@pytest.mark.parametrize("words", [*READING, *WRITING, DOCTOR], ids=" ".join)
@pytest.mark.parametrize("kind", ["files", "folders"][: tried(1, 2)])
def test_contents_that_may_not_be_read(other: Other, words: tuple[str, ...], kind: str) -> None:
    for path in other.shop.folder.rglob("*"):
        if path.is_dir() == (kind == "folders"):
            path.chmod(0o700)
    refused(other, other.call(*words))


@pytest.mark.parametrize("words", WRITING, ids=" ".join)
def test_a_workspace_that_is_open_to_all_but_for_what_is_in_it(
    other: Other, words: tuple[str, ...]
) -> None:
    other.shop.folder.chmod(0o777)
    before = other.files
    refused(other, other.call(*words))
    assert other.files == before


def refused(other: Other, outcome: Outcome) -> None:
    assert outcome.code == 2, outcome
    said = outcome.err + outcome.out
    assert str(other.shop.folder) in said
    assert "ermission" in said or "right to read" in said
    assert "bug" not in said


def test_raw_files_and_outputs_of_another_user(other: Other) -> None:
    words = ("predict", "LINES", "--out", str(other.shop.folder / "scores.csv"))
    outcome = other.call(*words)
    assert outcome.code == 2, outcome
    assert "scores.csv" in outcome.err
    other.lines.chmod(0o600)
    outcome = other.call("predict", "LINES", "--out", "OUT")
    assert outcome.code == 2, outcome
    assert other.lines.name in outcome.err
    assert call("etl", other.lines, "--workspace", other.temporary / "w").code in (0, 2)


@pytest.mark.parametrize("mine", [False, True])
def test_temporary_folders_of_another_user_stay(other: Other, mine: bool) -> None:
    folder = other.temporary / "basketwise-leftover"
    folder.mkdir()
    os.utime(folder, (0, folder.stat().st_mtime - 2 * DAY))
    if mine:
        os.chown(folder, 4711, 4711)
        assert sweep(other.temporary) == []
    else:
        with another_user():
            assert sweep(other.temporary) == []
    assert folder.is_dir()
