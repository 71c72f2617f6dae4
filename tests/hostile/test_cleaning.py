"""Kills of ``clean`` at any step: what is needed stays, no run is left in halves."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from basketwise.registry.protocol import ApprovalState
from basketwise.run.workspace import ARTIFACTS
from tests.cleanup.scene import RUN_FILES, Scene, named
from tests.hostile.killing import killed
from tests.hostile.scale import tried

REMOVABLE = (named(2), named(3))
CHECKPOINTS = "checkpoints/run-1/a.checkpoint"


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    scene = Scene(tmp_path_factory.mktemp("clean") / "ws")
    for day in (1, 2, 3, 4):
        scene.run(named(day))
    scene.register(named(1), ApprovalState.APPROVED)
    scene.register(named(2), ApprovalState.REJECTED)
    scene.put(CHECKPOINTS, ".staging/silver/step-silver.json")
    return scene


def clean_killed(scene: Scene, step: int) -> bool:
    """Clean up in a process that is killed at a step; False if it ended before."""
    return killed(step, ((os, "unlink"), (os, "rmdir"), (Path, "rename")), scene.clean)


@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
def test_the_next_command_finishes_what_a_kill_cut_off(template: Scene, tmp_path: Path) -> None:
    goes = {f"{ARTIFACTS}/{run}/{file}" for run in REMOVABLE for file in RUN_FILES}
    goes |= {CHECKPOINTS, ".staging/silver/step-silver.json"}
    stays = set(template.files()) - goes
    for step in range(0, 200, tried(9, 1)):
        scene = Scene(tmp_path / str(step))
        shutil.copytree(template.folder, scene.folder)
        killed = clean_killed(scene, step)
        assert stays <= set(scene.files())
        for run in REMOVABLE:
            folder = scene.folder / ARTIFACTS / run
            assert not folder.exists() or {file.name for file in folder.iterdir()} == {*RUN_FILES}
        scene.clean()
        assert set(scene.files()) == stays
        assert [version.version for version in scene.registry().versions()] == ["2", "1"]
        if not killed:
            break
    assert not killed
    assert step > 20
