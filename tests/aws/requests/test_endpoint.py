from __future__ import annotations

import json
import os
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from moto.events.models import EventPattern

from basketwise.aws.rendering import endpoint_files, requests_for
from basketwise.aws.requests.endpoint import (
    Request,
    create_config,
    endpoint_requests,
    names_of,
)
from basketwise.deploy.approved import ApprovedModel, AutoScaling, Deployment, EndpointConfig
from basketwise.deploy.example import Example
from basketwise.deploy.library import Library
from basketwise.deploy.options import Options
from basketwise.errors import ConfigError
from tests.aws.account.test_notices import EVENT
from tests.aws.requests.examples import BUCKET, IMAGE, RUN
from tests.aws.service_model import check

URL = f"s3://{BUCKET}/artifacts/{RUN}/model.tar.gz"
OWN = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/own@sha256:" + "4" * 64
OPTIONS = Options(role_arn="arn:aws:iam::123456789012:role/serving")


def approved(
    instance: str = "ml.m5.large",
    count: int = 1,
    least: int = 1,
    most: int = 10,
    image: str | None = IMAGE,
    url: str = URL,
) -> ApprovedModel:
    return ApprovedModel(
        version="999999999",
        group="retail-price-sensitivity-models",
        uri="arn:aws:sagemaker:eu-west-1:123456789012:model-package/x/3",
        model_name="xgboost",
        sha256="ab" * 32,
        archive=Path("model.tar.gz"),
        model_data_url=url,
        image_uri=image,
        deployment=Deployment(
            endpoint_config=EndpointConfig(instance_type=instance, initial_instance_count=count),
            auto_scaling=AutoScaling(
                min_capacity=least, max_capacity=most, target_cpu_utilization=70
            ),
        ),
        document="{}",
        library=Library.XGBOOST,
        example=Example({}, []),
    )


