"""What a run on AWS needs: credentials, region, bucket, group; and how to fix each."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING

from basketwise.aws import clients
from basketwise.aws.clients import INSTALL
from basketwise.aws.errors import Meaning, meaning_of, translated
from basketwise.aws.names import PREFIXES, AwsNames, names_of
from basketwise.aws.s3 import Bucket
from basketwise.config import Config
from basketwise.doctor.check import Check, failure, guarded
from basketwise.errors import BasketwiseError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


def unknown(name: str, error: BasketwiseError) -> Check:
    """Return a failed check that no run depends on: a warning, if permission is missing."""
    if meaning_of(error) is Meaning.DENIED:
        return Check(name, "warning", f"Not known: {error.headline}", error.hint)
    return failure(name, error)


def region(config: Config) -> Generator[Check, None, str]:
    """Find the region of the jobs; empty if there is none, or boto3 is not installed."""
    if find_spec("boto3") is None:
        yield Check("boto3", "failed", "AWS needs the package boto3.", f"Install it: {INSTALL}", 3)
        yield _skipped("the checks of AWS", "boto3")
        return ""
    try:
        name = str(clients.client("sts", config.aws).meta.region_name)
    except BasketwiseError as error:
        yield failure("region", error)
        yield _skipped("the checks of AWS", "a region")
        return ""
    yield Check("region", "ok", name)
    return name


def account(config: Config, region: str, location: str) -> Generator[Check, None, AwsNames | None]:
    """Identify the account of the credentials; return its names, None without credentials."""
    try:
        with translated("identify the account"):
            identity = clients.client("sts", config.aws).get_caller_identity()
    except BasketwiseError as error:
        yield failure("account", error)
        yield _skipped("bucket, workspace, registry, role, group, quotas", "credentials")
        return None
    yield Check("account", "ok", f"{identity['Account']}, as {identity['Arn']}")
    return names_of(config, account_id=identity["Account"], region=region, workspace=location)


def bucket(config: Config, names: AwsNames) -> Generator[Check, None, bool]:
    """Check the bucket itself; returns whether its contents can be checked."""
    try:
        s3 = clients.client("s3", config.aws)
        with translated(f"read the region of the bucket {names.bucket}"):
            constraint = s3.get_bucket_location(Bucket=names.bucket).get("LocationConstraint")
    except BasketwiseError as error:
        if meaning_of(error) is not Meaning.NO_BUCKET:
            yield unknown("bucket", error)
            return meaning_of(error) is Meaning.DENIED
        text = f"There is no bucket {names.bucket}."
        fix = "'basketwise aws provision' creates it; or correct --workspace or aws.bucket."
        yield Check("bucket", "failed", text, fix, error.exit_code)
        yield _skipped("workspace, versioning, raw, silver, gold, artifacts", "a bucket")
        return False
    region = region_of(constraint)
    if region == names.region:
        yield Check("bucket", "ok", f"{names.bucket}, in {region}")
    else:
        text = f"{names.bucket} is in {region}, the jobs would run in {names.region}."
        fix = f"Set aws.region to {region}, or choose a bucket in {names.region}."
        yield Check("bucket", "failed", text, fix)
    return True


def region_of(constraint: str | None) -> str:
    """Return the region of a bucket's location; the oldest ones have other names.

    Examples
    --------
    >>> region_of(None), region_of("EU"), region_of("eu-central-1")
    ('us-east-1', 'eu-west-1', 'eu-central-1')
    """
    return {"": "us-east-1", "EU": "eu-west-1"}.get(constraint or "", constraint or "")


def contents(config: Config, names: AwsNames) -> Iterator[Check]:
    """Check what the bucket contains: old versions, raw files, outputs of earlier runs."""
    s3 = clients.client("s3", config.aws)
    yield guarded("versioning", lambda: _versioning(s3, names), unknown)
    for prefix in PREFIXES:
        yield guarded(prefix, partial(_prefix, s3, names, prefix), failure)


def _versioning(s3: S3Client, names: AwsNames) -> Check:
    with translated(f"read the versioning of {names.bucket}"):
        status = s3.get_bucket_versioning(Bucket=names.bucket).get("Status")
    if status == "Enabled":
        return Check("versioning", "ok", "overwritten and deleted objects can be restored")
    return Check(
        "versioning",
        "warning",
        f"{names.bucket} keeps no old versions: overwritten objects are lost.",
        "'basketwise aws provision' turns versioning on for a bucket of its own; for another: aws "
        f"s3api put-bucket-versioning --bucket {names.bucket} --versioning-configuration "
        "Status=Enabled",
    )


def _prefix(s3: S3Client, names: AwsNames, prefix: str) -> Check:
    uri, raw = names.uri(prefix), prefix == "raw"
    most = 10_000 if raw else 1
    objects = Bucket(s3, names.bucket, names.prefix).listed(f"{prefix}/", most)
    if raw and not objects:
        fix = "Upload them: 'basketwise aws run --data PATH' does so before it starts the jobs."
        return Check(prefix, "warning", f"{uri} contains no files.", fix)
    if raw:
        count, size = len(objects), sum(listed.size for listed in objects.values())
        text = f"{'at least ' if count == most else ''}{count:,} files, {size / 1e6:,.1f} MB"
        return Check(prefix, "ok", f"{uri} contains {text}")
    state = "contains files" if objects else "is empty; the first run fills it"
    return Check(prefix, "ok", f"{uri} {state}")


def group(config: Config, names: AwsNames) -> Check:
    """Check the model package group."""
    from basketwise.aws.registry.calls import group_exists

    def check() -> Check:
        if group_exists(clients.client("sagemaker", config.aws), names.group):
            return Check("group", "ok", f"{names.group} exists")
        return Check(
            "group",
            "warning",
            f"There is no model package group {names.group} yet.",
            "'basketwise aws provision' creates it. So does the first run, if its user may call "
            "sagemaker:CreateModelPackageGroup.",
        )

    return guarded("group", check, unknown)


def _skipped(what: str, needed: str) -> Check:
    return Check("skipped", "warning", f"{what}: they need {needed}.")
