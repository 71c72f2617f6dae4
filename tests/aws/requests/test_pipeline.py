import json
import re
from collections.abc import Iterator
from typing import Any

import botocore.session
import pytest

from basketwise.aws.requests.model_package import OWN_LIBRARIES, PackageFacts, package
from basketwise.aws.requests.pipeline import (
    PER_RUN,
    definition,
    definition_text,
    pipeline,
    start_parameters,
)
from basketwise.aws.requests.processing import etl_job, evaluation_job
from basketwise.aws.requests.training import training_job
from basketwise.config import Config, GateConfig, TrainingConfig
from tests.aws.controls import aws
from tests.aws.requests.examples import BUCKET, CONFIG, NAMES, OWN, RUN
from tests.aws.requests.pipeline_schema import DEPARTURES, allowed, needs_schema, steps, without
from tests.aws.service_model import check

both = pytest.mark.parametrize("config", [CONFIG, OWN])
GET = re.compile(r"(Parameters|Steps)\.(\w+)((?:\.\w+|\['[\w-]+'\])*)")
DESCRIBED = {
    "Processing": "DescribeProcessingJobResponse",
    "Training": "DescribeTrainingJobResponse",
}


def gets(value: Any) -> Iterator[str]:
    """Everything that is looked up when the pipeline runs."""
    if isinstance(value, dict):
        if set(value) == {"Get"}:
            yield value["Get"]
        else:
            for item in value.values():
                yield from gets(item)
    elif isinstance(value, list):
        for item in value:
            yield from gets(item)


def filled(value: Any, name: str = "x") -> Any:
    """The same with a text for everything that is looked up: what the service would be asked."""
    if isinstance(value, dict):
        if set(value) == {"Get"}:
            return f"s3://{BUCKET}/{name}" if "Uri" in name or "Url" in name else "value"
        return {key: filled(item, key) for key, item in value.items()}
    return [filled(item, name) for item in value] if isinstance(value, list) else value


@needs_schema
@pytest.mark.parametrize(
    "config",
    [CONFIG, OWN, *(Config(aws=aws(name)) for name in ("vpc", "key", "isolation", "tags"))],
)
def test_aws_schema_allows_it_but_for_the_departures(config: Config) -> None:
    document = definition(NAMES, config)
    assert allowed(without(document, DEPARTURES))
    wrong = without(document, DEPARTURES)
    wrong["Steps"][0]["Arguments"]["Image"] = "x"
    assert not allowed(wrong)


@needs_schema
@pytest.mark.parametrize("departure", DEPARTURES)
def test_each_departure_is_one(departure: str) -> None:
    present = [
        document
        for document in (definition(NAMES, config) for config in (CONFIG, OWN))
        if without(document, [departure]) != document
    ]
    assert present
    for document in present:
        assert not allowed(without(document, DEPARTURES.keys() - {departure}))


@both
def test_steps_and_their_order(config: Config) -> None:
    document = definition(NAMES, config)
    assert document["Version"] == "2020-12-01"
    kinds = {name: step["Type"] for name, step in steps(document).items()}
    assert kinds == {
        "Etl": "Processing",
        "Train": "Training",
        "Evaluate": "Processing",
        "Decide": "Condition",
        "Register": "RegisterModel",
        "Refuse": "Fail",
    }
    # Whatever a step looks up has been made by a step before it.
    made: set[str] = set()
    for step in document["Steps"]:
        needed = {result.split(".")[1] for result in gets(step) if result.startswith("Steps.")}
        assert needed | set(step.get("DependsOn", ())) <= made
        made.add(step["Name"])


@both
def test_every_reference_exists(config: Config) -> None:
    document = json.loads(definition_text(NAMES, config))
    known = {item["Name"] for item in document["Parameters"]}
    result = set(gets(document))
    model = botocore.session.get_session().get_service_model("sagemaker")
    for item in result:
        parts = GET.fullmatch(item)
        assert parts, item
        kind, name, way = parts.groups()
        if kind == "Parameters":
            assert name in known
            continue
        shape: Any = model.shape_for(DESCRIBED[steps(document)[name]["Type"]])
        for step in re.findall(r"\.(\w+)|\['", way):
            shape = shape.members[step] if step else shape.member
    used = {item.removeprefix("Parameters.") for item in result if item.startswith("Parameters.")}
    assert used == known
    outputs = steps(document)["Etl"]["Arguments"]["ProcessingOutputConfig"]["Outputs"]
    assert "gold" in {item["OutputName"] for item in outputs}
    metrics = steps(document)["Train"]["Arguments"]["AlgorithmSpecification"]["MetricDefinitions"]
    looked_up = set(re.findall(r"FinalMetricDataList\['(\w+)'\]", " ".join(result)))
    assert looked_up == {"accuracy", "f1"} <= {item["Name"] for item in metrics}


