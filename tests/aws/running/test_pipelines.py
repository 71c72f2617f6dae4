"""The pipeline, made, changed and started: on the double for SageMaker and a real S3 server."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from basketwise.aws.account.policies import policy
from basketwise.aws.clients import client
from basketwise.aws.requests.pipeline import definition_text
from basketwise.aws.running import executions, pipelines
from basketwise.aws.running.pipelines import data_version, start, upsert
from basketwise.config import AwsConfig, Config, EtlConfig, GateConfig, SplitConfig
from basketwise.errors import BasketwiseError, DependencyError, InputError
from tests.aws.calls import CALLS
from tests.aws.double.cloud import Cloud, running_cloud
from tests.aws.double.pipelines import Pipelines
from tests.aws.iam_rules import allows
from tests.aws.recording import Recorder
from tests.aws.requests.pipeline_schema import DEPARTURES, allowed, needs_schema, without
from tests.seaweed import S3Server

CONFIG = Config()
STRICT = Config(gate=GateConfig(min_accuracy=0.99))


@pytest.fixture
def cloud(s3_server: S3Server, tmp_path: Path) -> Iterator[Cloud]:
    """An account in which no image can be pulled: what is started fails at once."""
    with running_cloud(s3_server, tmp_path) as running:
        running.jobs.images = set()
        running.service.parts.append(
            Pipelines(running.jobs, running.registry, running.names.bucket)
        )
        yield running


@pytest.fixture
def sagemaker(cloud: Cloud) -> Any:
    return client("sagemaker", CONFIG.aws)


def put(cloud: Cloud, key: str, text: str) -> None:
    cloud.s3.put_object(Bucket=cloud.names.bucket, Key=cloud.names.key(key), Body=text.encode())


def ready(cloud: Cloud, sagemaker: Any) -> None:
    put(cloud, "raw/a.csv", "one")
    put(cloud, "code/basketwise.whl", "code")
    upsert(sagemaker, cloud.names, CONFIG)


def version(cloud: Cloud, config: Config = CONFIG) -> str:
    document = json.loads(definition_text(cloud.names, config))
    return data_version(cloud.s3, cloud.names, config, document)


def test_it_is_created_then_unchanged_then_updated(cloud: Cloud, sagemaker: Any) -> None:
    done = [upsert(sagemaker, cloud.names, config) for config in (CONFIG, CONFIG, STRICT, STRICT)]
    assert [item.action for item in done] == ["created", "unchanged", "updated", "unchanged"]
    assert {item.name for item in done} == {"mlops-retail-prediction-dev-pipeline"}
    assert {item.arn.rpartition(":")[2] for item in done} == {f"pipeline/{done[0].name}"}
    assert len(cloud.service.called("CreatePipeline")) == 1
    (changed,) = cloud.service.called("UpdatePipeline")
    assert json.loads(changed["PipelineDefinition"]) == json.loads(
        definition_text(cloud.names, STRICT)
    )


def test_another_role_is_a_change(cloud: Cloud, sagemaker: Any) -> None:
    upsert(sagemaker, cloud.names, CONFIG)
    names = dataclasses.replace(cloud.names, role_arn="arn:aws:iam::123456789012:role/other")
    assert upsert(sagemaker, names, CONFIG).action == "updated"


@needs_schema
def test_what_is_sent_is_what_awss_schema_allows_but_for_the_departures(
    cloud: Cloud, sagemaker: Any
) -> None:
    upsert(sagemaker, cloud.names, STRICT)
    (running,) = cloud.service.called("CreatePipeline")
    document = without(json.loads(running["PipelineDefinition"]), DEPARTURES)
    assert allowed(document)
    del document["Steps"][0]["Type"]
    assert not allowed(document)


def test_a_start_gives_everything_that_belongs_to_the_run(cloud: Cloud, sagemaker: Any) -> None:
    ready(cloud, sagemaker)
    started = start(sagemaker, cloud.s3, cloud.names, CONFIG, "run-1")
    assert started.started
    assert not started.other_settings
    (request,) = cloud.service.called("StartPipelineExecution")
    assert request["PipelineExecutionDisplayName"] == "run-1"
    values = {item["Name"]: item["Value"] for item in request["PipelineParameters"]}
    assert values["RunId"] == "run-1"
    assert values["DataVersion"] == started.data_version == version(cloud)
    assert values["GoldUri"] == cloud.names.uri("pipelines", started.data_version, "gold")
    assert values["RawUri"] == cloud.names.uri("raw")


def test_the_same_name_is_started_once(cloud: Cloud, sagemaker: Any) -> None:
    ready(cloud, sagemaker)
    item, again = (start(sagemaker, cloud.s3, cloud.names, CONFIG, "run-1") for _ in range(2))
    assert (item.started, again.started, again.arn) == (True, False, item.arn)
    # Somebody who asked before the first one was listed asks with the same token.
    with mock.patch.object(pipelines, "find_execution", return_value=None):
        simultaneous = start(sagemaker, cloud.s3, cloud.names, CONFIG, "run-1")
    assert simultaneous.arn == item.arn
    other = start(sagemaker, cloud.s3, cloud.names, CONFIG, "run-2")
    assert other.arn != item.arn
    assert other.data_version == item.data_version


def test_the_settings_that_count_are_the_pipelines(cloud: Cloud, sagemaker: Any) -> None:
    ready(cloud, sagemaker)
    changed = Config(etl=EtlConfig(outliers="keep"))
    started = start(sagemaker, cloud.s3, cloud.names, changed, "run-1")
    assert started.other_settings
    assert started.data_version == version(cloud)


def test_data_code_and_settings_make_the_data_version(cloud: Cloud) -> None:
    put(cloud, "code/basketwise.whl", "code")
    put(cloud, "raw/", "")
    put(cloud, "raw/a.csv", "one")
    result = [version(cloud)]
    assert version(cloud) == result[0]
    # The same bytes brought again are the same data.
    put(cloud, "raw/a.csv", "one")
    put(cloud, "gold/x.parquet", "gold")
    assert version(cloud) == version(cloud, STRICT) == result[0]
    for key, text in (
        ("raw/b.csv", "two"),
        ("raw/b.csv", "TWO"),
        ("raw/deeper/b.csv", "TWO"),
        ("code/basketwise.whl", "newer"),
    ):
        put(cloud, key, text)
        result.append(version(cloud))
    for config in (
        Config(etl=EtlConfig(outliers="keep")),
        Config(split=SplitConfig(test_size=0.3)),
        Config(aws=AwsConfig(image="own", image_uri="shop:1")),
    ):
        result.append(version(cloud, config))
    assert len(set(result)) == len(result)
    assert all(len(item) == 16 for item in result)


def test_without_a_pipeline_data_or_code_it_says_what_to_do(cloud: Cloud, sagemaker: Any) -> None:
    def refused(kind: type[BasketwiseError]) -> BasketwiseError:
        with pytest.raises(kind) as caught:
            start(sagemaker, cloud.s3, cloud.names, CONFIG, "run-1")
        return caught.value

    no_pipeline = refused(InputError)
    assert "There is no pipeline mlops-retail-prediction-dev-pipeline" in no_pipeline.headline
    assert "basketwise aws pipeline upsert" in no_pipeline.hint
    upsert(sagemaker, cloud.names, CONFIG)
    empty = refused(DependencyError)
    assert empty.headline == f"There are no files below {cloud.names.uri('raw')}."
    assert cloud.names.uri("raw") in empty.hint
    put(cloud, "raw/a.csv", "one")
    no_code = refused(DependencyError)
    assert "no code" in no_code.headline
    assert "upsert" in no_code.hint
    assert cloud.service.called("StartPipelineExecution") == []


@pytest.mark.parametrize("name", ["", "run_1", "-run", "run-", "a/b", "x" * 83])
def test_names_that_sagemaker_would_refuse(cloud: Cloud, sagemaker: Any, name: str) -> None:
    with pytest.raises(InputError, match="is not a valid name"):
        start(sagemaker, cloud.s3, cloud.names, CONFIG, name)


def test_another_runs_files_are_not_overwritten(cloud: Cloud, sagemaker: Any) -> None:
    ready(cloud, sagemaker)
    put(cloud, "artifacts/run-1/report.html", "report")
    with pytest.raises(InputError, match="contains another run"):
        start(sagemaker, cloud.s3, cloud.names, CONFIG, "run-1")
    assert start(sagemaker, cloud.s3, cloud.names, CONFIG, "run-10").started


@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        ("DescribePipeline", "describe the pipeline"),
        ("ListPipelineExecutions", "list the executions"),
        ("StartPipelineExecution", "start the pipeline"),
    ],
)
def test_what_is_refused_comes_with_what_to_do(
    cloud: Cloud, sagemaker: Any, operation: str, expected: str
) -> None:
    ready(cloud, sagemaker)
    cloud.service.denied = {operation}
    with pytest.raises(DependencyError, match=expected) as caught:
        start(sagemaker, cloud.s3, cloud.names, CONFIG, "run-1")
    assert "basketwise aws policy run" in caught.value.hint


def test_a_throttled_call_is_made_again(cloud: Cloud, sagemaker: Any) -> None:
    cloud.service.throttle = 1
    assert upsert(sagemaker, cloud.names, CONFIG).action == "created"


def test_who_runs_may_call_all_that_is_called(cloud: Cloud, sagemaker: Any) -> None:
    recorder = Recorder("run", cloud.names)
    s3, logs = client("s3", CONFIG.aws), client("logs", CONFIG.aws)
    ready(cloud, sagemaker)
    with recorder.watching(sagemaker, s3, logs):
        upsert(sagemaker, cloud.names, STRICT)
        started = start(sagemaker, s3, cloud.names, STRICT, "run-1")
        result = executions.execution_arn(sagemaker, cloud.names, "")
        with pytest.raises(DependencyError):
            executions.follow(sagemaker, logs, result, lambda _: None, poll=0.01)
    assert result == started.arn
    may = policy("run", cloud.names)
    assert not [
        str(call)
        for call in recorder.calls
        if not allows(may, call.action, call.resource, call.context)
    ]
    listed = {call.action for call in CALLS if call.who == "run"}
    assert {call.action for call in recorder.calls} <= listed
