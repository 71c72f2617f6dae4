from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from basketwise.aws import clients
from basketwise.aws.requests.emr import MAIN
from tests.aws.double.cloud import Cloud
from tests.aws.service_model import check
from tests.cli.calling import call, called

ROLE = "arn:aws:iam::123456789012:role/emr-etl"
GIVEN = ("--application", "00abc", "--role-arn", ROLE, "--environment", "s3://b/code/env.tar.gz")


class Serverless:
    """Takes what EMR Serverless takes."""

    def __init__(self, refusal: str = "") -> None:
        self.refusal = refusal
        self.requests: list[dict[str, Any]] = []

    def start_job_run(self, **request: Any) -> dict[str, str]:
        if self.refusal:
            error = {"Error": {"Code": self.refusal, "Message": "no such application"}}
            raise ClientError(error, "StartJobRun")  # type: ignore[arg-type]
        check("emr-serverless", "StartJobRun", request | {"clientToken": "boto3"})
        self.requests.append(request)
        return {"jobRunId": "00run"}


@pytest.fixture
def serverless(monkeypatch: pytest.MonkeyPatch) -> Serverless:
    own, client = Serverless(), clients.client

    def chosen(service: str, config: Any) -> Any:
        return own if service == "emr-serverless" else client(service, config)

    monkeypatch.setattr(clients, "client", chosen)
    return own


def test_it_uploads_the_entry_point_and_starts_the_job(
    cloud: Cloud, serverless: Serverless
) -> None:
    done = called("aws", "emr", "shop.raw.lines", *GIVEN, "--workspace", cloud.workspace, "--json")
    assert json.loads(done.out)["job_run"] == "00run"
    (request,) = serverless.requests
    submit = request["jobDriver"]["sparkSubmit"]
    assert submit["entryPointArguments"][-1] == cloud.workspace
    key = submit["entryPoint"].removeprefix(f"s3://{cloud.names.bucket}/")
    body = cloud.s3.get_object(Bucket=cloud.names.bucket, Key=key)["Body"].read()
    assert body.decode() == MAIN


def test_a_dry_run_prints_the_request_only(cloud: Cloud, serverless: Serverless) -> None:
    where = ("--workspace", cloud.workspace, "--dry-run")
    request = json.loads(called("aws", "emr", "shop.raw.lines", *GIVEN, *where).out)
    assert (request["applicationId"], request["executionRoleArn"]) == ("00abc", ROLE)
    assert not serverless.requests
    assert not cloud.keys("code")


def test_a_refusal_is_said_in_the_words_of_aws(cloud: Cloud, serverless: Serverless) -> None:
    serverless.refusal = "ResourceNotFoundException"
    done = call("aws", "emr", "shop.raw.lines", *GIVEN, "--workspace", cloud.workspace)
    assert done.code == 3
    assert "no such application" in done.err