@both
def test_every_step_would_be_accepted_by_the_service(config: Config) -> None:
    result = steps(json.loads(definition_text(NAMES, config)))
    for name, operation in {
        "Etl": "CreateProcessingJob",
        "Train": "CreateTrainingJob",
        "Evaluate": "CreateProcessingJob",
        "Register": "CreateModelPackage",
    }.items():
        kind = operation.removeprefix("Create")
        job = {f"{kind}Name": "a-job"} if kind.endswith("Job") else {}
        request = {**filled(result[name]["Arguments"]), **job}
        check("sagemaker", operation, request, bucket=BUCKET)


@both
def test_steps_are_the_requests_of_single_jobs_but_for_what_is_looked_up(config: Config) -> None:
    result = steps(definition(NAMES, config))
    facts = PackageFacts("s3://x", "s3://x")
    pairs = {
        "Etl": etl_job(NAMES, config, RUN),
        "Train": training_job(NAMES, config, RUN),
        "Evaluate": evaluation_job(NAMES, config, RUN),
        "Register": package(NAMES, config, facts),
    }

    def same(mine: Any, theirs: Any, where: str) -> None:
        if isinstance(mine, dict) and set(mine) == {"Get"}:
            return
        if isinstance(mine, dict):
            for key in mine.keys() & theirs.keys():
                same(mine[key], theirs[key], f"{where}.{key}")
        elif isinstance(mine, list):
            assert len(mine) == len(theirs), where
            for left, right in zip(mine, theirs, strict=True):
                same(left, right, where)
        else:
            assert mine == theirs, where

    for name, request in pairs.items():
        same(result[name]["Arguments"], request, name)


@both
def test_a_pipeline_trains_as_a_single_job_does(config: Config) -> None:
    unjudged = config.model_copy(update={"gate": GateConfig()})
    expected = training_job(NAMES, unjudged, RUN)
    del expected["TrainingJobName"]
    for channel in expected["InputDataConfig"]:
        if channel["ChannelName"] in ("train", "test"):
            location = "Steps.Etl.ProcessingOutputConfig.Outputs['gold'].S3Output.S3Uri"
            channel["DataSource"]["S3DataSource"]["S3Uri"] = {"Get": location}
    expected["CheckpointConfig"]["S3Uri"] = {"Get": "Parameters.CheckpointUri"}
    assert steps(definition(NAMES, config))["Train"]["Arguments"] == expected


def test_a_version_is_registered_only_above_both_minima() -> None:
    decide = steps(definition(NAMES, OWN))["Decide"]
    assert decide["DependsOn"] == ["Evaluate"]
    assert [
        (item["Type"], item["LeftValue"]["Get"], item["RightValue"]["Get"])
        for item in decide["Arguments"]["Conditions"]
    ] == [
        (
            "GreaterThanOrEqualTo",
            f"Steps.Train.FinalMetricDataList['{metric}'].Value",
            f"Parameters.{minimum}",
        )
        for metric, minimum in (("accuracy", "MinAccuracy"), ("f1", "MinMacroF1"))
    ]
    parameters = definition(NAMES, OWN)["Parameters"]
    defaults = {item["Name"]: item.get("DefaultValue") for item in parameters}
    assert (defaults["MinAccuracy"], defaults["MinMacroF1"]) == (0.9, 0.7)
    (register,) = decide["Arguments"]["IfSteps"]
    assert register["Name"] == "Register"
    (refuse,) = decide["Arguments"]["ElseSteps"]
    assert "MinAccuracy" in refuse["Arguments"]["ErrorMessage"]


def test_a_start_sets_every_parameter_without_a_default() -> None:
    parameters = definition(NAMES, CONFIG)["Parameters"]
    needed = {item["Name"] for item in parameters if "DefaultValue" not in item}
    parameters = start_parameters(NAMES, RUN, "ab12")
    assert {item["Name"] for item in parameters} == needed == set(PER_RUN)
    request = {"PipelineName": "x", "PipelineParameters": parameters}
    check("sagemaker", "StartPipelineExecution", request, bucket=BUCKET)
    values = {item["Name"]: item["Value"] for item in parameters}
    assert values["ModelDataUrl"] == f"{values['EvaluationUri']}model.tar.gz"


