from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from basketwise.aws.registry.registry import SageMakerRegistry
from basketwise.config import AwsConfig, RegistryConfig
from basketwise.digests import sha256
from basketwise.errors import DependencyError, InputError
from basketwise.registry import opening
from basketwise.registry.protocol import ApprovalState, Submission
from tests.aws.registry.scene import Setup
from tests.fakes.model_registry import ACCOUNT, REGION
from tests.seaweed import S3Server

PENDING, APPROVED, REJECTED = ApprovalState.PENDING, ApprovalState.APPROVED, ApprovalState.REJECTED


def test_a_package_can_be_deployed_and_says_what_it_is(setup: Setup) -> None:
    registry = setup.open()
    result = registry.register(setup.submission, who="ann")
    package = setup.package("1")
    assert package["ModelApprovalStatus"] == "PendingManualApproval"
    assert package["ModelPackageDescription"] == (
        "xgboost, trained on 1,000 lines accuracy 0.91 ≥ 0.80"
    )
    assert package["MetadataProperties"] == {"CommitId": "abc"}
    properties = package["CustomerMetadataProperties"]
    assert properties["model_algorithm"] == "xgboost"
    assert properties["dataset_size"] == "1000"
    assert properties["model_version"] == "run-7"
    assert result.uri == package["ModelPackageArn"]
    folder = setup.names.uri("artifacts", "registered-run-7", result.sha256[:12])
    assert result.model_data_url == f"{folder}model.tar.gz"
    assert result.description == setup.submission.description


