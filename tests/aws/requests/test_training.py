import re

import pytest

from basketwise.aws.requests.training import hyperparameters, training_job
from basketwise.config import Config, TrainingConfig
from basketwise.errors import ConfigError
from tests.aws.requests.examples import BUCKET, CONFIG, IMAGE, NAMES, OWN, RUN, TAGS
from tests.aws.service_model import check


@pytest.mark.parametrize("config", [CONFIG, OWN])
def test_aws_accepts_it(config: Config) -> None:
    request = training_job(NAMES, config, RUN)
    check("sagemaker", "CreateTrainingJob", request, bucket=BUCKET)


def test_everything_a_training_needs() -> None:
    request = training_job(NAMES, CONFIG, RUN)
    assert request["TrainingJobName"] == f"retail-prediction-training-{RUN}"
    assert request["AlgorithmSpecification"]["TrainingImage"] == IMAGE
    assert request["AlgorithmSpecification"]["TrainingInputMode"] == "File"
    assert request["AlgorithmSpecification"]["ContainerArguments"] == ["train"]
    assert request["HyperParameters"] == {
        "model-type": "all",
        "random-state": "42",
        "cv-folds": "5",
        "test-size": "0.2",
    }
    channels = {item["ChannelName"]: item for item in request["InputDataConfig"]}
    assert list(channels) == ["train", "test", "code"]
    for name in ("train", "test"):
        assert channels[name]["ContentType"] == "application/x-parquet"
        assert channels[name]["InputMode"] == "File"
        assert channels[name]["DataSource"]["S3DataSource"]["S3Uri"] == f"s3://{BUCKET}/gold/"
    assert channels["code"]["DataSource"]["S3DataSource"]["S3Uri"] == f"s3://{BUCKET}/code/"
    assert request["OutputDataConfig"] == {"S3OutputPath": f"s3://{BUCKET}/artifacts/"}
    assert request["ResourceConfig"] == {
        "InstanceCount": 1,
        "InstanceType": "ml.m5.large",
        "VolumeSizeInGB": 30,
    }
    assert request["EnableManagedSpotTraining"] is True
    assert request["StoppingCondition"] == {
        "MaxRuntimeInSeconds": 3600,
        "MaxWaitTimeInSeconds": 7200,
    }
    assert request["CheckpointConfig"] == {
        "S3Uri": f"s3://{BUCKET}/checkpoints/{RUN}/",
        "LocalPath": "/opt/ml/checkpoints",
    }
    assert request["Tags"] == TAGS


def test_without_spot_there_is_no_waiting() -> None:
    request = training_job(NAMES, OWN, RUN)
    assert request["EnableManagedSpotTraining"] is False
    assert request["StoppingCondition"] == {"MaxRuntimeInSeconds": 3600}


@pytest.mark.parametrize(("metric", "value"), [("accuracy", "0.998"), ("f1", "1.0")])
def test_the_metrics_are_found_in_the_log(metric: str, value: str) -> None:
    metrics = training_job(NAMES, CONFIG, RUN)["AlgorithmSpecification"]["MetricDefinitions"]
    log = f"10:00 fold 1\nmetric: {metric}={value};\nmetric: other=0.5;\n"
    result = {item["Name"]: re.findall(item["Regex"], log) for item in metrics}
    assert result == {"accuracy": [], "f1": [], metric: [value]}


def test_own_image_runs_by_itself() -> None:
    request = training_job(NAMES, OWN, RUN)
    assert [item["ChannelName"] for item in request["InputDataConfig"]] == ["train", "test"]
    entry = request["AlgorithmSpecification"]["ContainerEntrypoint"]
    assert entry == ["python", "-m", "basketwise.aws.container"]
    assert request["HyperParameters"]["model-type"] == "xgboost"
    assert request["Environment"]["BASKETWISE_TRAINING__CALIBRATION"] == '"isotonic"'


def test_some_models_are_neither_one_nor_all() -> None:
    some = Config(training=TrainingConfig(models=("logistic", "xgboost")))
    with pytest.raises(ConfigError, match="a training job takes one model, or all"):
        hyperparameters(some)
