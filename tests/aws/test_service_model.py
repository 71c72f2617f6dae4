"""The checker catches each kind of mistake, and lets what is right pass."""

from copy import deepcopy
from typing import Any

import pytest

from tests.aws.service_model import check, mistakes

BUCKET = "shop-dev-123456789012"
TRAINING: dict[str, Any] = {
    "TrainingJobName": "a-job",
    "RoleArn": "arn:aws:iam::123456789012:role/x",
    "AlgorithmSpecification": {
        "TrainingImage": "an/image:1",
        "TrainingInputMode": "File",
        "MetricDefinitions": [{"Name": "f1", "Regex": "f1=([0-9.]+)"}],
    },
    "HyperParameters": {"cv-folds": "5"},
    "InputDataConfig": [
        {
            "ChannelName": "train",
            "DataSource": {
                "S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{BUCKET}/gold/"}
            },
        }
    ],
    "OutputDataConfig": {"S3OutputPath": f"s3://{BUCKET}/artifacts/"},
    "ResourceConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 30},
    "StoppingCondition": {"MaxRuntimeInSeconds": 3600, "MaxWaitTimeInSeconds": 7200},
    "EnableManagedSpotTraining": True,
    "CheckpointConfig": {"S3Uri": f"s3://{BUCKET}/checkpoints/"},
    "Tags": [{"Key": "Project", "Value": "Größe 1.5"}],
}
PROCESSING: dict[str, Any] = {
    "ProcessingJobName": "a-job",
    "RoleArn": "arn:aws:iam::123456789012:role/x",
    "AppSpecification": {"ImageUri": "an/image:1"},
    "ProcessingResources": {
        "ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 30}
    },
    "ProcessingInputs": [
        {
            "InputName": name,
            "S3Input": {
                "S3Uri": f"s3://{BUCKET}/{name}/",
                "LocalPath": f"/opt/ml/processing/{name}",
                "S3DataType": "S3Prefix",
            },
        }
        for name in ("raw", "code")
    ],
}
PACKAGE: dict[str, Any] = {
    "ModelPackageGroupName": "models",
    "InferenceSpecification": {
        "Containers": [{"Image": "an/image:1", "ModelDataUrl": f"s3://{BUCKET}/model.tar.gz"}]
    },
    "CustomerMetadataProperties": {"model_version": "1"},
}
PIPELINE = {
    "PipelineName": "a-pipeline",
    "RoleArn": "arn:aws:iam::123456789012:role/x",
    "PipelineDefinition": "{}",
}
GOOD = {
    "CreateTrainingJob": TRAINING,
    "CreateProcessingJob": PROCESSING,
    "CreateModelPackage": PACKAGE,
    "CreatePipeline": PIPELINE,
}
GONE = object()
LONG = "x" * 64

