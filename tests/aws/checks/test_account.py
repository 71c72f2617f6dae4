"""The doctor on AWS: an account as it should be, and each thing that may be wrong with it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from basketwise.aws.account import policies
from basketwise.aws.checks.account import group, region_of
from basketwise.aws.errors import refusal
from basketwise.aws.storage.lock import LOCK
from basketwise.config import AwsConfig, Config, RegistryConfig
from basketwise.doctor.check import Check
from basketwise.doctor.local import examine
from basketwise.storage.opening import open_storage
from tests.aws.double.cloud import Cloud, running_cloud
from tests.aws.iam_rules import allows
from tests.aws.recording import Recorder
from tests.fakes.model_registry import ACCOUNT
from tests.seaweed import S3Server

REGION = "us-east-1"
"""SeaweedFS names no region, which is how S3 names this one."""

PERMIT = refusal("AccessDenied").hint
USES = ("processing job", "training job", "spot training job")
ORDER = [
    *("config", "region", "account", "bucket", "workspace", "versioning"),
    *("raw", "silver", "gold", "artifacts", "memory", "registry", "group"),
    *("role", "rights", "processing", "training", "spot", "image", "provision"),
]


@pytest.fixture(scope="module")
def versioned(s3_server: S3Server) -> str:
    """Name a bucket that keeps old versions."""
    name = s3_server.new_bucket()
    s3_server.client().put_bucket_versioning(
        Bucket=name, VersioningConfiguration={"Status": "Enabled"}
    )
    return name


@pytest.fixture
def cloud(s3_server: S3Server, tmp_path: Path) -> Iterator[Cloud]:
    with running_cloud(s3_server, tmp_path) as running:
        running.registry.groups["retail-price-sensitivity-models"] = {}
        running.registry.packages["retail-price-sensitivity-models"] = []
        running.account.quotas |= {f"ml.m5.large for {use} usage": 2.0 for use in USES}
        yield running


@pytest.fixture(autouse=True)
def supported(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let AWS support its image for long, whatever day it is."""
    monkeypatch.setattr("basketwise.aws.checks.image.today", lambda: date(2026, 11, 27))


def config(**aws: Any) -> Config:
    return Config(aws=AwsConfig(**{"region": REGION, **aws}))


def checks_by_name(location: str, settings: Config | None = None) -> dict[str, Check]:
    checks = examine(location, lambda: settings or config(), None)
    return {check.name: check for check in checks}


def check_named(name: str, location: str, settings: Config | None = None, **more: Any) -> Check:
    """Look until a check was made: those after it take time too."""
    checks = examine(location, lambda: settings or config(), None, **more)
    return next(check for check in checks if check.name == name)


def states(checks: dict[str, Check]) -> dict[str, str]:
    return {name: check.state for name, check in checks.items() if check.state != "ok"}


def test_all_is_well(cloud: Cloud, versioned: str) -> None:
    cloud.s3.put_object(Bucket=versioned, Key="w/raw/a.csv", Body=b"x" * 2_000_000)
    cloud.s3.put_object(Bucket=versioned, Key="w/raw/b.csv", Body=b"x" * 500_000)
    cloud.s3.put_object(Bucket=versioned, Key="w/gold/metadata.json", Body=b"{}")

    checks = checks_by_name(f"s3://{versioned}/w")

    assert list(checks) == ORDER
    assert states({name: check for name, check in checks.items() if name != "memory"}) == {}
    assert checks["account"].text == f"{ACCOUNT}, as arn:aws:iam::{ACCOUNT}:user/ann"
    assert checks["bucket"].text == f"{versioned}, in us-east-1"
    assert checks["raw"].text == f"s3://{versioned}/w/raw/ contains 2 files, 2.5 MB"
    assert checks["gold"].text == f"s3://{versioned}/w/gold/ contains files"
    assert checks["artifacts"].text.endswith("/artifacts/ is empty; the first run fills it")
    assert checks["registry"].text == "sagemaker: 0 versions, champion: none"
    assert checks["spot"].text == "ml.m5.large for spot training job usage: 2 at once"
    assert checks["image"].text.startswith("683313688378.dkr.ecr.us-east-1.amazonaws.com/")
    assert checks["provision"].text.endswith("'basketwise aws provision' can be skipped")


