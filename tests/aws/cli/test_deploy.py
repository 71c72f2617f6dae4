"""``aws deploy`` on the double: an endpoint that follows the champion."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from basketwise.aws.account.policies import policy
from basketwise.aws.names import tags
from basketwise.config import AwsConfig, RegistryConfig
from basketwise.digests import sha256
from basketwise.registry.opening import open_registry
from basketwise.registry.protocol import ApprovalState, Registry, Submission
from basketwise.template import toml_value as written
from tests.aws.calls import CALLS, SCALING
from tests.aws.controls import GROUPS, KEY, OWN_TAGS, SUBNETS, VPC
from tests.aws.double.cloud import Cloud, running_cloud
from tests.aws.double.resources import Resources
from tests.aws.iam_rules import allows
from tests.aws.recording import Recorder
from tests.cli.calling import Outcome, call, called
from tests.etl.running import Run
from tests.evaluation.running import Evaluated, tree_archive
from tests.seaweed import S3Server

QUICK = ("--set", "aws.poll_seconds=0.01")
SCALABLE = ("--set", "deployment.instance_type=ml.m5.large")


class Shop:
    """A workspace in a bucket with two versions; the first is approved."""

    def __init__(self, cloud: Cloud, resources: Resources, registry: Registry) -> None:
        self.cloud, self.resources, self.registry = cloud, resources, registry
        self.workspace = ("--workspace", cloud.workspace)

    def deploy(self, *more: str) -> Outcome:
        return call("aws", "deploy", *self.workspace, *QUICK, *more)

    @property
    def endpoint(self) -> Any:
        return self.resources.by_kind["Endpoint"]["retail-api"]


@pytest.fixture(scope="module")
def workspace(
    s3_server: S3Server,
    evaluated: Evaluated,
    sample_run: Run,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Shop]:
    folder, resources = tmp_path_factory.mktemp("deployed"), Resources()
    archive = tree_archive(evaluated, sample_run.gold, folder)
    with running_cloud(s3_server, folder, resources) as cloud:
        registry = open_registry(
            RegistryConfig(), folder / "registry", AwsConfig(), cloud.workspace
        )
        made = Shop(cloud, resources, registry)
        cloud.registry.CreateModelPackageGroup({"ModelPackageGroupName": cloud.names.group})
        for run in ("run-20260203-120005", "run-20260203-120006"):
            registry.register(
                Submission(run, archive, sha256(archive), "", {}, {}, {"model_name": "x"}),
                who="test",
            )
        yield made


@pytest.fixture
def shop(workspace: Shop) -> Shop:
    """Version 1 leads; nothing is deployed yet."""
    vars(workspace.resources).update(vars(Resources()))
    workspace.registry.set_state("2", ApprovalState.REJECTED, who="test", why="later")
    called("models", "approve", "1", *workspace.workspace, *SCALABLE)
    return workspace


def test_an_endpoint_is_created_updated_and_led_back(shop: Shop) -> None:
    recorder = Recorder("deploy", shop.cloud.names)
    with recorder.everywhere():
        outcome = shop.deploy()
        assert outcome.code == 0, outcome
        assert outcome.out.startswith("retail-api serves version 1, sha256 ")
        first = shop.endpoint["EndpointConfigName"]
        assert shop.deploy("--json").json["status"] == "unchanged"

    called("models", "approve", "2", *shop.workspace, *SCALABLE)
    with recorder.everywhere():
        document = shop.deploy("--json").json
    assert (document["status"], document["version"]) == ("updated", "2")
    assert shop.endpoint["EndpointConfigName"] == document["config"] != first

    called("models", "rollback", *shop.workspace, *SCALABLE)
    document = shop.deploy("--json").json
    # The former configuration is still there.
    assert (document["status"], document["version"]) == ("updated", "1")
    assert shop.endpoint["EndpointConfigName"] == first
    models = shop.resources.names("Model")
    assert len(models) == 2
    given = shop.resources.tags[shop.cloud.names.arn(f"model/{models[0]}")]
    # So that `aws clean` removes it, once no endpoint uses it.
    assert all(tag in given for tag in tags(shop.cloud.names))
    assert {"Key": "ModelVersion", "Value": "1"} in given
    assert set(shop.resources.alarms) == {"retail-api-errors", "retail-api-latency"}
    assert [sent["ResourceId"] for sent in shop.resources.scaled] == [
        "endpoint/retail-api/variant/AllTraffic"
    ] * 8

    shipped = policy("deploy", shop.cloud.names)
    refused = {
        str(item)
        for item in recorder.calls
        if not allows(shipped, item.action, item.resource, item.context)
    }
    assert not refused
    listed = {item.action for item in CALLS if item.who == "deploy" and item.origin != SCALING}
    assert listed == {item.action for item in recorder.calls}


def test_it_is_deployed_into_a_vpc_with_a_key_and_tags(shop: Shop) -> None:
    settings = AwsConfig(**VPC, kms_key=KEY, tags=OWN_TAGS)
    given = {
        "aws.subnets": list(SUBNETS),
        "aws.security_groups": list(GROUPS),
        "aws.kms_key": KEY,
        "aws.tags": OWN_TAGS,
    }
    flags = [
        word for name, value in given.items() for word in ("--set", f"{name}={written(value)}")
    ]
    recorder = Recorder("deploy", shop.cloud.names)
    with recorder.everywhere():
        outcome = shop.deploy(*flags)
    assert outcome.code == 0, outcome
    (model,) = shop.resources.by_kind["Model"].values()
    assert model["VpcConfig"] == {"Subnets": list(SUBNETS), "SecurityGroupIds": list(GROUPS)}
    (config,) = shop.resources.by_kind["EndpointConfig"].values()
    assert config["KmsKeyId"] == KEY
    for tags_of_one in shop.resources.tags.values():
        assert OWN_TAGS.items() <= {tag["Key"]: tag["Value"] for tag in tags_of_one}.items()
    shipped = policy("deploy", shop.cloud.names, settings)
    refused = {
        str(item)
        for item in recorder.calls
        if not allows(shipped, item.action, item.resource, item.context)
    }
    assert not refused
    assert {"kms:CreateGrant", "cloudwatch:TagResource"} <= {item.action for item in recorder.calls}
    for alarm in shop.resources.alarms.values():
        assert {tag["Key"]: tag["Value"] for tag in alarm["Tags"]} == OWN_TAGS


def test_isolation_refuses_an_archive_without_libraries(shop: Shop) -> None:
    outcome = shop.deploy("--set", "aws.network_isolation=true")
    assert outcome.code == 2
    assert "brings no libraries" in outcome.err
    assert shop.resources.names("Model") == []


def test_an_alarm_sends_it_back(shop: Shop) -> None:
    assert shop.deploy().code == 0
    first = shop.endpoint["EndpointConfigName"]
    called("models", "approve", "2", *shop.workspace, *SCALABLE)
    shop.resources.alarm = "retail-api-errors went off"
    outcome = shop.deploy()
    assert outcome.code == 3
    assert f"was rolled back, and serves {first} again: retail-api-errors went off" in outcome.err
    assert "basketwise models rollback --workspace s3://" in outcome.err
    assert shop.endpoint["EndpointConfigName"] == first


def test_an_endpoint_that_does_not_start_is_named_with_its_log(shop: Shop) -> None:
    shop.resources.creates = "Failed"
    outcome = shop.deploy()
    assert outcome.code == 3
    assert "The endpoint retail-api is Failed: SageMaker gives no reason" in outcome.err
    assert "/aws/sagemaker/Endpoints/retail-api" in outcome.err


def test_an_update_under_way_is_waited_for(shop: Shop) -> None:
    assert shop.deploy().code == 0
    called("models", "approve", "2", *shop.workspace, *SCALABLE)
    # As left by a command that was interrupted after it had asked for the update.
    wanted = shop.deploy("--json").json["config"]
    first = next(name for name in shop.resources.names("EndpointConfig") if name != wanted)
    shop.endpoint.update(EndpointStatus="Updating", EndpointConfigName=first)
    shop.resources._next["retail-api"] = {
        "EndpointStatus": "InService",
        "EndpointConfigName": wanted,
    }
    assert shop.deploy("--json").json["status"] == "unchanged"


def test_a_version_that_is_not_approved_any_more_is_refused(shop: Shop) -> None:
    called("models", "reject", "1", *shop.workspace)
    outcome = shop.deploy()
    assert outcome.code == 2
    assert "no version is approved" in outcome.err
    assert shop.resources.names("Model") == []
