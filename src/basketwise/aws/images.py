"""Which container image the jobs run in."""

from __future__ import annotations

import re
from datetime import date

from basketwise.aws.names import partition
from basketwise.config import AwsConfig
from basketwise.errors import ConfigError

REPOSITORY = "sagemaker-scikit-learn"

SUPPORTED_UNTIL = {
    "1.9-0-cpu-py3": date(2027, 7, 16),
    "1.4-2-py312-cpu-py3": date(2026, 10, 30),
}
"""The day on which AWS ends the support of its scikit-learn images with Python 3.12, by tag (Amazon
Web Services, deep-learning-containers, docs/src/data/sagemaker-scikit-learn, July 2026). Later
images are missing, so a tag that is not here is not known, which is no fault of it."""

ACCOUNTS = {
    "af-south-1": "510948584623",
    "ap-east-1": "651117190479",
    "ap-northeast-1": "354813040037",
    "ap-northeast-2": "366743142698",
    "ap-northeast-3": "867004704886",
    "ap-south-1": "720646828776",
    "ap-south-2": "628508329040",
    "ap-southeast-1": "121021644041",
    "ap-southeast-2": "783357654285",
    "ap-southeast-3": "951798379941",
    "ap-southeast-4": "106583098589",
    "ca-central-1": "341280168497",
    "ca-west-1": "190319476487",
    "cn-north-1": "450853457545",
    "cn-northwest-1": "451049120500",
    "eu-central-1": "492215442770",
    "eu-central-2": "680994064768",
    "eu-north-1": "662702820516",
    "eu-south-1": "978288397137",
    "eu-south-2": "104374241257",
    "eu-west-1": "141502667606",
    "eu-west-2": "764974769150",
    "eu-west-3": "659782779980",
    "il-central-1": "898809789911",
    "me-central-1": "272398656194",
    "me-south-1": "801668240914",
    "sa-east-1": "737474898029",
    "us-east-1": "683313688378",
    "us-east-2": "257758044811",
    "us-gov-east-1": "237065988967",
    "us-gov-west-1": "414596584902",
    "us-west-1": "746614075791",
    "us-west-2": "246618743249",
}
"""Account that AWS publishes its scikit-learn images from, by region (Amazon Web Services,
SageMaker Python SDK, image_uri_config/sklearn.json, 2025). It is the same for every version."""

UNLISTED = frozenset({"me-central-1", "me-south-1", "us-gov-east-1", "us-gov-west-1"})
"""Regions with such an account that AWS does not list for these images any more (Amazon Web
Services, deep-learning-containers, region availability, July 2026)."""


def prebuilt_image(region: str, tag: str = AwsConfig().image_tag) -> str:
    """Return the URI of AWS's scikit-learn image in a region; raises ConfigError if unknown.

    Examples
    --------
    >>> prebuilt_image("eu-west-1")
    '141502667606.dkr.ecr.eu-west-1.amazonaws.com/sagemaker-scikit-learn:1.9-0-cpu-py3'
    """
    if region not in ACCOUNTS:
        raise ConfigError(
            f"No prebuilt scikit-learn image is known in the region {region!r}.",
            f'Known: {", ".join(ACCOUNTS)}. Elsewhere set aws.image = "own" and aws.image_uri.',
        )
    return _published(ACCOUNTS[region], region, f"{REPOSITORY}:{tag}")


SPARK_REPOSITORY = "sagemaker-spark-processing"
SPARK_TAG = "3.5-cpu-py312-v1.4"
"""Of AWS's Spark images, one with the Python of the scikit-learn image."""

SPARK_ACCOUNTS = {
    "af-south-1": "309385258863",
    "ap-east-1": "732049463269",
    "ap-northeast-1": "411782140378",
    "ap-northeast-2": "860869212795",
    "ap-northeast-3": "364406365360",
    "ap-south-1": "105495057255",
    "ap-southeast-1": "759080221371",
    "ap-southeast-2": "440695851116",
    "ca-central-1": "446299261295",
    "cn-north-1": "671472414489",
    "cn-northwest-1": "844356804704",
    "eu-central-1": "906073651304",
    "eu-north-1": "330188676905",
    "eu-south-1": "753923664805",
    "eu-west-1": "571004829621",
    "eu-west-2": "836651553127",
    "eu-west-3": "136845547031",
    "me-south-1": "750251592176",
    "sa-east-1": "737130764395",
    "us-east-1": "173754725891",
    "us-east-2": "314815235551",
    "us-gov-west-1": "271483468897",
    "us-west-1": "667973535471",
    "us-west-2": "153931337802",
}
"""Account that AWS publishes its Spark images from, by region (Amazon Web Services, SageMaker
Python SDK, image_uri_config/spark.json, 2025)."""

SPARK_UNLISTED = frozenset({"ap-northeast-3", "us-gov-west-1"})
"""Regions with such an account that AWS does not list for these images (Amazon Web Services,
sagemaker-spark-container, available_images.md, 2025)."""


def spark_image(config: AwsConfig, region: str) -> str:
    """Return the URI of the image that ETL on Spark runs in; raises ConfigError if unknown.

    Examples
    --------
    >>> spark_image(AwsConfig(), "eu-west-1")
    '571004829621.dkr.ecr.eu-west-1.amazonaws.com/sagemaker-spark-processing:3.5-cpu-py312-v1.4'
    """
    if config.spark_image_uri:
        return config.spark_image_uri
    if region not in SPARK_ACCOUNTS:
        raise ConfigError(
            f"No prebuilt Spark image is known in the region {region!r}.",
            f"Known: {', '.join(SPARK_ACCOUNTS)}. Elsewhere set aws.spark_image_uri.",
        )
    return _published(SPARK_ACCOUNTS[region], region, f"{SPARK_REPOSITORY}:{SPARK_TAG}")


def _published(account: str, region: str, image: str) -> str:
    suffix = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
    return f"{account}.dkr.ecr.{region}.{suffix}/{image}"


def image_of(config: AwsConfig, region: str) -> str:
    """Return the URI of the image that the configuration chooses."""
    return config.image_uri if config.image == "own" else prebuilt_image(region, config.image_tag)


IMAGE = re.compile(
    r"(\d{12})\.dkr\.ecr\.([a-z0-9-]+)\.amazonaws\.com(?:\.cn)?/([a-z0-9][a-z0-9._/-]*)(?:[:@].+)?"
)
"""Account, region and repository of an image in ECR."""


def repository_arn(image_uri: str) -> str:
    """Return the ARN of the ECR repository that an image is in.

    Raises ConfigError if it is elsewhere: SageMaker pulls from ECR only.

    Examples
    --------
    >>> repository_arn("123456789012.dkr.ecr.eu-west-1.amazonaws.com/shop/basketwise:1")
    'arn:aws:ecr:eu-west-1:123456789012:repository/shop/basketwise'
    """
    image = IMAGE.fullmatch(image_uri)
    if image is None:
        raise ConfigError(
            f"{image_uri!r} is not in an ECR repository.",
            "Push the image to ECR and set aws.image_uri to "
            "<account>.dkr.ecr.<region>.amazonaws.com/<repository>:<tag>.",
        )
    account, region, repository = image.groups()
    return f"arn:{partition(region)}:ecr:{region}:{account}:repository/{repository}"