@pytest.mark.parametrize("missing", ["role", "right", "bucket"])
def test_provisioning_is_not_skipped_where_something_is_missing(cloud: Cloud, missing: str) -> None:
    location = cloud.workspace
    if missing == "role":
        cloud.account.roles.clear()
    elif missing == "right":
        cloud.account.refused = {"s3:PutObject"}
    else:
        location = "s3://no-such-bucket/w"

    assert "provision" not in checks_by_name(location)


def test_a_new_workspace(cloud: Cloud) -> None:
    checks = checks_by_name(cloud.workspace)

    assert set(states(checks)) - {"memory"} == {"versioning", "raw"}
    assert set(states(checks).values()) == {"warning"}
    assert "--versioning-configuration Status=Enabled" in checks["versioning"].fix
    assert "basketwise aws run --data PATH" in checks["raw"].fix
    assert cloud.keys() == [LOCK]


def test_what_is_called_is_what_the_policy_allows(cloud: Cloud) -> None:
    recorder = Recorder("run", cloud.names)
    with recorder.everywhere():
        checks_by_name(cloud.workspace)

    policy = policies.policy("run", cloud.names)
    refused = [
        str(call)
        for call in recorder.calls
        if not allows(policy, call.action, call.resource, call.context)
    ]
    assert not refused
    assert {call.action for call in recorder.calls} == {
        *("s3:GetBucketLocation", "s3:GetBucketVersioning", "s3:ListBucket"),
        "s3:ListBucketMultipartUploads",
        *("s3:GetObject", "s3:PutObject", "s3:DeleteObject"),
        *("sagemaker:DescribeModelPackageGroup", "sagemaker:ListModelPackages"),
        *("iam:GetRole", "iam:SimulatePrincipalPolicy", "servicequotas:ListServiceQuotas"),
    }