@pytest.fixture(autouse=True)
def slim(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is no archive: the models here are made up."""
    monkeypatch.setattr("basketwise.aws.rendering.is_self_contained", lambda _: False)


def requests(model: ApprovedModel, options: Options = OPTIONS, image: str = IMAGE) -> Any:
    return endpoint_requests(model, options, image=image, model_url=URL)


def parameters(model: ApprovedModel, name: str, **given: str) -> dict[str, Any]:
    found: Request = requests(model, **given)[name]  # type: ignore[arg-type]
    return found.parameters


@pytest.mark.parametrize("image", [IMAGE, OWN])
@pytest.mark.parametrize("name", ["retail-api", "r" * 32])
@pytest.mark.parametrize(
    "model", [approved(), approved("ml.t2.medium", 2), approved("ml.c5.4xlarge", 3, 2, 4)]
)
def test_aws_accepts_it(model: ApprovedModel, name: str, image: str) -> None:
    for request in requests(model, OPTIONS.model_copy(update={"name": name}), image).values():
        bucket = BUCKET if request.service == "sagemaker" else ""
        check(request.service, request.operation, request.parameters, bucket=bucket)


def test_model_and_configuration_are_named_after_the_version_and_what_is_in_them() -> None:
    first = names_of(approved(), OPTIONS, {"a": 1})
    assert first.endpoint == "retail-api"
    assert first.model.startswith("retail-api-999999999-abababababab-")
    assert names_of(approved(), OPTIONS, {"a": 1}) == first
    other = names_of(approved("ml.m5.xlarge"), OPTIONS, {"a": 1})
    assert (other.model, other.config != first.config) == (first.model, True)
    other = names_of(approved(), OPTIONS, {"a": 2})
    assert other.model != first.model
    assert other.config != first.config


def test_awss_image_needs_the_code_in_the_archive_and_an_index() -> None:
    request = parameters(approved(), "create-model")
    assert request["PrimaryContainer"] == {
        "Image": IMAGE,
        "ModelDataUrl": URL,
        "Environment": {
            "SAGEMAKER_PROGRAM": "inference.py",
            "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code",
            "SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT": "*/*",
        },
    }
    assert request["EnableNetworkIsolation"] is False
    assert {"Key": "ModelSha256", "Value": "ab" * 32} in request["Tags"]


def test_awss_image_has_no_network_if_the_archive_carries_its_libraries() -> None:
    requests = endpoint_requests(
        approved(), OPTIONS, image=IMAGE, model_url=URL, self_contained=True
    )
    request = requests["create-model"].parameters
    assert request["EnableNetworkIsolation"] is True
    assert request["PrimaryContainer"]["Environment"]["PIP_NO_INDEX"] == "1"
    slim = parameters(approved(), "create-endpoint-config")
    assert (
        requests["create-endpoint-config"].parameters["EndpointConfigName"]
        != (slim["EndpointConfigName"])
    )


def test_the_archive_is_asked_whether_it_carries_them(monkeypatch: pytest.MonkeyPatch) -> None:
    archive = approved().archive
    monkeypatch.setattr("basketwise.aws.rendering.is_self_contained", lambda path: path == archive)
    request = requests_for(approved(), OPTIONS)["create-model"].parameters
    assert request["EnableNetworkIsolation"] is True


def test_an_image_of_ones_own_has_no_network() -> None:
    request = parameters(approved(), "create-model", image=OWN)
    assert request["PrimaryContainer"] == {"Image": OWN, "ModelDataUrl": URL}
    assert request["EnableNetworkIsolation"] is True


def test_an_alarm_sends_an_update_back() -> None:
    request = parameters(approved(), "update-endpoint")["DeploymentConfig"]
    alarms = {alarm["AlarmName"] for alarm in request["AutoRollbackConfiguration"]["Alarms"]}
    made = {parameters(approved(), f"alarm-{name}")["AlarmName"] for name in ("errors", "latency")}
    assert alarms == made == {"retail-api-errors", "retail-api-latency"}
    waits = request["BlueGreenUpdatePolicy"]
    assert waits["TerminationWaitInSeconds"] > 2 * 60
    routing = waits["TrafficRoutingConfiguration"]
    together = waits["TerminationWaitInSeconds"] + routing["WaitIntervalInSeconds"]
    assert waits["MaximumExecutionTimeoutInSeconds"] > together


@pytest.mark.parametrize(("count", "kind"), [(1, "ALL_AT_ONCE"), (2, "CANARY")])
def test_one_of_several_instances_is_tried_first(count: int, kind: str) -> None:
    policy = parameters(approved(count=count), "update-endpoint")["DeploymentConfig"]
    routing = policy["BlueGreenUpdatePolicy"]["TrafficRoutingConfiguration"]
    assert routing["Type"] == kind
    # SageMaker allows at most half of them.
    assert ("CanarySize" in routing) is (count > 1)


def test_it_scales_as_the_configuration_says() -> None:
    model = approved("ml.m5.xlarge", least=2, most=6)
    target = parameters(model, "register-scalable-target")
    assert (target["MinCapacity"], target["MaxCapacity"]) == (2, 6)
    assert target["ResourceId"] == "endpoint/retail-api/variant/AllTraffic"
    policy = parameters(model, "put-scaling-policy")
    assert policy["TargetTrackingScalingPolicyConfiguration"]["TargetValue"] == 280
    config = create_config(model, names_of(model, OPTIONS, {}))
    assert config["ProductionVariants"][0]["InitialInstanceCount"] == 2


def test_burstable_instances_are_not_scaled() -> None:
    model = approved("ml.t2.medium", count=3, least=5)
    assert not [name for name in requests(model) if "scal" in name]
    config = create_config(model, names_of(model, OPTIONS, {}))
    assert config["ProductionVariants"][0]["InitialInstanceCount"] == 3


@pytest.mark.parametrize(
    ("model", "options", "message"),
    [
        (approved(), Options(), "--role-arn is missing"),
        (approved(image=None), OPTIONS, "--image is missing: the registry knows of none"),
        (approved(url="registry/artifacts/1"), OPTIONS, "--model-url is missing: the archive of"),
    ],
)
def test_what_only_the_user_knows_is_asked_for(
    model: ApprovedModel, options: Options, message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        endpoint_files(model, options, Path())


def test_what_the_user_gives_is_taken() -> None:
    given = OPTIONS.model_copy(update={"image": OWN, "model_url": "s3://other/model.tar.gz"})
    files = endpoint_files(approved(image=None, url="here"), given, Path())
    container = json.loads(str(files["create-model.json"]))["PrimaryContainer"]
    assert container == {"Image": OWN, "ModelDataUrl": "s3://other/model.tar.gz"}


FAKE = """\
#!/bin/sh
# An AWS that keeps what exists as files, and what is served as a text.
echo "$1 $2" >>"$CALLS"
case "$2" in
    describe-model) test -e "$STATE/$4" ;;
    describe-endpoint-config) test -e "$STATE/$4" ;;
    describe-endpoint) [ $# -le 4 ] && exec test -e "$STATE/serving"; cat "$STATE/serving" ;;
    create-endpoint | update-endpoint)
        [ "${ROLLED_BACK:-}" ] || sed -n 's/.*"EndpointConfigName": "\\(.*\\)".*/\\1/p' \
            "$2.json" >"$STATE/serving" ;;
    create-model) touch "$STATE/$(sed -n 's/.*"ModelName": "\\(.*\\)".*/\\1/p' "$2.json")" ;;
    create-endpoint-config)
        touch "$STATE/$(sed -n 's/.*"EndpointConfigName": "\\(.*\\)".*/\\1/p' "$2.json")" ;;