WRONG = [
    # What the model of the service says of each member.
    ("CreateTrainingJob", "RoleArn", GONE, "RoleArn: required"),
    ("CreateTrainingJob", "AlgorithmSpecification.TrainingInputMode", GONE, "Mode: required"),
    ("CreateTrainingJob", "Role", "x", "Role: unknown"),
    ("CreateTrainingJob", "ResourceConfig.Instances", 1, "ResourceConfig.Instances: unknown"),
    ("CreateTrainingJob", "TrainingJobName", "a_job", "does not match the pattern"),
    ("CreateTrainingJob", "TrainingJobName", "a-job\n", "does not match the pattern"),
    ("CreateTrainingJob", "TrainingJobName", LONG, "length 64 is above the maximum 63"),
    ("CreateTrainingJob", "TrainingJobName", "", "length 0 is below the minimum 1"),
    ("CreateTrainingJob", "TrainingJobName", 7, "int 7, must be a string"),
    ("CreateTrainingJob", "EnableManagedSpotTraining", "true", "must be a boolean"),
    ("CreateTrainingJob", "ResourceConfig.InstanceCount", True, "must be a integer"),
    ("CreateTrainingJob", "ResourceConfig.InstanceType", "ml.m5.tiny", "is not in the enum"),
    ("CreateTrainingJob", "ResourceConfig.VolumeSizeInGB", -1, "-1 is below the minimum 0"),
    ("CreateTrainingJob", "ResourceConfig.KeepAlivePeriodInSeconds", 99999, "above the maximum"),
    ("CreateTrainingJob", "InputDataConfig", [], "length 0 is below the minimum 1"),
    ("CreateTrainingJob", "InputDataConfig", {}, "must be a list"),
    ("CreateTrainingJob", "HyperParameters", [], "must be a map"),
    ("CreateTrainingJob", "ResourceConfig", None, "must be a structure"),
    ("CreateTrainingJob", "HyperParameters.cv-folds", 5, "HyperParameters['cv-folds']: int"),
    ("CreateTrainingJob", "HyperParameters", {str(i): "" for i in range(101)}, "length 101"),
    ("CreateTrainingJob", "Environment", {"a-b": "1"}, "Environment key 'a-b'"),
    ("CreateTrainingJob", "Tags", [{"Key": "a", "Value": "b;"}], "Tags[0].Value"),
    ("CreateModelPackage", "CustomerMetadataProperties", {"a": "1%"}, "does not match"),
    ("CreateModelPackage", "CustomerMetadataProperties", {"a": ""}, "below the minimum 1"),
    # What several members must agree on.
    (
        "CreateTrainingJob",
        "StoppingCondition.MaxWaitTimeInSeconds",
        3599,
        "below MaxRuntimeInSeconds",
    ),
    ("CreateTrainingJob", "StoppingCondition.MaxWaitTimeInSeconds", GONE, "required for spot"),
    ("CreateTrainingJob", "EnableManagedSpotTraining", False, "for spot training only"),
    ("CreateTrainingJob", "AlgorithmSpecification.AlgorithmName", "x", "exactly one of"),
    ("CreateTrainingJob", "AlgorithmSpecification.TrainingImage", GONE, "exactly one of"),
    (
        "CreateTrainingJob",
        "AlgorithmSpecification.MetricDefinitions",
        [{"Name": "f1", "Regex": "f1=[0-9]"}],
        "exactly one group",
    ),
    ("CreateTrainingJob", "InputDataConfig", TRAINING["InputDataConfig"] * 2, "'train' twice"),
    ("CreateTrainingJob", "CheckpointConfig.LocalPath", "/opt/ml/model/x", "SageMaker's own"),
    ("CreateTrainingJob", "Tags", TRAINING["Tags"] * 2, "'Project' twice"),
    ("CreateTrainingJob", "OutputDataConfig.S3OutputPath", "s3://other/x/", "not in the bucket"),
    ("CreateTrainingJob", "OutputDataConfig.S3OutputPath", f"s3://{BUCKET}2/", "not in the bucket"),
    ("CreateTrainingJob", "OutputDataConfig.S3OutputPath", f"s3://{BUCKET}//x/", "empty folder"),
    ("CreateProcessingJob", "ProcessingInputs", PROCESSING["ProcessingInputs"] * 2, "'raw' twice"),
    ("CreateProcessingJob", "ProcessingInputs.0.S3Input.LocalPath", "/data", "is not below"),
    (
        "CreateProcessingJob",
        "ProcessingInputs.0.S3Input.LocalPath",
        "/opt/ml/processing/code/raw",
        "holds another one",
    ),
    (
        "CreateProcessingJob",
        "ProcessingInputs.0.S3Input.LocalPath",
        "/opt/ml/processing/code",
        "used twice",
    ),
    ("CreateModelPackage", "ModelPackageName", "x", "exactly one of"),
    ("CreateModelPackage", "Tags", [{"Key": "a", "Value": "b"}], "its group has"),
    (
        "CreateModelPackage",
        "InferenceSpecification.Containers",
        [{"ModelDataUrl": f"s3://{BUCKET}/x"}],
        "Image is required",
    ),
    ("CreatePipeline", "PipelineDefinition", GONE, "exactly one of"),
]


@pytest.mark.parametrize("operation", GOOD)
def test_what_is_right_passes(operation: str) -> None:
    check("sagemaker", operation, GOOD[operation], bucket=BUCKET)


@pytest.mark.parametrize(("operation", "where", "value", "expected"), WRONG)
def test_each_mistake_is_named(operation: str, where: str, value: Any, expected: str) -> None:
    params = deepcopy(GOOD[operation])
    *way, last = where.split(".")
    target: Any = params
    for name in way:
        target = target[int(name)] if isinstance(target, list) else target[name]
    if value is GONE:
        del target[last]
    else:
        target[last] = value
    problems = [
        f"{operation}.{item}" for item in mistakes("sagemaker", operation, params, bucket=BUCKET)
    ]
    assert any(expected in item for item in problems), problems
    with pytest.raises(AssertionError) as caught:
        check("sagemaker", operation, params, bucket=BUCKET)
    assert str(caught.value) == problems[0]


def test_other_services_are_known_too() -> None:
    check("s3", "PutObject", {"Bucket": BUCKET, "Key": "a", "Body": b"x", "IfNoneMatch": "*"})
    check("logs", "GetLogEvents", {"logStreamName": "a", "startFromHead": True})
    check("sts", "GetCallerIdentity", {})
    with pytest.raises(AssertionError, match=r"logStreamName: .* pattern"):
        check("logs", "GetLogEvents", {"logStreamName": "a:b"})
    with pytest.raises(AssertionError, match="Key: required"):
        check("s3", "PutObject", {"Bucket": BUCKET})


def test_fields_that_botocore_fills_in_are_optional() -> None:
    request = {"PipelineName": "a"}
    check("sagemaker", "StartPipelineExecution", request)
    with pytest.raises(AssertionError, match="ClientRequestToken: length 3 is below"):
        check("sagemaker", "StartPipelineExecution", {**request, "ClientRequestToken": "abc"})