def test_without_credentials_the_other_checks_run(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")

    checks = checks_by_name(cloud.workspace)

    assert list(checks) == ["config", "region", "account", "skipped", "memory", "image"]
    assert (checks["account"].state, checks["account"].exit_code) == ("failed", 3)
    assert "none were found" in checks["account"].text
    assert "aws sso login" in checks["account"].fix
    assert checks["skipped"].state == "warning"
    assert "they need credentials" in checks["skipped"].text


def test_expired_credentials(cloud: Cloud) -> None:
    cloud.service.expired = True

    account = check_named("account", cloud.workspace)

    assert (account.state, account.exit_code) == ("failed", 3)
    assert "Log in again" in account.fix


@pytest.mark.parametrize("region", ["", REGION])
def test_a_missing_profile(cloud: Cloud, monkeypatch: pytest.MonkeyPatch, region: str) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    monkeypatch.delenv("AWS_DEFAULT_REGION")

    checks = checks_by_name(cloud.workspace, config(region=region))

    assert checks["region"].state == "failed"
    assert "(nobody) could not be found" in checks["region"].text
    assert checks["region"].fix == refusal("ProfileNotFound").hint


def test_no_region(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION")

    checks = checks_by_name(cloud.workspace, config(region=""))

    assert list(checks) == ["config", "region", "skipped", "memory"]
    assert (checks["region"].text, checks["region"].exit_code) == ("No AWS region is known.", 2)
    assert "aws.region" in checks["region"].fix


def test_no_boto3(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "boto3", None)

    checks = checks_by_name(cloud.workspace)

    assert list(checks) == ["config", "boto3", "skipped", "memory"]
    assert checks["boto3"].fix == "Install it: pip install boto3"


def test_no_bucket_hides_nothing_else(cloud: Cloud) -> None:
    checks = checks_by_name("s3://nobody-has-this-bucket/w")

    assert (checks["bucket"].state, checks["bucket"].exit_code) == ("failed", 3)
    assert checks["bucket"].text == "There is no bucket nobody-has-this-bucket."
    assert "basketwise aws provision" in checks["bucket"].fix
    assert "versioning" in checks["skipped"].text
    assert not {"workspace", "versioning", "raw"} & set(checks)
    assert {"role", "rights", "group", "spot", "image"} <= set(checks)


def test_an_address_that_cannot_be(cloud: Cloud) -> None:
    checks = checks_by_name("s3://UPPER/w")

    assert (checks["workspace"].state, checks["workspace"].exit_code) == ("failed", 2)
    assert "is not a valid S3 address" in checks["workspace"].text
    assert "bucket" not in checks
    assert checks["role"].state == "ok"


def test_a_bucket_in_another_region(cloud: Cloud) -> None:
    settings = config(region="eu-west-1")

    bucket = check_named("bucket", cloud.workspace, settings)

    assert (bucket.state, bucket.exit_code) == ("failed", 2)
    assert "is in us-east-1, the jobs would run in eu-west-1" in bucket.text
    assert "Set aws.region to us-east-1" in bucket.fix
    assert check_named("workspace", cloud.workspace, settings).state == "ok"


@pytest.mark.parametrize(
    ("constraint", "region"),
    [
        (None, "us-east-1"),
        ("", "us-east-1"),
        ("EU", "eu-west-1"),
        ("eu-west-1", "eu-west-1"),
        ("ap-southeast-2", "ap-southeast-2"),
    ],
)
def test_regions_of_buckets(constraint: str | None, region: str) -> None:
    assert region_of(constraint) == region


def test_a_workspace_in_use(cloud: Cloud) -> None:
    with open_storage(cloud.workspace, config().aws).exclusive():
        workspace = check_named("workspace", cloud.workspace)

    assert (workspace.state, workspace.exit_code) == ("failed", 2)
    assert "Another run is using" in workspace.text


def test_keys_that_s3_does_not_know(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "somebody-else")

    bucket = check_named("bucket", cloud.workspace)

    assert (bucket.state, bucket.exit_code) == ("failed", 3)
    assert "check AWS_PROFILE" in bucket.fix


def test_no_group_yet(cloud: Cloud) -> None:
    cloud.registry.groups.clear()

    check = group(config(), cloud.names)

    assert check.state == "warning"
    assert "There is no model package group" in check.text
    assert "the first run" in check.fix


def test_another_registry_needs_no_group(cloud: Cloud) -> None:
    settings = Config(aws=config().aws, registry=RegistryConfig(uri="ftp://host"))

    checks = checks_by_name(cloud.workspace, settings)

    assert "group" not in checks
    assert (checks["registry"].state, checks["registry"].exit_code) == ("failed", 2)


def test_denied_checks_are_warnings(cloud: Cloud) -> None:
    cloud.service.denied = {
        *("GetRole", "SimulatePrincipalPolicy", "DescribeModelPackageGroup", "ListServiceQuotas")
    }

    checks = checks_by_name(cloud.workspace)

    unknown = {name for name, check in checks.items() if check.text.startswith("Not known: ")}
    assert unknown == {"group", "role", "rights", "quotas"}
    assert {checks[name].state for name in unknown} == {"warning"}
    assert {checks[name].fix for name in unknown} == {PERMIT}
    assert "failed" not in states(checks).values()


def test_a_denied_check_that_every_run_needs_fails(cloud: Cloud) -> None:
    cloud.service.denied = {"ListModelPackages"}

    registry = check_named("registry", cloud.workspace)

    assert (registry.state, registry.fix, registry.exit_code) == ("failed", PERMIT, 3)


def test_versions_in_sagemaker_of_a_missing_workspace(cloud: Cloud, tmp_path: Path) -> None:
    settings = Config(aws=config().aws, registry=RegistryConfig(uri="sagemaker"))
    location = str(tmp_path / "w")

    reached = check_named("registry", location, settings)
    cloud.service.expired = True
    refused = check_named("registry", location, settings)

    assert reached.text == "sagemaker: 0 versions, champion: none"
    assert (refused.state, refused.exit_code) == ("failed", 3)


def test_the_projects_bucket_is_the_workspace(cloud: Cloud, tmp_path: Path) -> None:
    local = str(tmp_path / "w")

    named = check_named("bucket", local, aws=True)
    chosen = check_named("workspace", local, config(bucket=cloud.names.bucket), aws=True)

    assert named.text == f"There is no bucket mlops-retail-prediction-dev-{ACCOUNT}."
    assert chosen.text == f"s3://{cloud.names.bucket} is writable and not in use"
    assert not (tmp_path / "w").exists()
