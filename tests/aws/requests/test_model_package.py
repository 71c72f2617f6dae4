import pytest

from basketwise.aws.requests.model_package import (
    PackageFacts,
    metadata_value,
    package,
    package_group,
)
from basketwise.config import Config
from tests.aws.requests.examples import BUCKET, CONFIG, IMAGE, NAMES, OWN, RUN, TAGS
from tests.aws.service_model import check

FACTS = PackageFacts(
    model_data_url=f"s3://{BUCKET}/artifacts/{RUN}/model.tar.gz",
    metrics_uri=f"s3://{BUCKET}/artifacts/{RUN}/evaluation.json",
    description="The gate approves.\naccuracy 0.93 ≥ 0.8",
    training_job=f"retail-prediction-training-{RUN}",
    commit="0" * 40,
    metadata={
        "model_algorithm": "xgboost",
        "dataset_size": "385327",
        "feature_count": "31",
        "training_timestamp": "2026-02-03T12:00:05+00:00",
        "model_version": RUN,
        "data_source": f"s3://{BUCKET}/raw/",
        "host": "",
    },
)


@pytest.mark.parametrize("config", [CONFIG, OWN])
@pytest.mark.parametrize("facts", [FACTS, PackageFacts(FACTS.model_data_url, FACTS.metrics_uri)])
def test_aws_accepts_it(config: Config, facts: PackageFacts) -> None:
    check("sagemaker", "CreateModelPackage", package(NAMES, config, facts), bucket=BUCKET)
    check("sagemaker", "CreateModelPackageGroup", package_group(NAMES))


def test_the_group_has_the_tags() -> None:
    request = package_group(NAMES)
    assert request["ModelPackageGroupName"] == "retail-price-sensitivity-models"
    assert request["Tags"] == [
        *TAGS,
        {"Key": "ModelType", "Value": "Classification"},
        {"Key": "Target", "Value": "BASKET_PRICE_SENSITIVITY"},
    ]


def test_a_version_says_how_it_is_served_and_where_it_comes_from() -> None:
    request = package(NAMES, CONFIG, FACTS)
    assert request["ModelApprovalStatus"] == "PendingManualApproval"
    assert request["ModelPackageDescription"] == "The gate approves.; accuracy 0.93 ≥ 0.8"
    assert request["InferenceSpecification"] == {
        "Containers": [
            {
                "Image": IMAGE,
                "ModelDataUrl": FACTS.model_data_url,
                "Environment": {
                    "SAGEMAKER_PROGRAM": "inference.py",
                    "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code",
                    "SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT": "*/*",
                },
            }
        ],
        "SupportedContentTypes": ["application/jsonlines", "application/json", "text/csv"],
        "SupportedResponseMIMETypes": ["application/jsonlines", "application/json", "text/csv"],
        "SupportedRealtimeInferenceInstanceTypes": ["ml.t2.medium", "ml.m5.large"],
        "SupportedTransformInstanceTypes": ["ml.m5.large"],
    }
    assert request["ModelMetrics"]["ModelQuality"]["Statistics"] == {
        "ContentType": "application/json",
        "S3Uri": FACTS.metrics_uri,
    }
    assert request["MetadataProperties"] == {
        "GeneratedBy": FACTS.training_job,
        "CommitId": FACTS.commit,
    }
    assert set(request["CustomerMetadataProperties"]) == {
        "model_algorithm",
        "target_variable",
        "dataset_size",
        "feature_count",
        "training_timestamp",
        "business_kpi",
        "use_case",
        "model_version",
        "data_source",
    }
    assert request["CustomerMetadataProperties"]["target_variable"] == "BASKET_PRICE_SENSITIVITY"


def test_own_image_serves_without_environment() -> None:
    (served,) = package(NAMES, OWN, FACTS)["InferenceSpecification"]["Containers"]
    assert served == {"Image": OWN.aws.image_uri, "ModelDataUrl": FACTS.model_data_url}


def test_long_and_strange_texts_are_made_to_fit() -> None:
    facts = PackageFacts(
        FACTS.model_data_url,
        FACTS.metrics_uri,
        description="word " * 1000,
        metadata={"a": "50 %, (é)\n" * 100, "b": "%%"},
    )
    request = package(NAMES, CONFIG, facts)
    check("sagemaker", "CreateModelPackage", request)
    assert request["CustomerMetadataProperties"]["a"].startswith("50 é 50 é")
    assert "b" not in request["CustomerMetadataProperties"]
    assert metadata_value("ml.m5.large: a_b-c=1/2+3@x") == "ml.m5.large: a_b-c=1/2+3@x"
