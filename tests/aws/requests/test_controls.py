"""VPC, key, isolation and tags in every request, and the guardrails of organizations."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from basketwise.aws.names import names_of, project_tags, tags
from basketwise.aws.requests.emr import emr_job
from basketwise.aws.requests.endpoint import endpoint_requests
from basketwise.aws.requests.model_package import package_group
from basketwise.aws.requests.pipeline import definition_text, pipeline
from basketwise.aws.requests.processing import etl_job, evaluation_job
from basketwise.aws.requests.training import training_job
from basketwise.config import AwsConfig, Config
from basketwise.errors import ConfigError
from tests.aws.calls import ACCOUNT
from tests.aws.controls import BY_NAME, GROUPS, KEY, OWN_TAGS, SUBNETS, aws
from tests.aws.guardrails import (
    ISOLATED,
    WITHOUT_KEY,
    WITHOUT_VPC,
    context,
    only_in,
    only_with,
)
from tests.aws.iam_rules import allows
from tests.aws.requests.examples import BUCKET, IMAGE, NAMES, RUN
from tests.aws.requests.test_endpoint import OPTIONS, URL, approved
from tests.aws.requests.test_pipeline import filled
from tests.aws.service_model import check

each = pytest.mark.parametrize("name", BY_NAME)

OWN_IMAGE = {"image": "own", "image_uri": f"{ACCOUNT}.dkr.ecr.eu-west-1.amazonaws.com/own:1"}
VPC_CONFIG = {"Subnets": list(SUBNETS), "SecurityGroupIds": list(GROUPS)}


def made(name: str, **more: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """Give every request that starts or serves something, by its operation."""
    config = Config(aws=aws(name, **more))
    names = names_of(config, account_id=ACCOUNT, region=NAMES.region)
    yield "CreateProcessingJob", etl_job(names, config, RUN)
    yield "CreateProcessingJob", evaluation_job(names, config, RUN)
    yield "CreateTrainingJob", training_job(names, config, RUN)
    if not config.aws.network_isolation:
        spark = config.model_copy(update={"aws": aws(name, etl="spark", **more)})
        yield "CreateProcessingJob", etl_job(names, spark, RUN)
    for step in json.loads(definition_text(names, config))["Steps"]:
        if step["Type"] in ("Processing", "Training"):
            arguments = {f"{step['Type']}JobName": "pipelines-x", **filled(step["Arguments"])}
            yield f"Create{step['Type']}Job", arguments
    served = endpoint_requests(
        replace(approved(), aws=config.aws),
        OPTIONS,
        image=IMAGE,
        model_url=URL,
        self_contained=True,
        tags=tags(names),
    )
    for request in ("create-model", "create-endpoint-config", "create-endpoint"):
        yield served[request].operation, served[request].parameters


@each
@pytest.mark.parametrize("more", [{}, OWN_IMAGE])
def test_aws_accepts_every_request(name: str, more: dict[str, Any]) -> None:
    for operation, request in made(name, **more):
        check("sagemaker", operation, request, bucket=BUCKET)


def test_without_settings_requests_say_nothing_of_them() -> None:
    text = json.dumps([request for _, request in made("none")])
    assert "VpcConfig" not in text
    assert "NetworkConfig" not in text
    assert "KmsKeyId" not in text
    assert "PIP_FIND_LINKS" not in text


def test_every_job_and_model_is_in_the_vpc() -> None:
    for operation, request in made("vpc"):
        if operation == "CreateProcessingJob":
            assert request["NetworkConfig"] == {"VpcConfig": VPC_CONFIG}
        elif operation in ("CreateTrainingJob", "CreateModel"):
            assert request["VpcConfig"] == VPC_CONFIG


def test_the_key_encrypts_volumes_and_outputs() -> None:
    operations = []
    for operation, request in made("key"):
        operations.append(operation)
        if operation == "CreateProcessingJob":
            assert request["ProcessingOutputConfig"]["KmsKeyId"] == KEY
            assert request["ProcessingResources"]["ClusterConfig"]["VolumeKmsKeyId"] == KEY
        elif operation == "CreateTrainingJob":
            assert request["OutputDataConfig"]["KmsKeyId"] == KEY
            assert request["ResourceConfig"]["VolumeKmsKeyId"] == KEY
        elif operation == "CreateEndpointConfig":
            assert request["KmsKeyId"] == KEY
    assert operations.count("CreateProcessingJob") == 5
    assert operations.count("CreateTrainingJob") == 2


@pytest.mark.parametrize("more", [{}, OWN_IMAGE])
def test_isolated_jobs_of_awss_image_install_from_the_code_alone(more: dict[str, Any]) -> None:
    for operation, request in made("isolation", **more):
        variables = request.get("Environment", {})
        if operation.endswith("Job"):
            network = request.get("NetworkConfig", request)
            assert network["EnableNetworkIsolation"] is True
            assert ("PIP_NO_INDEX" in variables) is not bool(more)
        if "PIP_FIND_LINKS" in variables:
            mounts = json.dumps(request)
            folder = variables["PIP_FIND_LINKS"].removesuffix("/wheels")
            assert folder in (
                *(f"/opt/ml/processing/{part}" for part in ("code",)),
                "/opt/ml/input/data/code",
            )
            assert folder in mounts or operation == "CreateTrainingJob"


def test_what_is_tagged_has_ones_own_tags() -> None:
    config = Config(aws=aws("tags"))
    names = names_of(config, account_id=ACCOUNT, region=NAMES.region)
    own = [{"Key": key, "Value": value} for key, value in OWN_TAGS.items()]
    requests = [request for _, request in made("tags") if "Tags" in request]
    requests += [package_group(names), pipeline(names, config)]
    for request in requests:
        assert [tag for tag in request["Tags"] if tag in own] == own
        assert len({tag["Key"] for tag in request["Tags"]}) == len(request["Tags"])
    started = emr_job(names, config, application="a", role_arn="r", packed="p", data="d")
    assert OWN_TAGS.items() <= started["tags"].items()
    # By these alone clean-up recognises what is the project's: one's own may change.
    assert project_tags(names) == project_tags(NAMES)


def test_another_key_is_another_endpoint_configuration_and_no_other_model() -> None:
    def names(config: AwsConfig) -> tuple[str, str]:
        model = replace(approved(), aws=config)
        served = endpoint_requests(model, OPTIONS, image=IMAGE, model_url=URL)
        parts = served["create-endpoint-config"].parameters
        return parts["EndpointConfigName"], parts["ProductionVariants"][0]["ModelName"]

    plain, keyed, inside = names(AwsConfig()), names(aws("key")), names(aws("vpc"))
    assert keyed[0] != plain[0]
    assert keyed[1] == plain[1]
    assert inside[1] != plain[1]


def test_a_model_that_needs_the_network_is_not_isolated_from_it() -> None:
    model = replace(approved(), aws=aws("isolation"))
    with pytest.raises(ConfigError, match="brings no libraries") as refused:
        endpoint_requests(model, OPTIONS, image=IMAGE, model_url=URL)
    assert "self-contained" in refused.value.hint


def test_instances_that_encrypt_by_themselves_take_no_key() -> None:
    model = replace(approved("ml.m5d.large"), aws=aws("key"))
    with pytest.raises(ConfigError, match=r"'ml\.m5d\.large' has disks of its own"):
        endpoint_requests(model, OPTIONS, image=IMAGE, model_url=URL)


def test_aws_image_does_not_run_on_graviton() -> None:
    model = approved("ml.m7g.large")
    with pytest.raises(ConfigError, match=r"'ml\.m7g\.large' has an ARM64 processor"):
        endpoint_requests(model, OPTIONS, image=IMAGE, model_url=URL)
    own = f"{ACCOUNT}.dkr.ecr.eu-west-1.amazonaws.com/shop/basketwise:arm"
    assert endpoint_requests(model, OPTIONS, image=own, model_url=URL)


# --- guardrails --------------------------------------------------------------------------------

SERVED = {"CreateModel"}
GUARDRAILS = {
    "PreventNonVPCDeploymentSageMaker": (WITHOUT_VPC, "vpc", SERVED),
    "SageMakerJobEnforceEncryption": (WITHOUT_KEY, "key", set[str]()),
    "AllowFromVpc": (only_in(list(SUBNETS), list(GROUPS)), "vpc", SERVED),
    "EnforceEncryption": (only_with(KEY), "key", set[str]()),
    # Models of archives with libraries are isolated without being asked for.
    "EnforceIsolation": (ISOLATED, "isolation", set[str]()),
}
"""By the name in AWS's text: the policy, the setting, what it holds besides jobs."""


