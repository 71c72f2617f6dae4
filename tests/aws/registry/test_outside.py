"""What others do to a group: people in SageMaker's console, and other workspaces."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from basketwise.aws.names import names_of
from basketwise.aws.registry import ledger
from basketwise.aws.registry.ledger import Approval
from basketwise.aws.registry.registry import SageMakerRegistry
from basketwise.config import Config, DeploymentConfig
from basketwise.errors import InputError
from basketwise.registry.approval import PENDING_EXPORT, Approvals
from basketwise.registry.protocol import ApprovalState, ArchiveError, Registry
from basketwise.storage.local import LocalStorage
from tests.aws.registry.scene import Setup
from tests.fakes.model_registry import ACCOUNT, REGION
from tests.seaweed import S3Server

PENDING, APPROVED, REJECTED = ApprovalState.PENDING, ApprovalState.APPROVED, ApprovalState.REJECTED
NOON = datetime(2026, 2, 3, 12, tzinfo=UTC)


@pytest.fixture
def other(setup: Setup) -> Setup:
    """Another workspace in the same bucket, with the same group."""
    return in_bucket(setup, setup.names.bucket)


def in_bucket(setup: Setup, bucket: str) -> Setup:
    workspace = f"s3://{bucket}/{setup.names.prefix}-other"
    names = names_of(Config(), account_id=ACCOUNT, region=REGION, workspace=workspace)
    return replace(setup, names=names)


def address(setup: Setup) -> str:
    return setup.names.uri().rstrip("/")


def told(registry: SageMakerRegistry, version: str | None = None) -> list[tuple[Any, ...]]:
    return [(c.version, c.new, c.who, c.made_in) for c in registry.history(version)]


def leader(registry: SageMakerRegistry) -> str | None:
    champion = registry.champion()
    return champion.version if champion else None


# --- people


def test_an_approval_in_the_console_is_stored_with_who_and_when(setup: Setup) -> None:
    registry = setup.open()
    registry.register(setup.submission, who="ann")
    setup.console("1", "Approved", "looks fine")
    (change,) = registry.outside()
    assert (change.who, change.why, change.made_in) == ("zoe", "looks fine", "SageMaker")
    assert change.at == setup.package("1")["LastModifiedTime"]
    before = registry.history()
    registry.sync()
    assert registry.outside() == []
    assert registry.history() == setup.open().history() == before
    # What SageMaker shows later does not change what is stored.
    setup.package("1")["LastModifiedBy"] = {"UserProfileName": "max"}
    assert setup.open().history() == before


def test_whoever_has_no_profile_is_named_by_arn(setup: Setup) -> None:
    registry = setup.open()
    registry.register(setup.submission, who="ann")
    setup.console("1", "Rejected", None)
    role = f"arn:aws:sts::{ACCOUNT}:assumed-role/reviewers/zoe"
    setup.package("1")["LastModifiedBy"] = {"IamIdentity": {"Arn": role}}
    assert told(registry)[-1] == ("1", REJECTED, role, "SageMaker")
    assert f"Rejected by {role} in SageMaker" in registry.get("1").description


def test_a_rejection_in_the_console_lets_the_one_before_lead(setup: Setup) -> None:
    registry = setup.open()
    for version in ("1", "2"):
        registry.register(setup.submission, who="ann")
        registry.set_state(version, APPROVED, who="ann", why="good")
    setup.console("2", "Rejected", "complaints")
    assert leader(registry) == "1"
    registry.sync()
    setup.console("2", "Approved", "sorry")
    assert leader(registry) == "2"
    assert [change.why for change in registry.history("2")][-2:] == ["complaints", "sorry"]


def test_a_deleted_version_is_recorded_and_the_one_before_leads(setup: Setup) -> None:
    registry = setup.open()
    for version in ("1", "2"):
        registry.register(setup.submission, who="ann")
        registry.set_state(version, APPROVED, who="ann", why="good")
    setup.double.delete_in_console(setup.names.group, "2")
    registry = setup.open()
    assert leader(registry) == "1"
    assert [version.version for version in registry.versions()] == ["1"]
    (change,) = registry.outside()
    assert (change.version, change.old, change.new) == ("2", APPROVED, REJECTED)
    assert change.why == "the model package was deleted"
    registry.sync()
    assert registry.outside() == setup.open().outside() == []
    assert told(setup.open(), "2")[-1] == ("2", REJECTED, "somebody", "SageMaker")
    for call in (registry.get, lambda version: registry.fetch(version, Path("nowhere"))):
        with pytest.raises(InputError, match=r"Version 2 .* was deleted") as caught:
            call("2")
        assert "models history 2" in caught.value.hint
    assert [version.state for version in registry.deleted()] == [APPROVED]
    assert registry.register(setup.submission, who="ann").version == "3"


def test_a_version_that_was_never_changed_is_missed_too(setup: Setup) -> None:
    setup.open().register(setup.submission, who="ann")
    setup.double.delete_in_console(setup.names.group, "1")
    assert told(setup.open()) == [
        ("1", PENDING, "ann", ""),
        ("1", REJECTED, "somebody", "SageMaker"),
    ]


def test_without_the_index_changes_tell_of_a_deleted_version(setup: Setup) -> None:
    registry = setup.open()
    registry.register(setup.submission, who="ann")
    registry.set_state("1", APPROVED, who="ann", why="good")
    setup.double.delete_in_console(setup.names.group, "1")
    setup.forget_index()
    assert [change.new for change in setup.open().history("1")] == [PENDING, APPROVED, REJECTED]


def test_a_version_that_is_not_listed_yet_is_not_deleted(
    setup: Setup, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry = setup.open()
    registry.register(setup.submission, who="ann")
    monkeypatch.setattr(
        type(setup.double), "ListModelPackages", lambda *_: {"ModelPackageSummaryList": []}
    )
    assert setup.open().outside() == []
    assert setup.open().get("1").version == "1"


def test_a_version_whose_list_rounds_its_time_is_read_as_described(
    setup: Setup, monkeypatch: pytest.MonkeyPatch
) -> None:
    setup.open().register(setup.submission, who="ann")
    listed = type(setup.double).ListModelPackages

    def rounded(self: Any, sent: dict[str, Any]) -> dict[str, Any]:
        answer = listed(self, sent)
        for item in answer["ModelPackageSummaryList"]:
            item["CreationTime"] += timedelta(seconds=1)
        return answer

    monkeypatch.setattr(type(setup.double), "ListModelPackages", rounded)
    registry = setup.open()
    registry.set_state("1", APPROVED, who="ann", why="good")
    assert told(setup.open()) == [("1", PENDING, "ann", ""), ("1", APPROVED, "ann", "")]


def test_a_group_created_again_has_the_history_of_both(setup: Setup) -> None:
    registry = setup.open()
    registry.register(setup.submission, who="ann")
    setup.package("1")["CreationTime"] -= timedelta(days=1)
    setup.forget_index()
    setup.open().set_state("1", APPROVED, who="ann", why="good")
    setup.double.delete_group_in_console(setup.names.group)
    registry = setup.open()
    assert registry.versions() == []
    registry.register(setup.submission, who="ben")
    assert registry.get("1").state is PENDING
    registry.set_state("1", APPROVED, who="ben", why="better")
    registry.sync()
    changes = setup.open().history("1")
    assert [(c.new, c.who) for c in changes] == [
        (PENDING, "ann"),
        (APPROVED, "ann"),
        (REJECTED, "somebody"),
        (PENDING, "ben"),
        (APPROVED, "ben"),
    ]
    last = {change.version: change.new for change in setup.open().history()}
    assert last == {"1": APPROVED}


# --- another workspace


def test_a_version_of_another_workspace_says_so(setup: Setup, other: Setup) -> None:
    registered = setup.open().register(setup.submission, who="ann")
    assert registered.workspace == ""
    seen = other.open().get("1")
    assert seen.workspace == address(setup)
    assert seen == replace(registered, workspace=address(setup))
    assert told(other.open()) == [("1", PENDING, "ann", address(setup))]


def test_an_approval_of_another_workspace_is_attributed(setup: Setup, other: Setup) -> None:
    setup.open().register(setup.submission, who="ann")
    other.open().set_state("1", APPROVED, who="ben", why="good: better")
    made = other.open().history("1")[-1]
    (change,) = setup.open().outside()
    assert change == replace(made, made_in=address(other), old=PENDING)
    registry = setup.open()
    registry.sync()
    assert registry.history("1")[-1] == change
    registry.set_state("1", REJECTED, who="ann", why="bad")
    assert told(other.open(), "1")[-1] == ("1", REJECTED, "ann", address(setup))
    assert other.open().champion() is None


def test_both_workspaces_know_the_same_champion(setup: Setup, other: Setup) -> None:
    ours, theirs = setup.open(), other.open()
    ours.register(setup.submission, who="ann")
    theirs.register(setup.submission, who="ben")
    ours.set_state("2", APPROVED, who="ann", why="good")
    theirs.set_state("1", APPROVED, who="ben", why="better")
    # Touched later, by somebody who changes nothing that counts.
    setup.package("2")["LastModifiedTime"] = datetime.now(UTC) + timedelta(minutes=1)
    for registry in (setup.open(), other.open()):
        assert leader(registry) == "1"
    theirs.set_state("1", REJECTED, who="ben", why="rolled back: worse")
    for registry in (setup.open(), other.open()):
        assert leader(registry) == "2"


def test_the_archive_of_another_workspace_is_fetched_and_checked(
    setup: Setup, s3_server: S3Server, tmp_path: Path
) -> None:
    other = in_bucket(setup, s3_server.new_bucket())
    setup.open().register(setup.submission, who="ann")
    theirs = other.open()
    assert theirs.get("1").metrics == setup.submission.metrics
    assert theirs.fetch("1", tmp_path / "fetched").read_bytes() == b"a model"


def test_a_closed_bucket_of_another_workspace_is_named(
    setup: Setup, s3_server: S3Server, tmp_path: Path
) -> None:
    other = in_bucket(setup, s3_server.new_bucket())
    setup.open().register(setup.submission, who="ann")

    def denied(params: dict[str, Any], **_: object) -> Any:
        from types import SimpleNamespace

        if f"/{setup.names.bucket}" in params["url"]:
            error = {"Code": "AccessDenied", "Message": "Access Denied"}
            return SimpleNamespace(status_code=403), {"Error": error, "ResponseMetadata": {}}
        return None

    s3 = s3_server.client()
    s3.meta.events.register("before-call.s3", denied)
    theirs = replace(other, s3=s3).open()
    seen = theirs.get("1")
    assert (seen.run_id, seen.sha256) == ("run-7", setup.submission.sha256)
    assert seen.tags["model_name"] == "xgboost"
    with pytest.raises(ArchiveError, match="these credentials may not read"):
        theirs.fetch("1", tmp_path / "fetched")


def test_a_comment_left_by_another_workspace_explains_no_other_status(
    setup: Setup, other: Setup
) -> None:
    setup.open().register(setup.submission, who="ann")
    other.open().set_state("1", APPROVED, who="ben", why="good")
    setup.console("1", "Rejected", None)
    assert told(setup.open())[-1] == ("1", REJECTED, "zoe", "SageMaker")
    assert told(other.open())[-1] == ("1", REJECTED, "zoe", "SageMaker")


@pytest.mark.parametrize("workspace", ["", "s3://b/" + "x" * 300, "s3://b/a b", "s3://b/[x]"])
def test_an_address_that_no_comment_can_hold_is_left_out(workspace: str) -> None:
    first = ledger.registration("1", NOON, "ann")
    seen = Approval(PENDING, "", NOON, "")
    change = replace(first.change, old=PENDING, new=APPROVED, who="ben", why="good")
    entry = ledger.entry_of(change, seen)
    comment = ledger.comment_of(entry, workspace)
    found = ledger.outside_change([first], Approval(APPROVED, comment, NOON, "zoe"))
    assert found is not None
    assert (found.who, found.why, found.made_in) == ("ben", "good", "another workspace")


# --- the export


@pytest.fixture
def approvals(setup: Setup, tmp_path: Path) -> Callable[[Registry], Approvals]:
    storage = LocalStorage(tmp_path / "w")
    results = {
        **dict.fromkeys(("accuracy", "f1_score", "precision", "recall", "cv_accuracy"), 0.9),
        "feature_columns": ["a"],
        "target_classes": ["Low"],
        "training_timestamp": "2026-02-03",
    }

    def of(registry: Registry) -> Approvals:
        made = Approvals(registry, storage, DeploymentConfig(), lambda *_: results)
        made._results.update({"1": results, "2": results})
        return made

    return of


@pytest.fixture
def two(setup: Setup) -> SageMakerRegistry:
    registry = setup.open()
    for version in ("1", "2"):
        registry.register(setup.submission, who="ann")
        registry.set_state(version, APPROVED, who="ann", why="good")
    return registry


def test_what_is_deployed_follows_a_change_in_the_console(
    setup: Setup, two: SageMakerRegistry, approvals: Callable[[Registry], Approvals]
) -> None:
    step = approvals(two)
    step.follow()
    assert b'"model_version": "2"' in step.storage.read(
        "deployment-configs/latest_model_config.json"
    )
    setup.console("2", "Rejected", "complaints")
    (change,) = step.sync()
    assert change.why == "complaints"
    assert b'"model_version": "1"' in step.storage.read(
        "deployment-configs/latest_model_config.json"
    )
    assert step.sync() == []
    assert not step.storage.exists(PENDING_EXPORT)


def test_a_champion_from_the_console_that_cannot_be_used_is_not_deployed(
    setup: Setup, two: SageMakerRegistry, approvals: Callable[[Registry], Approvals]
) -> None:
    step = approvals(two)
    step.follow()
    step._results.clear()
    setup.console("2", "Rejected", "complaints")
    # The archive of version 1 is no model.
    assert len(step.sync()) == 1
    assert not step.storage.exists("deployment-configs/latest_model_config.json")