def test_the_cache_never_answers_with_files_of_other_data() -> None:
    result = steps(definition(NAMES, CONFIG))
    cached = {name for name, step in result.items() if "CacheConfig" in step}
    assert cached == {"Etl", "Train"}
    # The arguments that count tell data versions apart ...
    assert result["Etl"]["Arguments"]["Environment"]["DATA_VERSION"]["Get"].endswith("DataVersion")
    assert result["Train"]["Arguments"]["CheckpointConfig"]["S3Uri"] == {
        "Get": "Parameters.CheckpointUri"
    }
    # ... and so do the folders that a cached step's files are in, but runs of the same data share.
    first, again, other = (
        {item["Name"]: item["Value"] for item in start_parameters(NAMES, run, version)}
        for run, version in (("run-1", "ab12"), ("run-2", "ab12"), ("run-3", "cd34"))
    )
    for name in ("SilverUri", "GoldUri", "CheckpointUri"):
        assert first[name] == again[name] != other[name]
    assert first["EvaluationUri"] != again["EvaluationUri"]


def test_how_results_are_judged_does_not_cost_a_new_training() -> None:
    strict = CONFIG.model_copy(update={"gate": GateConfig(min_accuracy=0.99)})
    before, after = (steps(definition(NAMES, config)) for config in (CONFIG, strict))
    assert before["Etl"] == after["Etl"]
    assert before["Train"] == after["Train"]
    told = after["Evaluate"]["Arguments"]["Environment"]
    assert told["BASKETWISE_GATE__MIN_ACCURACY"] == "0.99"
    fewer = CONFIG.model_copy(update={"training": TrainingConfig(folds=3)})
    after = steps(definition(NAMES, fewer))
    assert before["Etl"] != after["Etl"]
    assert before["Train"] != after["Train"]


def test_retries() -> None:
    result = steps(definition(NAMES, CONFIG))
    for name in ("Etl", "Train", "Evaluate"):
        kinds = {
            kind for policy in result[name]["RetryPolicies"] for kind in policy["ExceptionType"]
        }
        assert {"SageMaker.CAPACITY_ERROR", "Step.THROTTLING"} <= kinds
    kinds = {
        kind for policy in result["Register"]["RetryPolicies"] for kind in policy["ExceptionType"]
    }
    assert kinds == {"Step.SERVICE_FAULT", "Step.THROTTLING"}


@both
def test_a_version_waits_and_says_where_it_is_from(config: Config) -> None:
    registration = steps(definition(NAMES, config))["Register"]["Arguments"]
    assert registration["ModelApprovalStatus"] == "PendingManualApproval"
    assert registration["MetadataProperties"] == {
        "GeneratedBy": {"Get": "Steps.Train.TrainingJobArn"}
    }
    metadata = registration["CustomerMetadataProperties"]
    assert metadata["model_version"] == {"Get": "Parameters.RunId"}
    (served,) = registration["InferenceSpecification"]["Containers"]
    environment = served.get("Environment", {})
    assert ("SAGEMAKER_PROGRAM" in environment) == (config.aws.image == "prebuilt")


@both
def test_aws_accepts_the_pipeline(config: Config) -> None:
    request = pipeline(NAMES, config)
    check("sagemaker", "CreatePipeline", request)
    assert request["PipelineName"] == "mlops-retail-prediction-dev-pipeline"
    assert f"s3://{BUCKET}/raw/" in request["PipelineDefinition"]


@pytest.mark.parametrize(
    ("config", "whole"),
    [
        (CONFIG, False),
        (Config(aws=aws("isolation")), True),
        (Config(aws=aws("none", archive="self-contained")), True),
        (Config(aws=aws("isolation", image="own", image_uri="shop/basketwise:1")), False),
    ],
)
def test_a_version_that_an_endpoint_can_install_nothing_for_brings_its_libraries(
    config: Config, whole: bool
) -> None:
    made = steps(definition(NAMES, config))
    options = made["Evaluate"]["Arguments"]["AppSpecification"]["ContainerArguments"]
    assert ("--self-contained" in options) is whole
    (served,) = made["Register"]["Arguments"]["InferenceSpecification"]["Containers"]
    assert (served.get("Environment", {}).items() >= OWN_LIBRARIES.items()) is whole