def permitted(policy: dict[str, Any], operation: str, request: dict[str, Any]) -> bool:
    return allows(policy, f"sagemaker:{operation}", "*", context(operation, request))


@pytest.mark.parametrize("guardrail", GUARDRAILS)
def test_a_guardrail_denies_jobs_without_the_setting_and_allows_them_with_it(
    guardrail: str,
) -> None:
    policy, name, more = GUARDRAILS[guardrail]
    held = {"CreateProcessingJob", "CreateTrainingJob", *more}

    def answers(combination: str) -> set[tuple[str, bool]]:
        return {
            (operation, permitted(policy, operation, request))
            for operation, request in made(combination)
            if operation in held
        }

    # Every single request: none slips through.
    assert answers("none") == {(operation, False) for operation in held}
    assert answers(name) == {(operation, True) for operation in held}
    assert answers("all") == {(operation, True) for operation in held}


def test_other_subnets_and_keys_are_not_permitted() -> None:
    for operation, request in made("all"):
        if operation in ("CreateProcessingJob", "CreateTrainingJob"):
            assert permitted(only_in([*SUBNETS, "subnet-9"], [*GROUPS]), operation, request)
            assert not permitted(only_in([SUBNETS[0]], [*GROUPS]), operation, request)
            assert not permitted(only_in([*SUBNETS], ["sg-9"]), operation, request)
            assert not permitted(only_with(KEY.replace("1234", "9876")), operation, request)


def test_a_demand_for_tags_is_met() -> None:
    demanding = {
        "Statement": [
            {
                "Effect": "Allow",
                "Action": "sagemaker:*",
                "Resource": "*",
                "Condition": {"Null": {"aws:RequestTag/CostCentre": "false"}},
            }
        ]
    }
    assert all(permitted(demanding, *item) for item in made("tags"))
    assert not any(permitted(demanding, *item) for item in made("none"))
