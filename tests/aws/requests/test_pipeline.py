import json
import os
import re
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import botocore.session
import jsonschema  # type: ignore[import-untyped]
import pytest

from basketwise.aws.requests.model_package import PackageFacts, package
from basketwise.aws.requests.pipeline import (
    PER_RUN,
    definition,
    pipeline,
    sent,
    start_parameters,
)
from basketwise.aws.requests.processing import etl_job, evaluation_job
from basketwise.aws.requests.training import in_script_mode, training_job
from basketwise.config import Config, GateConfig, TrainingConfig
from tests.aws.requests.given import BUCKET, CONFIG, NAMES, OWN, RUN
from tests.aws.service_model import check

SCHEMA = Path(
    os.environ.get("BASKETWISE_PIPELINE_SCHEMA")
    or Path(__file__).parents[3] / "../shared/aws/pipeline-definition.schema.json"
)
needs_schema = pytest.mark.skipif(
    not SCHEMA.is_file(),
    reason="not held against AWS's JSON schema of pipeline definitions: the file is not here; "
    "set BASKETWISE_PIPELINE_SCHEMA to where it lies",
)
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


def steps(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    *plain, decide = document["Steps"]
    branches = decide["Arguments"]["IfSteps"] + decide["Arguments"]["ElseSteps"]
    return {step["Name"]: step for step in (*plain, decide, *branches)}


@needs_schema
@both
def test_aws_schema_allows_it(config: Config) -> None:
    schema = json.loads(SCHEMA.read_bytes())
    jsonschema.Draft7Validator(schema).validate(definition(NAMES, config))


@needs_schema
def test_aws_schema_would_find_a_mistake() -> None:
    schema, wrong = json.loads(SCHEMA.read_bytes()), definition(NAMES, CONFIG)
    wrong["Steps"][0]["Arguments"]["Image"] = "x"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft7Validator(schema).validate(wrong)


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
        needed = {found.split(".")[1] for found in gets(step) if found.startswith("Steps.")}
        assert needed | set(step.get("DependsOn", ())) <= made
        made.add(step["Name"])


@both
def test_whatever_is_looked_up_exists(config: Config) -> None:
    document = json.loads(sent(NAMES, config))
    known = {one["Name"] for one in document["Parameters"]}
    found = set(gets(document))
    model = botocore.session.get_session().get_service_model("sagemaker")
    for one in found:
        parts = GET.fullmatch(one)
        assert parts, one
        kind, name, way = parts.groups()
        if kind == "Parameters":
            assert name in known
            continue
        shape: Any = model.shape_for(DESCRIBED[steps(document)[name]["Type"]])
        for step in re.findall(r"\.(\w+)|\['", way):
            shape = shape.members[step] if step else shape.member
    used = {one.removeprefix("Parameters.") for one in found if one.startswith("Parameters.")}
    assert used == known
    outputs = steps(document)["Etl"]["Arguments"]["ProcessingOutputConfig"]["Outputs"]
    assert "gold" in {one["OutputName"] for one in outputs}
    metrics = steps(document)["Train"]["Arguments"]["AlgorithmSpecification"]["MetricDefinitions"]
    looked_up = set(re.findall(r"FinalMetricDataList\['(\w+)'\]", " ".join(found)))
    assert looked_up == {"accuracy", "f1"} <= {one["Name"] for one in metrics}


@both
def test_every_step_would_be_taken_by_the_service(config: Config) -> None:
    found = steps(json.loads(sent(NAMES, config)))
    for name, operation in {
        "Etl": "CreateProcessingJob",
        "Train": "CreateTrainingJob",
        "Evaluate": "CreateProcessingJob",
        "Register": "CreateModelPackage",
    }.items():
        kind = operation.removeprefix("Create")
        job = {f"{kind}Name": "a-job"} if kind.endswith("Job") else {}
        request = {**filled(found[name]["Arguments"]), **job}
        check("sagemaker", operation, request, bucket=BUCKET)


@both
def test_steps_are_the_requests_of_single_jobs_but_for_what_is_looked_up(config: Config) -> None:
    found = steps(definition(NAMES, config))
    facts = PackageFacts("s3://x", "s3://x")
    pairs = {
        "Etl": etl_job(NAMES, config, RUN),
        "Train": in_script_mode(training_job(NAMES, config, RUN)),
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
        same(found[name]["Arguments"], request, name)


def test_a_version_is_registered_only_above_both_minima() -> None:
    decide = steps(definition(NAMES, OWN))["Decide"]
    assert decide["DependsOn"] == ["Evaluate"]
    assert [
        (one["Type"], one["LeftValue"]["Get"], one["RightValue"]["Get"])
        for one in decide["Arguments"]["Conditions"]
    ] == [
        (
            "GreaterThanOrEqualTo",
            f"Steps.Train.FinalMetricDataList['{metric}'].Value",
            f"Parameters.{minimum}",
        )
        for metric, minimum in (("accuracy", "MinAccuracy"), ("f1", "MinMacroF1"))
    ]
    parameters = definition(NAMES, OWN)["Parameters"]
    defaults = {one["Name"]: one.get("DefaultValue") for one in parameters}
    assert (defaults["MinAccuracy"], defaults["MinMacroF1"]) == (0.9, 0.7)
    (register,) = decide["Arguments"]["IfSteps"]
    assert register["Name"] == "Register"
    (refuse,) = decide["Arguments"]["ElseSteps"]
    assert "MinAccuracy" in refuse["Arguments"]["ErrorMessage"]


def test_a_start_gives_what_has_no_default() -> None:
    parameters = definition(NAMES, CONFIG)["Parameters"]
    needed = {one["Name"] for one in parameters if "DefaultValue" not in one}
    given = start_parameters(NAMES, RUN, "ab12")
    assert {one["Name"] for one in given} == needed == set(PER_RUN)
    request = {"PipelineName": "x", "PipelineParameters": given}
    check("sagemaker", "StartPipelineExecution", request, bucket=BUCKET)
    values = {one["Name"]: one["Value"] for one in given}
    assert values["ModelDataUrl"] == f"{values['EvaluationUri']}model.tar.gz"


def test_the_cache_never_answers_with_files_of_other_data() -> None:
    found = steps(definition(NAMES, CONFIG))
    cached = {name for name, step in found.items() if "CacheConfig" in step}
    assert cached == {"Etl", "Train"}
    # The arguments that count tell data versions apart ...
    assert found["Etl"]["Arguments"]["Environment"]["DATA_VERSION"]["Get"].endswith("DataVersion")
    assert found["Train"]["Arguments"]["CheckpointConfig"]["S3Uri"] == {
        "Get": "Parameters.CheckpointUri"
    }
    # ... and so do the folders that a cached step's files are in, but runs of the same data share.
    one, again, other = (
        {item["Name"]: item["Value"] for item in start_parameters(NAMES, run, version)}
        for run, version in (("run-1", "ab12"), ("run-2", "ab12"), ("run-3", "cd34"))
    )
    for name in ("SilverUri", "GoldUri", "CheckpointUri"):
        assert one[name] == again[name] != other[name]
    assert one["EvaluationUri"] != again["EvaluationUri"]


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
    found = steps(definition(NAMES, CONFIG))
    for name in ("Etl", "Train", "Evaluate"):
        kinds = {policy["ExceptionType"] for policy in found[name]["RetryPolicies"]}
        assert {"SageMaker.CAPACITY_ERROR", "Step.THROTTLING"} <= kinds
    kinds = {policy["ExceptionType"] for policy in found["Register"]["RetryPolicies"]}
    assert kinds == {"Step.SERVICE_FAULT", "Step.THROTTLING"}


@both
def test_what_is_sent_differs_in_two_places_only(config: Config) -> None:
    expected, document = deepcopy(definition(NAMES, config)), json.loads(sent(NAMES, config))
    for step in steps(document).values():
        for policy in step.get("RetryPolicies", ()):
            (policy["ExceptionType"],) = policy["ExceptionType"]
    registration = steps(document)["Register"]["Arguments"]
    assert registration.pop("ModelApprovalStatus") == "PendingManualApproval"
    assert registration.pop("MetadataProperties") == {
        "GeneratedBy": {"Get": "Steps.Train.TrainingJobArn"}
    }
    metadata = registration.pop("CustomerMetadataProperties")
    assert metadata["model_version"] == {"Get": "Parameters.RunId"}
    (served,) = registration["InferenceSpecification"]["Containers"]
    environment = served.pop("Environment", {})
    assert ("SAGEMAKER_PROGRAM" in environment) == (config.aws.image == "prebuilt")
    assert document == expected


@both
def test_aws_takes_the_pipeline(config: Config) -> None:
    request = pipeline(NAMES, config)
    check("sagemaker", "CreatePipeline", request)
    assert request["PipelineName"] == "mlops-retail-prediction-dev-pipeline"
    assert f"s3://{BUCKET}/raw/" in request["PipelineDefinition"]
