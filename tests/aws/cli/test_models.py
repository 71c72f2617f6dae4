"""``basketwise models`` where others change the group too."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from basketwise.registry.protocol import ApprovalState
from tests.aws.leftover_scene import Scene, running_scene
from tests.cli.calling import call, called
from tests.seaweed import S3Server

PENDING = ApprovalState.PENDING


@pytest.fixture
def scene(s3_server: S3Server, tmp_path: Path) -> Iterator[Scene]:
    with running_scene(s3_server, tmp_path) as running:
        yield running


def test_what_was_decided_in_the_console_is_noted_and_stays(scene: Scene) -> None:
    for run in ("run-a", "run-b"):
        scene.register(run, PENDING)
    workspace = ("--workspace", scene.cloud.workspace)
    group = scene.cloud.names.group
    scene.cloud.registry.set_in_console(group, "1", "Rejected", "too slow")
    line = "version 1  PendingManualApproval → Rejected  by zoe in SageMaker: too slow"
    assert line in called("models", "history", "1", *workspace).out
    assert f"noted     {line}" in called("models", "reject", "2", *workspace).err
    scene.cloud.registry.packages[group][0]["LastModifiedBy"] = {}
    assert line in called("models", "history", *workspace).out
    assert "noted" not in called("models", "reject", "2", *workspace).err
    change = called("models", "history", "1", "--json", *workspace).json["changes"][-1]
    assert (change["who"], change["made_in"]) == ("zoe", "SageMaker")


def test_a_deleted_version_has_a_history_and_nothing_else(scene: Scene) -> None:
    scene.register("run-a", PENDING)
    workspace = ("--workspace", scene.cloud.workspace)
    scene.cloud.registry.delete_in_console(scene.cloud.names.group, "1")
    assert "the model package was deleted" in called("models", "history", "1", *workspace).out
    refused = call("models", "show", "1", *workspace)
    assert refused.code == 2
    assert "was deleted in SageMaker" in refused.err


def test_versions_of_another_workspace_are_listed_with_it(scene: Scene) -> None:
    scene.register("run-a", PENDING)
    theirs = f"{scene.cloud.workspace}-theirs"
    listed = called("models", "list", "--workspace", theirs).out
    assert f"of {scene.cloud.workspace}" in listed
    assert "of s3://" not in called("models", "list", "--workspace", scene.cloud.workspace).out
    document = called("models", "show", "1", "--json", "--workspace", theirs).json
    assert document["workspace"] == scene.cloud.workspace
