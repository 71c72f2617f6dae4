from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from basketwise.errors import DependencyError
from basketwise.model.archive import load_model_archive
from basketwise.model.scoring import Model
from basketwise.registry.protocol import (
    CHAMPION,
    ApprovalState,
    ArchiveError,
    ModelVersion,
    Submission,
)
from basketwise.serving.http import watching
from basketwise.serving.http.served import Current, Served
from basketwise.serving.http.watching import Watcher
from tests.evaluation.running import Evaluated
from tests.fakes.registry import MemoryRegistry

APPROVED, REJECTED = ApprovalState.APPROVED, ApprovalState.REJECTED


class Scene:
    """A registry, a watcher of it, and all that the watcher said."""

    def __init__(self, archive: Path, folder: Path, model: str = CHAMPION, **options: bool) -> None:
        self.registry, self.current = MemoryRegistry(), Current()
        self.archive, self.folder = archive, folder
        self.said: list[str] = []
        self.opened: list[str] = []
        self.watcher = Watcher(
            self.current, self.registry, model, self.open, self.said.append, **options
        )

    def register(self) -> str:
        archive = self.archive
        submission = Submission(
            run_id="run",
            model_archive=archive,
            sha256=hashlib.sha256(archive.read_bytes()).hexdigest(),
            description="",
            metrics={},
            params={},
        )
        return self.registry.register(submission, who="test").version

    def approve(self, version: str | None = None) -> str:
        version = version or self.register()
        self.registry.set_state(version, APPROVED, who="test", why="")
        return version

    def reject(self, version: str) -> None:
        self.registry.set_state(version, REJECTED, who="test", why="")

    def open(self, version: ModelVersion) -> Served:
        self.opened.append(version.version)
        folder = self.folder / f"opened-{len(self.opened)}"
        folder.mkdir()
        model = load_model_archive(self.registry.fetch(version.version, folder))
        return Served(model, version.version, version.sha256, str(version.state))

    def look(self) -> str | None:
        self.watcher.look()
        served = self.current.get()
        return served.version if served else None


@pytest.fixture
def scene(evaluated: Evaluated, tmp_path: Path) -> Scene:
    return Scene(evaluated.archive, tmp_path)


def test_a_new_champion_is_swapped_in_and_a_rollback_too(scene: Scene) -> None:
    assert scene.look() is None
    first = scene.approve()
    assert scene.look() == first
    second = scene.register()
    assert scene.look() == first
    scene.approve(second)
    assert scene.look() == second
    scene.reject(second)
    assert scene.look() == first
    assert scene.opened == [first, second, first]
    assert scene.current.swaps == 3
    assert [line.partition(" (")[0] for line in scene.said] == [
        "Serving version 1",
        "Serving version 2",
        "Serving version 1",
    ]


def test_a_look_that_finds_nothing_new_opens_nothing(scene: Scene) -> None:
    scene.approve()
    for _ in range(3):
        scene.look()
    assert scene.opened == ["1"]


def test_what_is_rejected_is_not_served_even_if_nothing_else_can_be(scene: Scene) -> None:
    first = scene.approve()
    scene.look()
    scene.reject(first)
    assert scene.look() is None
    assert "not served now" in scene.said[-1]


def test_a_changed_archive_is_refused_and_the_one_before_goes_on(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = scene.approve(), scene.register()
    scene.look()
    archive = scene.registry.archives[second]
    scene.registry.archives[second] = b"x" + archive[1:]
    scene.approve(second)
    for _ in range(3):
        assert scene.look() == first
    # It is told, and tried, once.
    assert scene.opened == [first, second]
    assert [line for line in scene.said if "refused" in line] == scene.said[1:]
    assert scene.current.refused == 1
    scene.registry.archives[second] = archive
    assert scene.look() == first
    monkeypatch.setattr(watching, "AGAIN_SECONDS", 0.0)
    assert scene.look() == second


def test_a_rejected_version_does_not_go_on_because_the_next_is_bad(scene: Scene) -> None:
    first, second = scene.approve(), scene.register()
    scene.look()
    scene.registry.archives[second] = b"broken"
    scene.approve(second)
    assert scene.look() == first
    scene.reject(first)
    assert scene.look() is None


def test_a_version_that_is_rejected_while_it_is_opened_is_not_served(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = scene.approve()
    scene.look()
    second = scene.approve()
    whole = scene.open

    def slow(version: ModelVersion) -> Served:
        opened = whole(version)
        scene.reject(second)
        return opened

    monkeypatch.setattr(scene.watcher, "_open", slow)
    assert scene.look() == first


def test_a_registry_that_cannot_be_read_changes_nothing(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = scene.approve()
    scene.look()

    def down() -> Any:
        raise DependencyError("The registry is down.", "")

    with monkeypatch.context() as patched:
        patched.setattr(scene.registry, "champion", down)
        assert [scene.look() for _ in range(3)] == [first] * 3
    assert [line for line in scene.said if "down" in line] == scene.said[1:]


def test_one_version_is_served_while_it_is_approved(evaluated: Evaluated, tmp_path: Path) -> None:
    scene = Scene(evaluated.archive, tmp_path, "1")
    scene.approve()
    scene.approve()
    assert scene.look() == "1"
    scene.reject("1")
    assert scene.look() is None
    scene.approve("1")
    assert scene.look() == "1"


def test_an_unapproved_version_is_served_if_that_is_wanted(
    evaluated: Evaluated, tmp_path: Path
) -> None:
    scene = Scene(evaluated.archive, tmp_path, "1", allow_unapproved=True)
    scene.register()
    assert scene.look() == "1"


def test_a_thread_looks_by_itself(scene: Scene) -> None:
    scene.approve()
    scene.watcher.start(0.01)
    for _ in range(500):
        if scene.current.get():
            break
        scene.watcher._ended.wait(0.01)
    scene.watcher.stop()
    assert scene.current.get() is not None


def test_a_digest_is_part_of_what_is_served(scene: Scene, scorer: Model) -> None:
    first = scene.approve()
    scene.look()
    stored = scene.registry.get(first)
    scene.registry.kept[first] = replace(stored, sha256="0" * 64)
    with pytest.raises(ArchiveError):
        scene.open(scene.registry.get(first))
    assert scene.look() == first
    assert scene.current.refused == 1
