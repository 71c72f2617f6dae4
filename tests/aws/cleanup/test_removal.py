"""Left-overs in a real bucket and in SageMaker's double: found, looked at again, removed."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from basketwise.aws.account import policies
from basketwise.aws.account.template import shipped
from basketwise.aws.cleanup import removal
from basketwise.aws.cleanup.removal import Target, clean, open_target, removable
from basketwise.aws.registry.registry import FOLDER
from basketwise.cleanup.leftovers import Cleaned, Leftover
from basketwise.config import AwsConfig, Config
from basketwise.digests import sha256
from basketwise.errors import DependencyError, WorkspaceError
from basketwise.registry import opening
from basketwise.registry.protocol import ApprovalState, Submission
from tests.aws.calls import CALLS, RUNNING
from tests.aws.iam_rules import allows
from tests.aws.leftover_scene import MODEL, Scene, running_scene
from tests.aws.recording import Recorder
from tests.fakes.registry import MemoryRegistry
from tests.seaweed import S3Server

PENDING, APPROVED, REJECTED = ApprovalState.PENDING, ApprovalState.APPROVED, ApprovalState.REJECTED
GOOD, BAD, NEW, FORGOTTEN = (f"run-2026020{day}-120005" for day in range(1, 5))
MONTH = timedelta(days=30)
ARCHIVE = f"artifacts/registered-{BAD}/{hashlib.sha256(MODEL).hexdigest()[:12]}/model.tar.gz"


@pytest.fixture
def scene(s3_server: S3Server, tmp_path: Path) -> Iterator[Scene]:
    with running_scene(s3_server, tmp_path) as running:
        yield running


@pytest.fixture
def target(scene: Scene) -> Target:
    return open_target(scene.cloud.names, Config())


def later(days: float = 40) -> datetime:
    """Return a moment for which everything that was just written is old."""
    return datetime.now(UTC) + timedelta(days=days)


def removable_names(target: Target, days: float = 40) -> list[str]:
    return [item.name for item in removable(target, later(days), MONTH)]


def cleaned(target: Target, agreed: list[Leftover] | None = None) -> Cleaned:
    now = later()
    agreed = removable(target, now, MONTH) if agreed is None else agreed
    return clean(target, agreed, now, MONTH, lambda _: None)


def test_leftovers_are_removed_and_the_rest_is_kept(scene: Scene, target: Target) -> None:
    for run in (GOOD, BAD, NEW, FORGOTTEN):
        scene.run(run)
    for run, state in ((GOOD, APPROVED), (BAD, REJECTED), (NEW, PENDING)):
        scene.register(run, state)
    scene.put("raw/w.csv", "silver/x", "gold/x", "code/x", "deployment-configs/x", "registry/x")
    scene.put("artifacts/notes.txt", "artifacts/theirs/model.tar.gz", f"checkpointsx/{BAD}/x")
    before = set(scene.cloud.keys())
    result = cleaned(target)
    gone = {
        *(f"artifacts/{run}/{name}" for run in (BAD, FORGOTTEN) for name in ("manifest.json",)),
        *(f"artifacts/{run}/report.html" for run in (BAD, FORGOTTEN)),
        ARCHIVE,
        *(
            f"artifacts/retail-prediction-training-{run}/output/model.tar.gz"
            for run in (BAD, FORGOTTEN)
        ),
        *(f"checkpoints/{run}/fold-1.json" for run in (GOOD, BAD, NEW, FORGOTTEN)),
    }
    assert before - set(scene.cloud.keys()) == gone
    assert result.skipped == ()
    assert sum(item.size for item in result.removed) == 10 * (len(gone) - 1) + len(b"a model")
    assert removable_names(target) == []


def test_nothing_is_old_yet(scene: Scene, target: Target) -> None:
    scene.run(FORGOTTEN)
    scene.model("retail-a")
    assert removable_names(target, days=29) == []
    assert len(removable_names(target, days=31)) == 4


def test_history_remains_readable_without_the_artifacts(
    scene: Scene, target: Target, tmp_path: Path
) -> None:
    scene.run(BAD)
    version = scene.register(BAD, REJECTED)
    before = scene.registry.history(), scene.registry.versions()
    assert removable_names(target)
    cleaned(target)
    assert (scene.registry.history(), scene.registry.versions()) == before
    assert scene.registry.get(version).state is REJECTED
    with pytest.raises(DependencyError, match=rf"{re.escape(ARCHIVE)} no longer exists"):
        scene.registry.fetch(version, tmp_path / "fetched")


def test_a_version_registered_by_a_pipeline_remains_readable(scene: Scene, target: Target) -> None:
    scene.register(GOOD, APPROVED)
    for run, state in (("scheduled-0a1b", REJECTED), ("scheduled-2c3d", APPROVED)):
        scene.put(f"artifacts/{run}/manifest.json")
        scene.register_by_pipeline(run, state)
    before = scene.registry.versions()
    assert [item.run_id for item in before] == ["", "", GOOD]
    cleaned(target)
    assert scene.cloud.keys("artifacts/scheduled-") == [
        "artifacts/scheduled-0a1b/evaluation.json",
        "artifacts/scheduled-2c3d/evaluation.json",
        "artifacts/scheduled-2c3d/manifest.json",
        "artifacts/scheduled-2c3d/model.tar.gz",
    ]
    assert scene.registry.versions() == before
    assert removable_names(target) == []


@pytest.mark.parametrize("state", [APPROVED, PENDING])
def test_a_version_that_was_changed_meanwhile_is_kept(
    scene: Scene, target: Target, state: ApprovalState
) -> None:
    scene.run(BAD)
    scene.put(f"artifacts/{FORGOTTEN}/manifest.json")
    version = scene.register(BAD, REJECTED)
    listed = removable(target, later(), MONTH)
    scene.registry.set_state(version, state, who="ann", why="a second look")
    keys = scene.cloud.keys(f"artifacts/{BAD}")
    result = cleaned(target, listed)
    assert sorted(item.name for item in result.skipped) == [
        f"artifacts/registered-{BAD}",
        f"artifacts/retail-prediction-training-{BAD}",
        f"artifacts/{BAD}",
    ]
    assert scene.cloud.keys(f"artifacts/{BAD}") == keys
    assert scene.cloud.keys(f"artifacts/{FORGOTTEN}") == []
    scene.registry.fetch(version, scene.folder / "fetched")


def test_a_version_deleted_in_the_console_keeps_its_archive_unless_it_was_rejected(
    scene: Scene, target: Target
) -> None:
    for run, state in ((GOOD, APPROVED), (BAD, REJECTED)):
        scene.run(run)
        version = scene.register(run, state)
        scene.cloud.registry.delete_in_console(scene.cloud.names.group, version)
    names = removable_names(target)
    assert f"artifacts/registered-{BAD}" in names
    assert not [name for name in names if GOOD in name and name.startswith("artifacts/")]
    scene.cloud.registry.delete_group_in_console(scene.cloud.names.group)
    assert removable_names(open_target(scene.cloud.names, Config())) == names


@pytest.mark.parametrize("state", [APPROVED, REJECTED])
def test_a_run_of_another_workspace_does_not_stand_for_one_here(
    scene: Scene, target: Target, state: ApprovalState
) -> None:
    scene.register(BAD, state)
    package = scene.cloud.registry.packages[scene.cloud.names.group][0]
    package["CustomerMetadataProperties"]["workspace"] = "s3://theirs/w"
    archive = package["InferenceSpecification"]["Containers"][0]
    archive["ModelDataUrl"] = f"s3://theirs/w/artifacts/registered-{BAD}/0/model.tar.gz"
    scene.cloud.s3.delete_object(
        Bucket=scene.cloud.names.bucket,
        Key=scene.cloud.names.key(FOLDER, scene.cloud.names.group, "index.json"),
    )
    scene.run(BAD)
    reasons = {item.name: item.why for item in removable(target, later(), MONTH)}
    assert reasons[f"artifacts/{BAD}"] == "its run never became a version"


def test_runs_of_another_group_in_the_workspace_are_kept(scene: Scene, target: Target) -> None:
    scene.run(BAD)
    other = open_target(replace(scene.cloud.names, group="others"), Config())
    assert f"artifacts/{BAD}" in removable_names(target)
    version = scene.register(BAD, REJECTED)
    assert version == "1"
    assert f"artifacts/{BAD}" in removable_names(target)
    assert f"artifacts/{BAD}" not in removable_names(other)


def test_what_was_not_agreed_to_is_kept(scene: Scene, target: Target) -> None:
    scene.put(f"artifacts/{BAD}/manifest.json")
    listed = removable(target, later(), MONTH)
    scene.put(f"artifacts/{FORGOTTEN}/manifest.json")
    cleaned(target, listed)
    assert scene.cloud.keys("artifacts") == [f"artifacts/{FORGOTTEN}/manifest.json"]


def test_a_running_run_is_refused(scene: Scene, target: Target) -> None:
    scene.put(f"artifacts/{FORGOTTEN}/manifest.json")
    listed = removable(target, later(), MONTH)
    with target.storage.exclusive(), pytest.raises(WorkspaceError, match="Another run"):
        cleaned(open_target(scene.cloud.names, Config()), listed)
    assert scene.cloud.keys("artifacts") != []


@pytest.mark.parametrize(
    ("status", "expected"),
    [("InProgress", False), ("Stopping", False), ("Failed", True), ("Stopped", True)],
)
def test_files_of_a_running_job_are_kept(
    scene: Scene, target: Target, status: str, expected: bool
) -> None:
    scene.run(FORGOTTEN)
    scene.put(f"checkpoints/{NEW}/fold-1.json")
    for run in (FORGOTTEN, NEW):
        scene.job(run, status)
    assert bool(removable_names(target)) is expected
    assert (f"checkpoints/{NEW}" in removable_names(target)) is expected


def test_a_running_second_attempt_keeps_them_too(scene: Scene, target: Target) -> None:
    scene.run(FORGOTTEN)
    scene.job(FORGOTTEN, "Failed")
    assert removable_names(target)
    scene.job(f"{FORGOTTEN}-2", "InProgress")
    assert removable_names(target) == []


def test_models_and_configurations_are_removed_unless_served(scene: Scene, target: Target) -> None:
    for name in ("a", "b", "c"):
        scene.model(f"retail-{name}")
    scene.model("retail-not-ours", tagged=False)
    scene.model("theirs")
    scene.config("retail-old", "retail-a")
    scene.config("retail-live", "retail-b")
    scene.config("others", "retail-c", tagged=False)
    scene.endpoint("shop", "retail-live")
    result = cleaned(target)
    assert [(item.kind, item.name) for item in result.removed] == [
        ("endpoint config", "retail-old"),
        ("model", "retail-a"),
    ]
    assert scene.resources.names("Model") == ["retail-b", "retail-c", "retail-not-ours", "theirs"]
    assert scene.resources.names("EndpointConfig") == ["others", "retail-live"]


def test_a_configuration_that_an_endpoint_uses_meanwhile_is_kept(
    scene: Scene, target: Target
) -> None:
    scene.model("retail-a")
    scene.config("retail-c", "retail-a")
    listed = removable(target, later(), MONTH)
    scene.endpoint("shop", "retail-c")
    assert cleaned(target, listed).removed == ()
    assert scene.resources.names("EndpointConfig") == ["retail-c"]


def test_a_rejected_archive_that_is_still_served_is_kept(scene: Scene, target: Target) -> None:
    scene.put(f"artifacts/{BAD}/manifest.json")
    scene.register(BAD, REJECTED)
    scene.model("theirs", BAD, tagged=False)
    assert removable_names(target) == [f"artifacts/registered-{BAD}", f"artifacts/{BAD}"]
    scene.config("theirs", "theirs", tagged=False)
    scene.endpoint("theirs", "theirs")
    assert removable_names(target) == []


def test_what_the_latest_deployment_configuration_names_is_kept(
    scene: Scene, target: Target
) -> None:
    scene.put(f"artifacts/{BAD}/manifest.json")
    version = scene.register(BAD, APPROVED)
    url = scene.registry.get(version).model_data_url
    document = json.dumps({"model_info": {"model_data_url": url}}).encode()
    scene.cloud.registry.set_in_console(scene.cloud.names.group, version, "Rejected", "no")
    assert removable_names(target) == [f"artifacts/registered-{BAD}", f"artifacts/{BAD}"]
    scene.put("deployment-configs/latest_model_config.json", body=document)
    assert removable_names(target) == []
    scene.put("deployment-configs/latest_model_config.json", body=b"{}")
    with pytest.raises(DependencyError, match=r"latest_model_config\.json cannot be read"):
        removable_names(target)


def test_runs_of_another_group_are_kept(scene: Scene, target: Target) -> None:
    scene.put(f"artifacts/{BAD}/manifest.json")
    scene.register(BAD, REJECTED)
    other = Config(registry=Config().registry.model_copy(update={"group": "others"}))
    names = replace(scene.cloud.names, group="others")
    assert removable_names(open_target(names, other)) == []
    assert removable_names(target) == [f"artifacts/registered-{BAD}", f"artifacts/{BAD}"]


def test_a_run_registered_on_an_mlflow_server_is_kept(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene.run(GOOD)
    scene.run(BAD)
    version = scene.register(BAD, REJECTED)
    archive = scene.folder / "model.tar.gz"
    server = MemoryRegistry()
    server.register(Submission(GOOD, archive, sha256(archive), "", {}, {}), who="ann")
    opened = opening.open_registry
    monkeypatch.setattr(
        removal,
        "open_registry",
        lambda config, *more: server if config.uri == "http://team" else opened(config, *more),
    )
    settings = Config().registry.model_copy(update={"uri": "http://team"})
    target = open_target(scene.cloud.names, Config(registry=settings))
    assert f"artifacts/{BAD}" in removable_names(target)
    assert f"artifacts/{GOOD}" not in removable_names(target)
    # What a pipeline registered is in SageMaker all the same.
    scene.registry.set_state(version, APPROVED, who="ann", why="good")
    assert f"artifacts/{BAD}" not in removable_names(target)


def test_old_data_of_pipelines_are_removed_with_their_checkpoints(
    scene: Scene, target: Target
) -> None:
    for data in ("a", "b", "c"):
        scene.put(
            f"pipelines/{data}/silver/shop_week=200601/0.parquet",
            f"pipelines/{data}/gold/metadata.json",
            f"pipelines/{data}/notes.txt",
            f"checkpoints/{data}/fold-1.json",
        )
    cleaned(target)
    assert {key.split("/")[1] for key in scene.cloud.keys("checkpoints")} == {"b", "c"}
    assert scene.cloud.keys("pipelines/a") == ["pipelines/a/notes.txt"]
    assert len(scene.cloud.keys("pipelines")) == 7


@pytest.mark.parametrize(
    "operation",
    ["ListModelPackages", "DescribeModelPackage", "ListTrainingJobs", "DescribeEndpoint"],
)
def test_unreadable_items_are_kept(scene: Scene, target: Target, operation: str) -> None:
    scene.run(BAD)
    scene.register(BAD, REJECTED)
    # Not in the index, so that it has to be described.
    scene.register_by_pipeline(GOOD, REJECTED)
    scene.model("retail-a")
    scene.config("retail-c", "retail-a")
    scene.endpoint("shop", "retail-c")
    listed = removable(target, later(), MONTH)
    before = scene.cloud.keys("artifacts")
    scene.cloud.service.denied.add(operation)
    with pytest.raises(DependencyError, match="not authorized"):
        cleaned(target, listed)
    assert scene.cloud.keys("artifacts") == before


def test_a_damaged_change_of_a_version_stops_everything(scene: Scene, target: Target) -> None:
    scene.run(BAD)
    scene.register(BAD, REJECTED)
    (change,) = scene.cloud.keys(f"{FOLDER}/{scene.cloud.names.group}/changes")
    scene.put(change, body=b"{}")
    with pytest.raises(DependencyError, match="cannot be read"):
        removable_names(target)


def test_names_too_long_for_jobs_are_not_described(scene: Scene, target: Target) -> None:
    run = f"scheduled-{'0a1b2c3d-' * 4}ffff"
    scene.put(f"artifacts/{run}/manifest.json", f"checkpoints/{run}/fold-1.json")
    assert removable_names(target) == [f"artifacts/{run}", f"checkpoints/{run}"]


def test_an_interrupted_cleanup_continues(scene: Scene, target: Target) -> None:
    scene.put(f"artifacts/{FORGOTTEN}/manifest.json")
    scene.model("retail-a")
    told: list[Leftover] = []
    now = later()
    listed = removable(target, now, MONTH)
    scene.cloud.service.denied.add("DeleteModel")
    with pytest.raises(DependencyError, match="remove the model retail-a"):
        clean(target, listed, now, MONTH, told.append)
    assert [item.name for item in told] == [f"artifacts/{FORGOTTEN}"]
    scene.cloud.service.denied.clear()
    assert [item.name for item in cleaned(target).removed] == ["retail-a"]


def test_the_run_policy_allows_cleaning(scene: Scene) -> None:
    names = scene.cloud.names
    scene.run(BAD)
    scene.register(BAD, REJECTED)
    scene.job(BAD, "Completed")
    for name in ("a", "b"):
        scene.model(f"retail-{name}")
        scene.config(f"retail-{name}", f"retail-{name}")
    scene.endpoint("shop", "retail-b")
    recorder = Recorder("run", names)
    with recorder.everywhere():
        cleaned(open_target(names, Config(aws=AwsConfig())))
    running = {call.action for call in recorder.calls}
    assert {"s3:DeleteObject", "sagemaker:DeleteModel", "sagemaker:ListTags"} < running
    policy = policies.policy("run", names)
    refused = [
        str(call)
        for call in recorder.calls
        if not allows(policy, call.action, call.resource, call.context)
    ]
    assert not refused
    assert running <= {call.action for call in CALLS if call.origin == RUNNING}


def test_deleted_objects_are_kept_as_long_as_documented() -> None:
    template = shipped()
    declared = template.partition("  OldVersionDays:")[2].partition("\nConditions:")[0]
    assert f"Default: {removal.RESTORABLE_DAYS}\n" in declared
    assert "NoncurrentDays: !Ref OldVersionDays" in template
