from typing import Any

import pytest

from basketwise.aws.requests.processing import etl_job, evaluation_job
from tests.aws.requests.examples import BUCKET, CONFIG, IMAGE, NAMES, OWN, RUN, TAGS
from tests.aws.service_model import check


def places(request: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """From where to where: inputs and outputs by name."""
    inputs = {
        item["InputName"]: (item["S3Input"]["S3Uri"], item["S3Input"]["LocalPath"])
        for item in request["ProcessingInputs"]
    }
    outputs = {
        item["OutputName"]: (item["S3Output"]["LocalPath"], item["S3Output"]["S3Uri"])
        for item in request["ProcessingOutputConfig"]["Outputs"]
    }
    return inputs, outputs


@pytest.mark.parametrize("build", [etl_job, evaluation_job])
@pytest.mark.parametrize("config", [CONFIG, OWN])
def test_aws_accepts_it(build: Any, config: Any) -> None:
    check("sagemaker", "CreateProcessingJob", build(NAMES, config, RUN), bucket=BUCKET)


def test_etl_reads_raw_and_writes_silver_and_gold() -> None:
    request = etl_job(NAMES, CONFIG, RUN)
    assert request["ProcessingJobName"] == f"retail-etl-processing-{RUN}"
    assert request["RoleArn"].endswith(":role/mlops-retail-prediction-dev-sagemaker-execution")
    assert request["AppSpecification"]["ImageUri"] == IMAGE
    assert request["AppSpecification"]["ContainerArguments"] == [
        "processing",
        "--input-path",
        "/opt/ml/processing/input",
        "--output-path",
        "/opt/ml/processing/output",
        "--bucket-name",
        BUCKET,
    ]
    assert places(request) == (
        {
            "raw": (f"s3://{BUCKET}/raw/", "/opt/ml/processing/input"),
            "code": (f"s3://{BUCKET}/code/", "/opt/ml/processing/code"),
        },
        {
            "silver": ("/opt/ml/processing/output/silver", f"s3://{BUCKET}/silver/"),
            "gold": ("/opt/ml/processing/output/gold", f"s3://{BUCKET}/gold/"),
        },
    )
    assert request["ProcessingResources"]["ClusterConfig"] == {
        "InstanceCount": 1,
        "InstanceType": "ml.m5.large",
        "VolumeSizeInGB": 30,
    }
    assert request["StoppingCondition"] == {"MaxRuntimeInSeconds": 3600}
    assert request["Tags"] == TAGS
    assert "Environment" not in request


def test_evaluation_reads_the_training_and_writes_the_runs_artifacts() -> None:
    request = evaluation_job(NAMES, CONFIG, RUN)
    trained = f"artifacts/retail-prediction-training-{RUN}/output/model.tar.gz"
    inputs, outputs = places(request)
    assert inputs == {
        "gold": (f"s3://{BUCKET}/gold/", "/opt/ml/processing/gold"),
        "model": (f"s3://{BUCKET}/{trained}", "/opt/ml/processing/model"),
        "code": (f"s3://{BUCKET}/code/", "/opt/ml/processing/code"),
    }
    assert outputs == {
        "evaluation": ("/opt/ml/processing/output", f"s3://{BUCKET}/artifacts/{RUN}/")
    }
    arguments = request["AppSpecification"]["ContainerArguments"]
    assert arguments[0] == "evaluate"
    assert arguments[arguments.index("--run-id") + 1] == RUN


def test_own_image_needs_no_code_and_gets_the_settings() -> None:
    request = etl_job(NAMES, OWN, RUN)
    assert list(places(request)[0]) == ["raw"]
    assert request["AppSpecification"]["ImageUri"] == OWN.aws.image_uri
    assert request["Environment"] == {
        "BASKETWISE_TRAINING__MODELS": '["xgboost"]',
        "BASKETWISE_TRAINING__FOLDS": "3",
        "BASKETWISE_TRAINING__CALIBRATION": '"isotonic"',
        "BASKETWISE_GATE__MIN_ACCURACY": "0.9",
    }


def test_the_containers_know_the_arguments() -> None:
    from basketwise.aws.container import evaluation, processing

    for module, build in ((processing, etl_job), (evaluation, evaluation_job)):
        _, *arguments = build(NAMES, CONFIG, RUN)["AppSpecification"]["ContainerArguments"]
        parsed = vars(module._parser().parse_args(arguments))
        assert str(parsed["output_path"]) == "/opt/ml/processing/output"