def test_a_self_contained_archive_is_registered_as_it_is_stored(
    setup: Setup, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def with_libraries(submission: Submission, folder: Path) -> Submission:
        archive = folder / "model.tar.gz"
        archive.write_bytes(b"a model and its libraries")
        return replace(submission, model_archive=archive, sha256=sha256(archive))

    monkeypatch.setattr("basketwise.aws.self_contained.with_libraries", with_libraries)
    registry = setup.open(archive="self-contained")
    result = registry.register(setup.submission, who="ann")
    assert result.sha256 != setup.submission.sha256
    fetched = registry.fetch("1", tmp_path / "fetched")
    assert fetched.read_bytes() == b"a model and its libraries"
    properties = setup.package("1")["CustomerMetadataProperties"]
    assert properties["model_sha256"] == result.sha256 == sha256(fetched)
    (container,) = setup.package("1")["InferenceSpecification"]["Containers"]
    assert container["Environment"]["PIP_NO_INDEX"] == "1"


def test_the_metrics_are_json_in_the_bucket_beside_the_attachments(setup: Setup) -> None:
    setup.open().register(setup.submission, who="ann")
    uri = setup.package("1")["ModelMetrics"]["ModelQuality"]["Statistics"]["S3Uri"]
    key = uri.removeprefix(f"s3://{setup.names.bucket}/")
    document = json.loads(setup.s3.get_object(Bucket=setup.names.bucket, Key=key)["Body"].read())
    assert document["multiclass_classification_metrics"] == {
        "accuracy": {"value": 0.91, "standard_deviation": "NaN"},
        "f1_score": {"value": 0.9, "standard_deviation": "NaN"},
    }
    assert document["basketwise"]["params"] == {"training.seed": "7"}
    plot = key.replace("metrics.json", "attachments/plot.png")
    result = setup.s3.get_object(Bucket=setup.names.bucket, Key=plot)["Body"].read()
    assert result == b"a plot"


def test_the_group_is_made_once(setup: Setup) -> None:
    registry = setup.open()
    registry.register(setup.submission, who="ann")
    registry.register(setup.submission, who="ann")
    (created,) = setup.calls("CreateModelPackageGroup")
    assert {"Key": "ModelType", "Value": "Classification"} in created["Tags"]


def test_all_pages_are_read(setup: Setup) -> None:
    setup.double.page = 2
    registry = setup.open()
    for _ in range(5):
        registry.register(setup.submission, who="ann")
    assert [result.version for result in registry.versions()] == ["5", "4", "3", "2", "1"]
    assert any("NextToken" in sent for sent in setup.calls("ListModelPackages"))


def test_sagemaker_shows_the_state_who_and_why_on_one_line(setup: Setup) -> None:
    registry = setup.open()
    registry.register(setup.submission, who="ann")
    registry.set_state("1", APPROVED, who="ben", why="good\nin\u2028all")
    package = setup.package("1")
    assert package["ModelApprovalStatus"] == "Approved"
    assert package["ApprovalDescription"].startswith("ben: good in all [")
    assert registry.history("1")[-1].why == "good\nin\u2028all"
    registry.set_state("1", REJECTED, who="ben", why="x" * 9_000)
    assert len(setup.package("1")["ApprovalDescription"]) <= 512


def test_a_change_cut_off_before_sagemaker_shows_it_counts(setup: Setup) -> None:
    registry = setup.open()
    for _ in range(2):
        registry.register(setup.submission, who="ann")
    setup.double.refusals["UpdateModelPackage"] = ("ConflictException", "Somebody else is at it.")
    with pytest.raises(DependencyError, match="Somebody else"):
        registry.set_state("1", APPROVED, who="ann", why="good")
    assert setup.package("1")["ModelApprovalStatus"] == "PendingManualApproval"
    again = setup.open()
    assert again.get("1").champion
    told = [(change.new, change.who) for change in again.history("1")]
    assert told == [(PENDING, "ann"), (APPROVED, "ann")]

    setup.double.refusals.clear()
    again.set_state("2", REJECTED, who="ann", why="bad")
    assert setup.package("1")["ModelApprovalStatus"] == "Approved"
    assert len(again.history("1")) == 2


def test_a_change_interrupted_before_it_is_stored_has_no_effect(
    setup: Setup, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry = setup.open()
    registry.register(setup.submission, who="ann")

    def refuse(*_: object) -> None:
        raise DependencyError("no")

    with monkeypatch.context() as patch:
        patch.setattr("basketwise.aws.registry.objects.Documents.write", refuse)
        with pytest.raises(DependencyError):
            registry.set_state("1", APPROVED, who="ann", why="good")
    assert setup.package("1")["ModelApprovalStatus"] == "PendingManualApproval"
    assert [change.new for change in setup.open().history()] == [PENDING]


def test_an_interrupted_registration_creates_no_version(setup: Setup) -> None:
    registry = setup.open()
    setup.double.refusals["CreateModelPackage"] = ("ResourceLimitExceeded", "Too many.")
    with pytest.raises(DependencyError, match=r"Too many\. \(ResourceLimitExceeded\)"):
        registry.register(setup.submission, who="ann")
    assert registry.versions() == []
    setup.double.refusals.clear()
    assert registry.register(setup.submission, who="ann").version == "1"


@pytest.mark.parametrize("comment", ["looks fine", None])
def test_a_status_set_in_sagemaker_is_a_change_by_sagemaker(
    setup: Setup, comment: str | None
) -> None:
    registry = setup.open()
    registry.register(setup.submission, who="ann")
    registry.set_state("1", REJECTED, who="ann", why="bad")
    setup.console("1", "Approved", comment)
    assert registry.get("1").champion
    last = registry.history("1")[-1]
    assert (last.old, last.new, last.who) == (REJECTED, APPROVED, "zoe")
    assert (last.why, last.made_in) == (comment or "no comment", "SageMaker")
    assert last.at == setup.package("1")["LastModifiedTime"]
    assert setup.open().history() == registry.history()


def test_changes_made_in_sagemaker_remain_in_the_history(setup: Setup) -> None:
    registry = setup.open()
    for _ in range(2):
        registry.register(setup.submission, who="ann")
    setup.console("1", "Approved", "looks fine")
    before = registry.history("1")
    registry.set_state("2", APPROVED, who="ann", why="better")
    assert registry.history("1") == before
    assert registry.get("2").champion
    registry.set_state("1", REJECTED, who="ben", why="old")
    setup.console("1", "Approved", None)
    told = [(change.old, change.new, change.who) for change in registry.history("1")]
    assert told == [
        (None, PENDING, "ann"),
        (PENDING, APPROVED, "zoe"),
        (APPROVED, REJECTED, "ben"),
        (REJECTED, APPROVED, "zoe"),
    ]
    assert registry.champion() == registry.get("1")


def test_a_status_set_in_sagemaker_meanwhile_is_not_overwritten(
    setup: Setup, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry = setup.open()
    registry.register(setup.submission, who="ann")
    keep = SageMakerRegistry._store

    def keep_then_console(self: SageMakerRegistry, *arguments: Any) -> None:
        keep(self, *arguments)
        setup.console("1", "Rejected", "no")

    with monkeypatch.context() as patch:
        patch.setattr(SageMakerRegistry, "_store", keep_then_console)
        after = registry.set_state("1", APPROVED, who="ann", why="good")
    assert after.state is REJECTED
    assert [change.new for change in registry.history("1")] == [PENDING, APPROVED, REJECTED]


def test_of_two_simultaneous_changes_the_last_stored_counts(
    setup: Setup, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann, ben = setup.open(), setup.open()
    ann.register(setup.submission, who="ann")
    keep = SageMakerRegistry._store

    def keep_between(self: SageMakerRegistry, *arguments: Any) -> None:
        monkeypatch.setattr(SageMakerRegistry, "_store", keep)
        keep(self, *arguments)
        ben.set_state("1", REJECTED, who="ben", why="bad")

    monkeypatch.setattr(SageMakerRegistry, "_store", keep_between)
    ann.set_state("1", APPROVED, who="ann", why="good")
    told = [(change.new, change.who) for change in ann.history("1")]
    assert told == [(PENDING, "ann"), (APPROVED, "ann"), (REJECTED, "ben")]
    assert setup.package("1")["ModelApprovalStatus"] == "Rejected"


def test_one_object_is_stored_for_each_change(setup: Setup) -> None:
    registry = setup.open()
    registry.register(setup.submission, who="ann")
    registry.set_state("1", APPROVED, who="ann", why="good")
    registry.set_state("1", APPROVED, who="ann", why="still good")
    changes = [key.split("/") for key in setup.stored() if "/changes/" in key]
    assert len(changes) == 2
    for parts in changes:
        assert parts[:3] == ["model-registry", setup.names.group, "changes"]
        assert parts[3].startswith("1-")


def test_a_group_made_again_does_not_inherit_changes(setup: Setup) -> None:
    registry = setup.open()
    registry.register(setup.submission, who="ann")
    registry.set_state("1", APPROVED, who="ann", why="good")
    created = setup.package("1")["CreationTime"]
    setup.double.delete_group_in_console(setup.names.group)
    registry.register(setup.submission, who="ann")
    package = setup.package("1")
    package["CreationTime"] = created.replace(year=created.year + 1)
    assert setup.open().get("1").state is PENDING


def test_another_model_of_the_same_run_does_not_replace_the_first(
    setup: Setup, tmp_path: Path
) -> None:
    registry = setup.open()
    registry.register(setup.submission, who="ann")
    registry.register(setup.submission, who="ann")
    setup.submission.model_archive.write_bytes(b"another")
    digest = hashlib.sha256(b"another").hexdigest()
    registry.register(replace(setup.submission, sha256=digest), who="ann")
    assert registry.get("1").model_data_url == registry.get("2").model_data_url
    assert registry.get("3").model_data_url.endswith(f"run-7/{digest[:12]}/model.tar.gz")
    assert registry.fetch("1", tmp_path / "one").read_bytes() == b"a model"
    assert registry.fetch("3", tmp_path / "three").read_bytes() == b"another"


def test_a_version_registered_by_others_is_listed_but_not_fetched(
    setup: Setup, tmp_path: Path
) -> None:
    registry = setup.open()
    registry.register(setup.submission, who="ann")
    package = setup.package("1")
    del package["ModelMetrics"]
    package["ModelApprovalStatus"] = "Approved"
    package["CreatedBy"] = {}
    setup.forget_index()
    registry = setup.open()
    result = registry.get("1")
    assert (result.sha256, result.metrics, result.champion) == ("", {}, True)
    told = [(change.who, change.made_in) for change in registry.history()]
    assert told == [("somebody", "SageMaker"), ("somebody", "SageMaker")]
    with pytest.raises(DependencyError, match="not registered by Basketwise"):
        registry.fetch("1", tmp_path / "out")


def test_metrics_in_another_bucket_are_not_read(setup: Setup) -> None:
    registry = setup.open()
    registry.register(setup.submission, who="ann")
    statistics = setup.package("1")["ModelMetrics"]["ModelQuality"]["Statistics"]
    statistics["S3Uri"] = "s3://somebody-elses/metrics.json"
    setup.forget_index()
    assert setup.open().get("1").metrics == {}


@pytest.mark.parametrize("text", [b"\xff", b"[]", b"{}", b'{"at": "never"}'])
def test_a_damaged_change_is_named(setup: Setup, text: bytes) -> None:
    registry = setup.open()
    registry.register(setup.submission, who="ann")
    registry.set_state("1", APPROVED, who="ann", why="good")
    (key,) = (key for key in setup.stored() if "/changes/" in key)
    setup.s3.put_object(Bucket=setup.names.bucket, Key=f"{setup.names.prefix}/{key}", Body=text)
    name = key.rpartition("/")[2].removesuffix(".json")
    with pytest.raises(DependencyError, match=name):
        setup.open().versions()


@pytest.mark.parametrize("text", [b"\xff", b"[]", b'{"basketwise": {}}', b"x" * 4_000_001])
def test_a_damaged_document_is_named(setup: Setup, text: bytes) -> None:
    setup.open().register(setup.submission, who="ann")
    (key,) = (key for key in setup.stored() if key.endswith("metrics.json"))
    setup.s3.put_object(Bucket=setup.names.bucket, Key=f"{setup.names.prefix}/{key}", Body=text)
    setup.forget_index()
    with pytest.raises(DependencyError, match=r"metrics\.json"):
        setup.open().versions()


@pytest.mark.parametrize(
    ("code", "hint"),
    [("AccessDeniedException", "aws policy run"), ("ExpiredTokenException", "Log in again")],
)
@pytest.mark.parametrize(
    ("operation", "call"),
    [
        ("ListModelPackages", lambda registry, _: registry.versions()),
        ("DescribeModelPackage", lambda registry, _: registry.get("1")),
        ("DescribeModelPackageGroup", lambda registry, s: registry.register(s, who="ann")),
    ],
)
def test_a_refusal_says_what_to_do(
    setup: Setup,
    operation: str,
    call: Callable[[SageMakerRegistry, Submission], object],
    code: str,
    hint: str,
) -> None:
    registry = setup.open()
    registry.register(setup.submission, who="ann")
    setup.double.refusals[operation] = (code, "No.")
    with pytest.raises(DependencyError, match=code) as caught:
        call(registry, setup.submission)
    assert hint in caught.value.hint


def test_a_missing_bucket_is_named_and_no_version_is_created(
    setup: Setup, s3_server: S3Server
) -> None:
    def missing(**_: object) -> tuple[Any, dict[str, Any]]:
        error = {"Code": "NoSuchBucket", "Message": "The specified bucket does not exist"}
        return SimpleNamespace(status_code=404), {"Error": error}

    # The server makes a bucket for whoever writes into one that is not there; S3 does not.
    s3 = s3_server.client()
    s3.meta.events.register("before-call.s3.PutObject", missing)
    with pytest.raises(DependencyError, match=rf"s3://{setup.names.bucket}/.*NoSuchBucket"):
        replace(setup, s3=s3).open().register(setup.submission, who="ann")
    assert setup.open().versions() == []


def test_an_unknown_version_lists_the_known_ones(setup: Setup) -> None:
    registry = setup.open()
    registry.register(setup.submission, who="ann")
    with pytest.raises(InputError, match="no version '2' of retail") as caught:
        registry.get("2")
    assert "newest first: 1." in caught.value.hint


def test_the_configuration_opens_it(
    setup: Setup, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Sts:
        def get_caller_identity(self) -> dict[str, str]:
            return {"Account": ACCOUNT}

    clients = {"sagemaker": setup.double.client(), "s3": setup.s3, "sts": Sts()}
    monkeypatch.setattr("basketwise.aws.clients.client", lambda name, _: clients[name])
    registry = opening.open_registry(
        RegistryConfig(uri="sagemaker"),
        tmp_path / "registry",
        AwsConfig(region=REGION),
        setup.names.uri(),
    )
    result = registry.register(setup.submission, who="ann")
    folder = setup.names.uri("artifacts", "registered-run-7", result.sha256[:12])
    assert result.model_data_url == f"{folder}model.tar.gz"
    assert not (tmp_path / "registry").exists()


def test_an_account_that_does_not_answer_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with pytest.raises(DependencyError, match="credentials are needed"):
        opening.open_registry(
            RegistryConfig(uri="sagemaker"), tmp_path / "registry", AwsConfig(region=REGION)
        )
