from typing import Any

import botocore.session
import pytest
from pydantic import ValidationError

from basketwise.aws.images import (
    ACCOUNTS,
    SPARK_ACCOUNTS,
    SPARK_UNLISTED,
    UNLISTED,
    image_of,
    prebuilt_image,
)
from basketwise.config import AwsConfig
from basketwise.errors import ConfigError

SESSION = botocore.session.get_session()


@pytest.mark.parametrize("region", ACCOUNTS)
def test_each_image_is_in_an_account_of_aws_in_that_region(region: str) -> None:
    partition = SESSION.get_partition_for_region(region)
    host, _, name = prebuilt_image(region).partition("/")
    suffix = {"aws-cn": "amazonaws.com.cn"}.get(partition, "amazonaws.com")
    account, rest = host.split(".", 1)
    assert rest == f"dkr.ecr.{region}.{suffix}"
    assert account.isdigit()
    assert len(account) == 12
    assert name == "sagemaker-scikit-learn:1.9-0-cpu-py3"


def test_every_region_has_an_account_of_its_own() -> None:
    assert len(set(ACCOUNTS.values())) == len(ACCOUNTS) >= 30


def test_as_many_regions_are_listed_as_aws_lists() -> None:
    assert ACCOUNTS.keys() >= UNLISTED
    assert len(ACCOUNTS.keys() - UNLISTED) == 29
    assert SPARK_ACCOUNTS.keys() >= SPARK_UNLISTED
    assert len(SPARK_ACCOUNTS.keys() - SPARK_UNLISTED) == 22


def test_an_unknown_region_names_the_known_ones() -> None:
    with pytest.raises(ConfigError) as caught:
        prebuilt_image("eu-north-9")
    assert "'eu-north-9'" in caught.value.headline
    assert all(region in caught.value.hint for region in ACCOUNTS)
    assert "aws.image_uri" in caught.value.hint


def test_the_configuration_chooses() -> None:
    assert image_of(AwsConfig(), "us-east-1").startswith("683313688378.dkr.ecr.us-east-1.")
    own = AwsConfig(image="own", image_uri="1.dkr.ecr.eu-west-1.amazonaws.com/basketwise:1")
    assert image_of(own, "nowhere") == own.image_uri
    older = AwsConfig(image_tag="1.4-2-py312-cpu-py3")
    assert image_of(older, "us-east-1").endswith("/sagemaker-scikit-learn:1.4-2-py312-cpu-py3")


@pytest.mark.parametrize("tag", ["", "latest", "1.9-0", "1.9-0-gpu-py3", "1.9-0-cpu-py3:x"])
def test_a_tag_that_cannot_be(tag: str) -> None:
    with pytest.raises(ValidationError, match="image_tag"):
        AwsConfig(image_tag=tag)


@pytest.mark.parametrize(
    "name",
    [
        *("ml.m6g.large", "ml.m6gd.xlarge", "ml.m7g.large", "ml.m8g.4xlarge", "ml.c6g.large"),
        *("ml.c6gn.2xlarge", "ml.c7g.large", "ml.r6g.large", "ml.r7gd.large", "ml.t4g.medium"),
        *("ml.x2gd.large", "ml.g5g.xlarge", "ml.im4gn.large"),
    ],
)
def test_graviton_is_refused_where_the_image_is_for_x86(name: str) -> None:
    own: dict[str, Any] = {"image": "own", "image_uri": "1.dkr.ecr.eu-west-1.amazonaws.com/b:1"}
    for key in ("processing_instance", "training_instance"):
        with pytest.raises(ValidationError, match="ARM64 processor"):
            AwsConfig(**{key: name})
        assert AwsConfig(**{key: name}, **own).arm_instances == (name,)
    # Spark's image stays AWS's, and what its jobs install is for x86-64.
    spark = own | {"etl": "spark"}
    assert AwsConfig(training_instance=name, **spark).arm_instances == (name,)
    with pytest.raises(ValidationError, match="processing_instance"):
        AwsConfig(processing_instance=name, **spark)


@pytest.mark.parametrize(
    "name",
    [
        *("ml.m5.large", "ml.m5d.large", "ml.m6i.large", "ml.m7i-flex.large", "ml.c5n.xlarge"),
        *("ml.g4dn.xlarge", "ml.g5.xlarge", "ml.g6e.xlarge", "ml.p4d.24xlarge", "ml.t3.medium"),
        *("ml.trn1.2xlarge", "ml.inf2.xlarge", "ml.x2iedn.large"),
    ],
)
def test_other_processors_are_not(name: str) -> None:
    assert AwsConfig(processing_instance=name, training_instance=name).arm_instances == ()
