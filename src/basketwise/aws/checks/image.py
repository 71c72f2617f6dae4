"""The images that jobs run in: their addresses, regions, support and processors."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, timedelta

from basketwise import clock
from basketwise.aws.images import (
    REPOSITORY,
    SPARK_REPOSITORY,
    SPARK_UNLISTED,
    SUPPORTED_UNTIL,
    UNLISTED,
    image_of,
    repository_arn,
    spark_image,
)
from basketwise.config import AwsConfig, Config
from basketwise.doctor.check import Check, failure, guarded
from basketwise.errors import ConfigError

DIGEST = re.compile(r"@sha256:[0-9a-f]{64}$")
"""The end of the address of an image that cannot change."""

NOTICE = timedelta(days=183)
"""So long before the end of its support an image is warned of."""

OWN = 'set aws.image = "own" and aws.image_uri, to an image built from the Dockerfile'


def today() -> date:
    """Return the day, in UTC."""
    return clock.now().date()


def images(config: Config, region: str) -> Iterator[Check]:
    """Check the images of all jobs; nothing but an address that cannot be used fails."""
    aws = config.aws
    address = _address(aws, region)
    yield address
    if aws.image == "prebuilt" and address.state != "failed":
        if region in UNLISTED:
            yield _unlisted("image region", REPOSITORY, region, f"{OWN[0].upper()}{OWN[1:]}.")
        yield from _support(aws.image_tag, today())
    if aws.etl == "spark":
        yield guarded(
            "spark image", lambda: Check("spark image", "ok", spark_image(aws, region)), failure
        )
        if region in SPARK_UNLISTED and not aws.spark_image_uri:
            fix = 'Set aws.spark_image_uri, or aws.etl = "python".'
            yield _unlisted("spark image region", SPARK_REPOSITORY, region, fix)
    if aws.arm_instances:
        yield Check(
            "processor",
            "warning",
            f"{', '.join(aws.arm_instances)}: ARM64 processors (Graviton). The image of your own "
            "must be built for linux/arm64.",
            "The Dockerfile was tried on x86-64 only: build it on a machine with such a processor, "
            "and try it there; or choose another instance type.",
        )


def _address(aws: AwsConfig, region: str) -> Check:
    """Check the address of the image that jobs run in."""

    def check() -> Check:
        uri = image_of(aws, region)
        _, _, _, location, account, resource = repository_arn(uri).split(":")
        if location != region:
            raise ConfigError(
                f"{uri} is in {location}, the jobs would run in {region}.",
                f"Push the image to a repository in {region} and set aws.image_uri to it.",
            )
        # What AWS publishes under a tag is AWS's to change.
        if aws.image != "own" or DIGEST.search(uri):
            return Check("image", "ok", uri)
        tag = uri.rpartition("/")[2].partition(":")[2]
        named = resource.partition("/")[2]
        return Check(
            "image",
            "warning",
            f"{uri} is named by {'a tag' if tag else 'the tag latest'}, which may be moved to "
            "another image.",
            "Set aws.image_uri to "
            f"{uri.removesuffix(f':{tag}')}@sha256:…, with the digest that this prints:\n"
            f"aws ecr describe-images --region {region} --registry-id {account} "
            f"--repository-name {named} --image-ids imageTag={tag or 'latest'} "
            "--query 'imageDetails[0].imageDigest' --output text",
        )

    return guarded("image", check, failure)


def _unlisted(name: str, repository: str, region: str, fix: str) -> Check:
    text = f"AWS does not list {region} among the regions of {repository}: pulling it may fail."
    return Check(name, "warning", text, fix)


def _support(tag: str, day: date) -> Iterator[Check]:
    """Warn of an image that AWS mends no more, or not for much longer, or that is not known."""
    end = SUPPORTED_UNTIL.get(tag)
    if end is None:
        text = f"The tag {tag} is not one that is known to have Python 3.12, which jobs need."
        fix = f"Known: {', '.join(SUPPORTED_UNTIL)}. Try it on a small run, or {OWN}."
        yield Check("image support", "warning", text, fix)
    elif day >= end - NOTICE:
        ends = "ended" if day >= end else "ends"
        text = f"AWS's support of the image {tag} {ends} on {end}: then it gets no security fixes."
        fix = f"Set aws.image_tag to a newer image with Python 3.12, or {OWN}."
        yield Check("image support", "warning", text, fix)
