import botocore.session
import pytest

from basketwise.aws.images import ACCOUNTS, image_of, prebuilt_image
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
