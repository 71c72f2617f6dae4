"""What every registry must do; run against the fake, MLflow (embedded, a server) and SageMaker."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import pytest

from basketwise.aws.account.policies import policy
from basketwise.aws.names import names_of
from basketwise.aws.registry.registry import SageMakerRegistry
from basketwise.config import AwsConfig, Config, DeploymentConfig, RegistryConfig
from basketwise.doctor.local import registry as doctors_check
from basketwise.errors import InputError
from basketwise.registry.approval import PENDING_EXPORT, Approvals
from basketwise.registry.mlflow import database
from basketwise.registry.opening import open_registry
from basketwise.registry.protocol import (
    ApprovalState,
    ArchiveError,
    Origin,
    Registry,
    Submission,
    TrainedCandidate,
)
from basketwise.storage.local import LocalStorage
from tests.fakes.model_registry import ACCOUNT, REGION, ModelRegistryDouble
from tests.fakes.registry import MemoryRegistry
from tests.mlflow_server import Server, running_server
from tests.seaweed import S3Server

PENDING, APPROVED, REJECTED = ApprovalState.PENDING, ApprovalState.APPROVED, ApprovalState.REJECTED
THOROUGH = ["managed"] if os.environ.get("BASKETWISE_TEST_HOSTILE") else []
"""One that is a server to the registry; a test at the end of this file asks all of it once."""

ODD = 'O\'Hara "the boss"\nsaid: ü, 価格, 50 % \\ {off} 🛒'


@dataclass(frozen=True)
class Subject:
    """A registry under test, empty at first, and a way to spoil what it keeps."""

    registry: Registry
    corrupt: Callable[[str], None]
    reopened: Callable[[], Registry]
    submission: Submission

    def register(self, *, who: str = "ann") -> str:
        return self.registry.register(self.submission, who=who).version

    def approve(self, version: str, why: str = "good") -> None:
        self.registry.set_state(version, APPROVED, who="ann", why=why)

    def leader(self) -> str | None:
        champion = self.registry.champion()
        return champion.version if champion else None


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running_server(tmp_path_factory.mktemp("mlflow")) as started:
        yield started


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("embedded") / "registry"


@pytest.fixture
def submission(tmp_path: Path) -> Submission:
    archive, plot = tmp_path / "model.tar.gz", tmp_path / "model_comparison.png"
    archive.write_bytes(b"\x1f\x8b a model \x00\xff")
    plot.write_bytes(b"a plot")
    return Submission(
        run_id="run-7",
        model_archive=archive,
        sha256=hashlib.sha256(archive.read_bytes()).hexdigest(),
        description="xgboost on 1 000 baskets",
        metrics={"test_accuracy": 0.1 + 0.2, "test_f1": 1e-17, "loss": -2.0},
        params={"max_depth": "6", "note": ODD, "empty": ""},
        tags={"model_name": "xgboost", "data_hash": "abc", "note": ODD},
        attachments=(plot,),
        model_digest="d" * 64,
    )


@pytest.fixture(scope="session")
def bucket(s3_server: S3Server) -> str:
    return s3_server.new_bucket()


def on_sagemaker(server: S3Server, bucket: str, submission: Submission) -> Subject:
    s3, double = server.client(), ModelRegistryDouble()
    config, workspace = Config(aws=AwsConfig(region=REGION)), f"s3://{bucket}/{uuid4().hex}"
    names = names_of(config, account_id=ACCOUNT, region=REGION, workspace=workspace)

    def corrupt(version: str) -> None:
        package = double.packages[names.group][int(version) - 1]
        uri: str = package["InferenceSpecification"]["Containers"][0]["ModelDataUrl"]
        s3.put_object(
            Bucket=names.bucket, Key=uri.removeprefix(f"s3://{names.bucket}/"), Body=b"no"
        )

    def reopened() -> Registry:
        return SageMakerRegistry(double.client(), s3, names=names, config=config)

    return Subject(reopened(), corrupt, reopened, submission)


@pytest.fixture
def managed(
    server: Server, s3_server: S3Server, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[str, Callable[[str], None]]]:
    """An MLflow server as SageMaker runs it: signed requests, and files in S3.

    Its ARN, and what spoils the archives of a group.
    """
    import mlflow

    for name, value in s3_server.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("MLFLOW_S3_ENDPOINT_URL", s3_server.endpoint_url)
    monkeypatch.setenv("SAGEMAKER_MLFLOW_CUSTOM_ENDPOINT", server.uri)

    def corrupt(group: str) -> None:
        s3 = s3_server.client()
        listed = s3.list_objects_v2(Bucket=bucket, Prefix=f"{group}/")["Contents"]
        for key in (item["Key"] for item in listed if item["Key"].endswith("/model.tar.gz")):
            s3.put_object(Bucket=bucket, Key=key, Body=b"no")

    arn = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:mlflow-tracking-server/team"
    create = mlflow.MlflowClient.create_experiment

    def in_bucket(client: Any, name: str, location: str | None = None, *more: Any) -> str:
        made: str = create(client, name, location or f"s3://{bucket}/{name}", *more)
        return made

    # As the default of a server that keeps files in a bucket.
    monkeypatch.setattr(mlflow.MlflowClient, "create_experiment", in_bucket)
    yield arn, corrupt
    mlflow.set_tracking_uri(None)  # type: ignore[arg-type]


@pytest.fixture(
    params=["memory", "embedded", "embedded by MLflow", "server", *THOROUGH, "sagemaker"]
)
def subject(
    request: pytest.FixtureRequest, submission: Submission, monkeypatch: pytest.MonkeyPatch
) -> Subject:
    if request.param == "memory":
        memory = MemoryRegistry()
        return Subject(
            memory, lambda v: memory.archives.update({v: b"no"}), lambda: memory, submission
        )
    if request.param == "sagemaker":
        server: S3Server = request.getfixturevalue("s3_server")
        return on_sagemaker(server, request.getfixturevalue("bucket"), submission)
    group = f"g-{uuid4().hex}"
    folder: Path = request.getfixturevalue("folder")
    if request.param == "embedded by MLflow":
        # As if its database had a layout that only MLflow itself can read.
        monkeypatch.setattr(database, "KNOWN", frozenset())
    if request.param == "managed":
        arn, spoil = request.getfixturevalue("managed")
        managed = RegistryConfig(group=group, uri=arn)
        return Subject(
            open_registry(managed, folder),
            lambda _: spoil(group),
            lambda: open_registry(managed, folder),
            submission,
        )
    if request.param.startswith("embedded"):
        config, artifacts = RegistryConfig(group=group), folder / "artifacts"
    else:
        mlflow: Server = request.getfixturevalue("server")
        config, artifacts = RegistryConfig(group=group, uri=mlflow.uri), mlflow.artifacts
    before = set(artifacts.rglob("model.tar.gz"))

    def corrupt(_version: str) -> None:
        for path in set(artifacts.rglob("model.tar.gz")) - before:
            path.write_bytes(b"no")

    def reopened() -> Registry:
        return open_registry(config, folder)

    return Subject(reopened(), corrupt, reopened, submission)


def test_an_empty_registry_is_no_error(subject: Subject) -> None:
    assert subject.registry.versions() == []
    assert subject.registry.history() == []
    assert subject.registry.champion() is None


def test_a_new_version_is_pending_and_keeps_what_it_was_given(subject: Subject) -> None:
    given = subject.submission
    before = datetime.now(UTC)
    result = subject.registry.register(given, who="ann")
    assert result.version == "1"
    assert result.state is PENDING
    assert not result.champion
    assert (result.run_id, result.sha256) == (given.run_id, given.sha256)
    assert result.model_digest == given.model_digest
    assert result.description == given.description
    assert result.metrics == given.metrics
    assert result.tags == given.tags
    assert result.uri.endswith("/1")
    assert result.model_data_url.endswith("model.tar.gz")
    assert before <= result.created_at <= datetime.now(UTC)
    assert result.created_at.utcoffset() == timedelta(0)
    assert subject.registry.get("1") == result
    assert subject.registry.champion() is None


def test_nothing_is_printed(
    subject: Subject, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    version = subject.register()
    subject.approve(version)
    subject.registry.fetch(version, tmp_path / "out")
    assert capfd.readouterr() == ("", "")


def test_versions_are_numbered_and_listed_newest_first(subject: Subject) -> None:
    assert [subject.register() for _ in range(10)] == [str(n) for n in range(1, 11)]
    assert [v.version for v in subject.registry.versions()] == [str(n) for n in range(10, 0, -1)]


def test_approval_makes_the_champion_and_the_next_approval_moves_it(subject: Subject) -> None:
    first, second = subject.register(), subject.register()
    approved = subject.registry.set_state(first, APPROVED, who="ann", why="good")
    assert approved.champion
    assert approved.state is APPROVED
    assert subject.leader() == first
    subject.approve(second)
    assert subject.leader() == second
    assert subject.registry.get(first).state is APPROVED
    assert [v.champion for v in subject.registry.versions()] == [True, False]


def test_the_version_approved_last_leads_whatever_its_number(subject: Subject) -> None:
    first, second = subject.register(), subject.register()
    subject.approve(second)
    subject.approve(first)
    assert subject.leader() == first
    subject.approve(second, "said again")
    assert subject.leader() == second


@pytest.mark.parametrize("state", [REJECTED, PENDING])
def test_when_the_champion_goes_the_one_before_leads(
    subject: Subject, state: ApprovalState
) -> None:
    first, second = subject.register(), subject.register()
    subject.approve(first)
    subject.approve(second)
    former = subject.registry.set_state(second, state, who="ben", why="sales fell")
    assert (former.state, former.champion) == (state, False)
    assert subject.leader() == first
    subject.registry.set_state(first, state, who="ben", why="this too")
    assert subject.leader() is None


def test_a_rejected_version_can_be_approved_again(subject: Subject) -> None:
    first, second = subject.register(), subject.register()
    subject.approve(first)
    subject.approve(second)
    subject.registry.set_state(first, REJECTED, who="ben", why="old")
    subject.approve(first)
    assert subject.leader() == first


def test_history_tells_when_who_what_why_oldest_first(subject: Subject) -> None:
    before = datetime.now(UTC)
    first, second = subject.register(), subject.register(who="ben")
    subject.registry.set_state(second, APPROVED, who="cleo", why="good")
    subject.registry.set_state(first, REJECTED, who="dan", why="bad")
    subject.registry.set_state(second, APPROVED, who="cleo", why="still good")
    subject.registry.set_state(second, PENDING, who="eve", why="look again")
    changes = [(c.version, c.old, c.new, c.who, c.why) for c in subject.registry.history()]
    assert [entry[:4] for entry in changes[:2]] == [
        (first, None, PENDING, "ann"),
        (second, None, PENDING, "ben"),
    ]
    assert changes[2:] == [
        (second, PENDING, APPROVED, "cleo", "good"),
        (first, PENDING, REJECTED, "dan", "bad"),
        (second, APPROVED, APPROVED, "cleo", "still good"),
        (second, APPROVED, PENDING, "eve", "look again"),
    ]
    times = [change.at for change in subject.registry.history()]
    assert times == sorted(set(times))
    assert before <= times[0]
    assert all(time.utcoffset() == timedelta(0) for time in times)
    own = [change for change in subject.registry.history() if change.version == second]
    assert subject.registry.history(second) == own


def test_what_is_decided_here_is_not_from_elsewhere(subject: Subject) -> None:
    subject.approve(subject.register())
    before = subject.registry.history()
    assert subject.registry.outside() == []
    subject.registry.sync()
    assert subject.registry.history() == before
    assert {change.made_in for change in before} == {""}


def test_everything_survives_reopening(subject: Subject) -> None:
    version = subject.register()
    subject.approve(version)
    again = subject.reopened()
    assert again.versions() == subject.registry.versions()
    assert again.history() == subject.registry.history()
    assert again.champion() == subject.registry.get(version)


def test_an_unknown_version_is_the_users_error(subject: Subject, tmp_path: Path) -> None:
    subject.register()
    calls: list[Callable[[str], object]] = [
        subject.registry.get,
        lambda version: subject.registry.set_state(version, APPROVED, who="ann", why="good"),
        subject.registry.history,
        lambda version: subject.registry.fetch(version, tmp_path / "out"),
    ]
    for version, call in product(["2", "0", "-1", "", "latest", "1 OR 1=1", "9" * 30], calls):
        with pytest.raises(InputError) as caught:
            call(version)
        assert repr(version) in caught.value.headline
    assert len(subject.registry.history()) == 1


def test_fetch_brings_the_very_bytes(subject: Subject, tmp_path: Path) -> None:
    version = subject.register()
    for _ in range(2):
        path = subject.registry.fetch(version, tmp_path / "new" / "out")
        assert path == tmp_path / "new" / "out" / "model.tar.gz"
        assert path.read_bytes() == subject.submission.model_archive.read_bytes()
        assert list(path.parent.iterdir()) == [path]


def test_fetch_refuses_a_spoilt_archive_and_leaves_nothing(
    subject: Subject, tmp_path: Path
) -> None:
    version = subject.register()
    subject.corrupt(version)
    with pytest.raises(ArchiveError) as caught:
        subject.registry.fetch(version, tmp_path / "out")
    assert subject.submission.sha256 in caught.value.headline
    assert hashlib.sha256(b"no").hexdigest() in caught.value.headline
    assert not (tmp_path / "out" / "model.tar.gz").exists()


def test_an_archive_that_is_not_what_was_announced_is_refused(subject: Subject) -> None:
    with pytest.raises(InputError, match="0000"):
        subject.registry.register(replace(subject.submission, sha256="0" * 64), who="ann")
    assert subject.registry.versions() == []


def test_odd_characters_survive(subject: Subject) -> None:
    version = subject.register(who=ODD)
    subject.registry.set_state(version, APPROVED, who=ODD, why=ODD)
    history = subject.registry.history(version)
    assert [change.who for change in history] == [ODD, ODD]
    assert history[-1].why == ODD
    assert ODD in subject.registry.get(version).description


def test_the_description_ends_with_what_was_said_last(subject: Subject) -> None:
    version = subject.register()
    subject.approve(version, "accuracy 0.91 ≥ 0.80")
    description = subject.registry.get(version).description
    assert description.startswith(subject.submission.description)
    assert description.endswith("accuracy 0.91 ≥ 0.80")
    assert "Approved" in description
    subject.registry.set_state(version, REJECTED, who="ben", why="sales fell")
    description = subject.registry.get(version).description
    assert description.startswith(subject.submission.description)
    assert description.endswith("sales fell")
    assert "0.91" not in description


def results(registry: Registry, version: str, _: Path) -> dict[str, object]:
    """Take the archives, which are no models, for models that score."""
    with TemporaryDirectory() as folder:
        registry.fetch(version, Path(folder))
    scores = ("accuracy", "f1_score", "precision", "recall", "cv_accuracy")
    texts = ("feature_columns", "target_classes", "training_timestamp")
    return {**dict.fromkeys(scores, 0.5), **dict.fromkeys(texts, "")}


def approvals(subject: Subject, workspace: Path) -> Approvals:
    return Approvals(subject.registry, LocalStorage(workspace), DeploymentConfig(), results)


def latest(workspace: Path) -> str:
    file = workspace / "deployment-configs" / "latest_model_config.json"
    return str(json.loads(file.read_bytes())["metadata"]["model_version"])


def test_a_change_and_its_export_are_one_step(subject: Subject, tmp_path: Path) -> None:
    first, second = subject.register(), subject.register()
    own = approvals(subject, tmp_path)
    for version in (first, second):
        changed = own.approve(version, who="ann", why="good")
        assert (changed.version.version, changed.version.state) == (version, APPROVED)
        assert latest(tmp_path) == subject.leader() == version
    assert own.reject(second, who="ben", why="bad").config
    assert latest(tmp_path) == subject.leader() == first
    assert own.reject(first, who="ben", why="bad").config is None
    assert not (tmp_path / "deployment-configs" / "latest_model_config.json").exists()
    assert not (tmp_path / PENDING_EXPORT).exists()


def test_a_version_whose_archive_is_lost_is_not_approved(subject: Subject, tmp_path: Path) -> None:
    version = subject.register()
    subject.corrupt(version)
    with pytest.raises(ArchiveError, match=f"Version {version} was not approved"):
        approvals(subject, tmp_path).approve(version, who="ann", why="good")
    assert subject.registry.get(version).state is PENDING
    assert not (tmp_path / PENDING_EXPORT).exists()


def test_rollback_brings_the_one_before_back(subject: Subject, tmp_path: Path) -> None:
    first, second = subject.register(), subject.register()
    subject.approve(first)
    subject.approve(second)
    changed = approvals(subject, tmp_path).rollback(who="ben", why="sales fell")
    assert (changed.version.version, changed.version.state) == (second, REJECTED)
    assert changed.champion == subject.registry.get(first)
    assert latest(tmp_path) == subject.leader() == first
    last = subject.registry.history(second)[-1]
    assert (last.who, last.why) == ("ben", "rolled back: sales fell")


def test_rollback_without_an_earlier_one_changes_nothing(subject: Subject, tmp_path: Path) -> None:
    own = approvals(subject, tmp_path)
    with pytest.raises(InputError, match="nothing to roll back"):
        own.rollback(who="ben", why="sales fell")
    first, second = subject.register(), subject.register()
    subject.registry.set_state(first, REJECTED, who="ann", why="bad")
    subject.approve(second)
    before = subject.registry.history()
    with pytest.raises(InputError, match=f"Version {second} cannot be rolled back"):
        own.rollback(who="ben", why="sales fell")
    assert subject.registry.history() == before
    assert subject.leader() == second


ACTIONS = {
    ("POST", "experiments/create"): "CreateExperiment",
    ("GET", "experiments/get-by-name"): "GetExperimentByName",
    ("POST", "runs/create"): "CreateRun",
    ("GET", "runs/get"): "GetRun",
    ("POST", "runs/update"): "UpdateRun",
    ("POST", "runs/log-batch"): "LogBatch",
    ("POST", "runs/log-inputs"): "LogInputs",
    ("POST", "runs/outputs"): "LogOutputs",
    # AWS names no action for it.
    ("POST", "logged-models"): "LogModel",
    ("GET", "logged-models/ID"): "GetLoggedModel",
    ("PATCH", "logged-models/ID"): "FinalizeLoggedModel",
    ("PATCH", "logged-models/ID/tags"): "SetLoggedModelTags",
    ("POST", "registered-models/create"): "CreateRegisteredModel",
    ("GET", "registered-models/get"): "GetRegisteredModel",
    ("POST", "registered-models/alias"): "SetRegisteredModelAlias",
    ("DELETE", "registered-models/alias"): "DeleteRegisteredModelAlias",
    ("POST", "model-versions/create"): "CreateModelVersion",
    ("PATCH", "model-versions/update"): "UpdateModelVersion",
    ("POST", "model-versions/set-tag"): "SetModelVersionTag",
    ("GET", "model-versions/search"): "SearchModelVersions",
}
"""The IAM action of each request (AWS, Service Authorization Reference, Amazon SageMaker with
MLflow, 2026)."""

UNSEEN = {"LogLoggedModelParams"}
"""May be asked for by the creation of a logged model, which has parameters."""


def test_a_managed_server_is_asked_for_what_the_policy_allows(
    managed: tuple[str, Callable[[str], None]],
    submission: Submission,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import requests

    arn, corrupt = managed
    sent: list[tuple[str, str, Mapping[str, Any]]] = []
    send = requests.adapters.HTTPAdapter.send

    def recorded(adapter: Any, request: Any, **more: Any) -> Any:
        path = re.sub(r"m-[0-9a-f]{32}", "ID", urlsplit(request.url).path)
        sent.append((request.method, path.rpartition("/mlflow/")[2], request.headers))
        return send(adapter, request, **more)

    monkeypatch.setattr(requests.adapters.HTTPAdapter, "send", recorded)
    config = Config(registry=RegistryConfig(uri=arn, group=f"g-{uuid4().hex}"))
    registry = open_registry(config.registry, tmp_path)
    origin = Origin(datetime.now(UTC), 1.0, "run", "raw", "abc", 10)
    candidate = TrainedCandidate("xgboost", {"test_f1": 0.5}, {"max_depth": "6"})
    given = replace(submission, origin=origin, candidates=(candidate,))
    first, second = (registry.register(given, who="ann").version for _ in range(2))
    for version in (first, second):
        registry.set_state(version, APPROVED, who="ann", why="good")
    registry.set_state(second, REJECTED, who="ann", why="bad")
    champion = registry.champion()
    assert champion is not None
    assert champion.version == first
    fetched = registry.fetch(first, tmp_path)
    assert fetched.read_bytes() == given.model_archive.read_bytes()
    found = doctors_check(None, config, "ws")
    assert (found.state, found.text) == ("ok", f"{arn}: 2 versions, champion: {first}")
    registry.set_state(first, REJECTED, who="ann", why="bad")
    corrupt(config.registry.group)
    with pytest.raises(ArchiveError):
        registry.fetch(first, tmp_path)

    signed = [(method, path, headers) for method, path, headers in sent if path != "/health"]
    for _, _, headers in signed:
        assert f"/{REGION}/sagemaker-mlflow/aws4_request" in str(headers["Authorization"])
        assert str(headers["x-mlflow-sm-tracking-server-arn"]) == arn
    names = names_of(config, account_id=ACCOUNT, region=REGION)
    statement = policy("run", names)["Statement"][-1]
    asked = {ACTIONS[method, path] for method, path, _ in signed} | UNSEEN
    assert sorted(statement["Action"]) == sorted(f"sagemaker-mlflow:{name}" for name in asked)
    assert statement["Resource"] == arn
    app = arn.replace("mlflow-tracking-server/team", "mlflow-app/app-1")
    statement = policy("run", replace(names, mlflow=app))["Statement"][-1]
    assert (statement["Action"], statement["Resource"]) == (["sagemaker:CallMlflowAppApi"], app)
    others = policy("run", replace(names, mlflow=""))["Statement"]
    assert "Mlflow" not in [statement["Sid"] for statement in others]