esac
"""


class Cloud:
    """Runs rendered scripts with a stand-in of AWS's command line."""

    def __init__(self, root: Path) -> None:
        self.root, self.state, self.calls = root, root / "state", root / "calls"
        self.state.mkdir()
        (root / "bin").mkdir()
        fake = root / "bin" / "aws"
        fake.write_text(FAKE, encoding="utf-8")
        fake.chmod(0o755)

    def run(self, model: ApprovedModel, **environment: str) -> tuple[int, list[str], str]:
        """Return exit code, what changed something, and the message."""
        folder = self.root / "rendered it's"
        folder.mkdir(exist_ok=True)
        for name, text in endpoint_files(model, OPTIONS, folder).items():
            (folder / name).write_text(str(text), encoding="utf-8")
        self.calls.write_text("", encoding="utf-8")
        own = {"PATH": f"{self.root / 'bin'}{os.pathsep}{os.environ['PATH']}"}
        own |= {"CALLS": str(self.calls), "STATE": str(self.state)}
        done = subprocess.run(
            ["sh", str(folder / "deploy.sh")],
            env=own | environment,
            capture_output=True,
            text=True,
            check=False,
        )
        calls = self.calls.read_text(encoding="utf-8").splitlines()
        changes = [call.split()[1] for call in calls if "describe" not in call]
        return done.returncode, changes, done.stdout + done.stderr


@pytest.fixture
def cloud(tmp_path: Path) -> Cloud:
    return Cloud(tmp_path)


ALARMS = ["put-metric-alarm", "put-metric-alarm"]
SCALING = ["register-scalable-target", "put-scaling-policy"]


def test_the_script_creates_updates_and_can_be_repeated(cloud: Cloud) -> None:
    create = ["create-model", "create-endpoint-config", *ALARMS]
    code, changes, message = cloud.run(approved())
    assert (code, changes) == (0, [*create, "create-endpoint", "wait", *SCALING])
    assert message == "retail-api serves version 999999999.\n"
    code, changes, _ = cloud.run(approved())
    assert (code, changes) == (0, [*ALARMS, "wait", *SCALING])
    code, changes, _ = cloud.run(replace(approved("ml.t2.medium"), version="4"))
    assert (code, changes) == (0, [*create, "update-endpoint", "wait"])


def test_the_script_says_that_an_update_was_rolled_back(cloud: Cloud) -> None:
    cloud.run(approved())
    before = (cloud.state / "serving").read_text(encoding="utf-8").strip()
    code, changes, message = cloud.run(replace(approved(), version="4"), ROLLED_BACK="yes")
    assert code == 1
    assert changes[-2:] == ["update-endpoint", "wait"]
    assert message == f"retail-api serves {before} again: the update was rolled back.\n"


def test_an_approval_of_the_group_starts_a_rollout(tmp_path: Path) -> None:
    rule = json.loads(str(endpoint_files(approved(), OPTIONS, tmp_path)["put-rule.json"]))
    check("events", "PutRule", rule)
    pattern = json.loads(rule["EventPattern"])
    for status, expected in (("Approved", True), ("Rejected", True), ("PendingManualApproval", 0)):
        event: Any = EVENT | {"detail": {"ModelPackageGroupName": "x"}}
        event["detail"]["ModelApprovalStatus"] = status
        assert EventPattern(None, pattern).matches_event(event) is bool(expected)
    assert not EventPattern(None, pattern).matches_event(EVENT)  # type: ignore[arg-type]


def test_a_version_outside_sagemaker_has_no_event(tmp_path: Path) -> None:
    model = replace(approved(), uri="models:/x/3")
    assert "put-rule.json" not in endpoint_files(model, OPTIONS, tmp_path)
