"""The settings of Amazon SageMaker."""

from __future__ import annotations

import json
import re
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    Field,
    model_validator,
)

from basketwise.config import aws_limits as limits
from basketwise.config.section import (
    EachOnce,
    Positive,
    Section,
)

GRAVITON = re.compile(r"ml\.[a-z]+[0-9]+[a-z]*g")
"""Instance types with AWS's own processors: a ``g`` after the generation (AWS, Amazon EC2
Instance Types, naming conventions, 2025); ``g5`` and ``g4dn`` are of the family g."""


class AwsConfig(Section):
    """Where and how jobs run on Amazon SageMaker."""

    region: Annotated[str, Field(pattern=r"^$|^[a-z]{2}(-[a-z]+)+-[0-9]$")] = ""
    """Region of the bucket and the jobs. Empty: that of the AWS profile or environment."""
    project: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{1,30}$")] = "mlops-retail-prediction"
    """First part of every resource's name."""
    environment: Annotated[str, Field(pattern=r"^[a-z][a-z0-9]{0,9}$")] = "dev"
    """Second part of every resource's name."""
    bucket: Annotated[str, Field(pattern=r"^$|^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$")] = ""
    """Bucket of the workspace. Empty: <project>-<environment>-<account id>."""
    role_arn: Annotated[str, Field(pattern=r"^$|^arn:aws[a-z-]*:iam::[0-9]{12}:role/.+$")] = ""
    """Role that jobs run under. Empty: <project>-<environment>-sagemaker-execution."""
    image: Literal["prebuilt", "own"] = "prebuilt"
    """prebuilt: AWS's scikit-learn image, onto which each job installs Basketwise; own: image_uri,
    built from the Dockerfile."""
    image_tag: Annotated[str, Field(pattern=r"^[0-9]+\.[0-9]+-[0-9]+(-py3[0-9]+)?-cpu-py3$")] = (
        "1.9-0-cpu-py3"
    )
    """Tag of AWS's scikit-learn image, of prebuilt; it must be one with Python 3.12."""
    image_uri: str = ""
    """Container image in your own registry; required with own."""
    archive: Literal["slim", "self-contained"] = "slim"
    """What a version's archive brings for AWS's image. slim: versions of libraries, which each
    instance installs from a package index; self-contained: the libraries, 70 to 130 MB, so that it
    starts without one. With network_isolation it is always self-contained."""
    etl: Literal["python", "spark"] = "python"
    """What ETL runs on. python: one instance of the image; spark: AWS's Spark image, on
    etl_instances instances, onto which the job installs Basketwise."""
    etl_instances: Annotated[int, Field(ge=1, le=100)] = 2
    """Number of instances of ETL on Spark."""
    spark_image_uri: str = ""
    """Container image of ETL on Spark, with smspark-submit as AWS's has it. Empty: AWS's."""
    evaluate: Literal["auto", "local", "job"] = "auto"
    """Where a run is evaluated. local: on the machine that started it, which downloads gold, and
    silver if there is a champion; job: as a job; auto: as a job if that is more than 500 MB."""
    processing_instance: Annotated[str, Field(pattern=r"^ml\.")] = "ml.m5.large"
    """Instance type for ETL and evaluation."""
    training_instance: Annotated[str, Field(pattern=r"^ml\.")] = "ml.m5.large"
    """Instance type for training."""
    volume_gb: Annotated[int, Field(ge=1, le=16_384)] = 30
    """Disk size of each instance, in GB."""
    max_run: Annotated[int, Field(ge=60, le=432_000)] = 3600
    """Maximum run time of a job, in seconds."""
    max_wait: Annotated[int, Field(ge=60, le=864_000)] = 7200
    """Maximum time of a spot training in seconds, waiting included."""
    spot: bool = True
    """Whether training runs on spot capacity: cheaper, and continued when it is interrupted."""
    poll_seconds: Annotated[float, Field(gt=0, le=600)] = 15.0
    """Seconds between two polls of a running job."""
    notify: Annotated[
        str,
        Field(
            pattern=r"^$|^[^@\s]+@[^@\s]+$|^arn:aws[a-z-]*:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]+$"
        ),
    ] = ""
    """E-mail address, or ARN of an SNS topic, that new, approved and rejected versions are told to.
    Empty: none."""
    usd_per_hour: Positive | dict[str, Positive] | None = None
    """Price of an instance hour in USD, for the estimated cost: one number for every instance type,
    or a table of them by type. What is not in it: AWS's list price, where that is known."""
    subnets: Annotated[
        EachOnce[Annotated[str, Field(pattern=limits.SUBNET)]],
        Field(max_length=limits.MAX_SUBNETS),
    ] = ()
    """Subnets of your VPC that jobs and endpoints run in, with security_groups. Empty: in AWS's own
    network."""
    security_groups: Annotated[
        EachOnce[Annotated[str, Field(pattern=limits.SECURITY_GROUP)]],
        Field(max_length=limits.MAX_SECURITY_GROUPS),
    ] = ()
    """Security groups of jobs and endpoints in that VPC."""
    kms_key: Annotated[str, Field(pattern=limits.KEY)] = ""
    """ARN of the KMS key that encrypts the bucket, outputs and volumes. Empty: keys of AWS."""
    network_isolation: bool = False
    """Whether jobs and models reach no network at all. With image = "prebuilt", libraries are
    uploaded to code/, and installed from there."""
    permissions_boundary: Annotated[str, Field(pattern=limits.BOUNDARY)] = ""
    """ARN of the policy that bounds the roles which 'aws provision' creates. Empty: none."""
    tags: Annotated[dict[str, str], AfterValidator(limits.checked_tags)] = Field(default={})
    """Your own tags, on everything that is created on AWS."""
    endpoint_url: str = ""
    """Endpoint of S3-compatible or other stand-in services. Empty: AWS."""

    def __hash__(self) -> int:
        """Hash what is set: clients are cached by it, and a table of tags has no hash."""
        return hash(json.dumps(self.model_dump(mode="json"), sort_keys=True))

    @property
    def installs(self) -> bool:
        """Whether some job installs Basketwise onto an image of AWS's, from ``code/``."""
        return self.image == "prebuilt" or self.etl == "spark"

    @property
    def brings_wheels(self) -> bool:
        """Whether the libraries of jobs have to lie in ``code/``, since jobs reach no index."""
        return self.image == "prebuilt" and self.network_isolation

    @property
    def archives_bring_libraries(self) -> bool:
        """Whether versions are self-contained: where wished, and where no endpoint could install.

        Examples
        --------
        >>> AwsConfig(network_isolation=True).archives_bring_libraries
        True
        """
        return self.archive == "self-contained" or self.brings_wheels

    @property
    def arm_instances(self) -> tuple[str, ...]:
        """The instance types of jobs that are of AWS's Graviton processors, which are ARM64.

        Examples
        --------
        >>> AwsConfig(
        ...     image="own", image_uri="…", training_instance="ml.c7g.large"
        ... ).arm_instances
        ('ml.c7g.large',)
        """
        chosen = (self.processing_instance, self.training_instance)
        return tuple(name for name in dict.fromkeys(chosen) if GRAVITON.match(name))

    @model_validator(mode="after")
    def _runs_on(self) -> AwsConfig:
        # Refused now: SageMaker would say so after minutes, in words of the container's.
        for key, prebuilt in (
            ("processing_instance", self.installs),
            ("training_instance", self.image == "prebuilt"),
        ):
            name = getattr(self, key)
            if prebuilt and GRAVITON.match(name):
                raise ValueError(
                    f"{key} = {name!r} has an ARM64 processor (Graviton); AWS's images and the "
                    "libraries that jobs install are for x86-64, for example ml.m5.large. With "
                    'etl = "python" and image = "own" it can run an image that was built for ARM64'
                )
        return self

    @model_validator(mode="after")
    def _consistent(self) -> AwsConfig:
        if self.max_wait < self.max_run:
            raise ValueError("max_wait must not be below max_run")
        if self.image == "own" and not self.image_uri:
            raise ValueError('image = "own" needs image_uri')
        if self.image == "own" and self.archive == "self-contained":
            raise ValueError(
                'archive = "self-contained" is for image = "prebuilt"; an image of your own '
                "contains the libraries"
            )
        return self

    @model_validator(mode="after")
    def _controlled(self) -> AwsConfig:
        if bool(self.subnets) != bool(self.security_groups):
            raise ValueError("subnets and security_groups go together: set both or none")
        if self.network_isolation and self.etl == "spark":
            raise ValueError(
                'etl = "spark" needs the network: its instances exchange files through S3. Set '
                'etl = "python", or network_isolation = false and a VPC (subnets, security_groups)'
            )
        for name in ("processing_instance", "training_instance"):
            if self.kms_key and limits.has_local_storage(getattr(self, name)):
                raise ValueError(
                    f"{name} = {getattr(self, name)!r} has disks of its own, which take no "
                    "kms_key; choose a type without"
                )
        return self
