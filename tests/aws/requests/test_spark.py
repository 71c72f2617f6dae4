from __future__ import annotations

import pytest

from basketwise.aws.requests.pipeline_steps import etl_step
from basketwise.aws.requests.processing import etl_job
from basketwise.aws.requests.spark import LIBRARIES, RUN
from basketwise.config import Config
from tests.aws.requests.examples import BUCKET, CONFIG, NAMES, OWN
from tests.aws.requests.examples import RUN as RUN_ID
from tests.aws.requests.test_processing import places
from tests.aws.service_model import check

SPARK = {"etl": "spark", "etl_instances": 3, "processing_instance": "ml.m5.xlarge"}
IMAGE = "571004829621.dkr.ecr.eu-west-1.amazonaws.com/sagemaker-spark-processing:3.5-cpu-py312-v1.4"


def on_spark(config: Config) -> Config:
    return config.model_copy(update={"aws": config.aws.model_copy(update=SPARK)})


@pytest.mark.parametrize("config", [CONFIG, OWN])
@pytest.mark.parametrize("clean", [True, False])
def test_aws_accepts_it(config: Config, clean: bool) -> None:
    request = etl_job(NAMES, on_spark(config), RUN_ID, clean=clean)
    check("sagemaker", "CreateProcessingJob", request, bucket=BUCKET)


@pytest.mark.parametrize("config", [CONFIG, OWN])
def test_it_is_etl_in_another_image_on_more_instances(config: Config) -> None:
    plain, request = etl_job(NAMES, CONFIG, RUN_ID), etl_job(NAMES, on_spark(config), RUN_ID)
    assert places(request) == places(plain)
    cluster = {"InstanceCount": 3, "InstanceType": "ml.m5.xlarge", "VolumeSizeInGB": 30}
    assert request["ProcessingResources"]["ClusterConfig"] == cluster
    application = request["AppSpecification"]
    assert application["ImageUri"] == IMAGE
    assert application["ContainerEntrypoint"] == ["/bin/sh", "/opt/ml/processing/code/spark.sh"]
    assert application["ContainerArguments"] == [
        *plain["AppSpecification"]["ContainerArguments"],
        "--spark-workspace",
        f"s3://{BUCKET}/",
    ]


def test_what_a_shell_would_cut_is_quoted() -> None:
    raw = f"s3://{BUCKET}/raw/two words & more/"
    arguments = etl_job(NAMES, on_spark(CONFIG), RUN_ID, raw=raw)["AppSpecification"]
    assert f"'{raw}'" in arguments["ContainerArguments"]


def test_the_pipelines_step_runs_on_spark_too() -> None:
    arguments = etl_step(NAMES, on_spark(CONFIG))["Arguments"]
    assert arguments["AppSpecification"]["ImageUri"] == IMAGE
    assert arguments["ProcessingResources"]["ClusterConfig"]["InstanceCount"] == 3


def test_another_image_can_be_named() -> None:
    own = {"etl": "spark", "spark_image_uri": "shop/spark@sha256:1"}
    config = CONFIG.model_copy(update={"aws": CONFIG.aws.model_copy(update=own)})
    assert etl_job(NAMES, config, RUN_ID)["AppSpecification"]["ImageUri"] == "shop/spark@sha256:1"


def test_every_instance_installs_where_executors_look() -> None:
    assert f"export PIP_TARGET={LIBRARIES}\n" in RUN
    # The image's own command must find its own libraries.
    assert "PYTHONPATH" not in RUN
