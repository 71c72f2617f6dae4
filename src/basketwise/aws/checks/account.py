"""What a run on AWS needs: credentials, region, bucket, group, image; and how to fix each."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING

from basketwise.aws import clients
from basketwise.aws.account.provisioning import repository_arn
from basketwise.aws.address import is_address
from basketwise.aws.clients import INSTALL
from basketwise.aws.errors import DENIED, LOGGED_OUT, NO_BUCKET, code_of, translated
from basketwise.aws.images import image_of
from basketwise.aws.names import PREFIXES, AwsNames, names_of
from basketwise.aws.s3 import Bucket
from basketwise.config import AwsConfig, Config
from basketwise.doctor.check import Check, guarded
from basketwise.errors import BasketwiseError, ConfigError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

PERMIT = "Attach the policy that 'basketwise aws policy run' prints to this user or role."
LOG_IN = "Log in again (aws sso login, or new keys), or choose another AWS_PROFILE."
OLD_NAMES = {"": "us-east-1", "EU": "eu-west-1"}
"""Regions that were there before S3 called them by their names."""

MOST_RAW = 10_000
"""Raw files are counted up to so many."""


def failure(name: str, error: BasketwiseError) -> Check:
    """Return an error as a finding that says how to fix it on AWS."""
    fix = error.hint
    if code_of(error) in DENIED:
        fix = PERMIT
    elif type(error.__cause__).__name__ in LOGGED_OUT:
        fix = LOG_IN
    return Check(name, "failed", error.headline, fix, error.exit_code)


def unknown(name: str, error: BasketwiseError) -> Check:
    """Return what became of a question that runs do not ask: a warning, if that is forbidden."""
    if code_of(error) in DENIED:
        return Check(name, "warning", f"Not known: {error.headline}", PERMIT)
    return failure(name, error)


def region(config: Config) -> Generator[Check, None, str]:
    """Find the region of the jobs; empty if there is none, or nothing to ask AWS with."""
    if find_spec("boto3") is None:
        yield Check("boto3", "failed", "AWS needs the package boto3.", f"Install it: {INSTALL}", 3)
        yield _skipped("what lies on AWS", "boto3")
        return ""
    try:
        with translated("find the region"):
            found = str(clients.client("sts", config.aws).meta.region_name)
    except BasketwiseError as error:
        yield failure("region", error)
        yield _skipped("what lies on AWS", "a region")
        return ""
    yield Check("region", "ok", found)
    return found


def account(config: Config, region: str, location: str) -> Generator[Check, None, AwsNames | None]:
    """Find whose credentials these are, and so what everything is called; None without any."""
    try:
        with translated("find out whose credentials these are"):
            found = clients.client("sts", config.aws).get_caller_identity()
    except BasketwiseError as error:
        yield failure("account", error)
        yield _skipped("bucket, workspace, registry, role, group, quotas", "credentials")
        return None
    yield Check("account", "ok", f"{found['Account']}, as {found['Arn']}")
    bucket = location if is_address(location) else ""
    return names_of(config, account_id=found["Account"], region=region, workspace=bucket)


def bucket(config: Config, names: AwsNames) -> Generator[Check, None, bool]:
    """Look at the bucket itself; returns whether there is one to look into."""
    try:
        s3 = clients.client("s3", config.aws)
        with translated(f"look at the bucket {names.bucket}"):
            found = s3.get_bucket_location(Bucket=names.bucket)
    except BasketwiseError as error:
        if code_of(error) in NO_BUCKET:
            yield Check(
                "bucket",
                "failed",
                f"There is no bucket {names.bucket}.",
                "'basketwise aws provision' makes it; or correct --workspace or aws.bucket.",
                error.exit_code,
            )
            yield _skipped("workspace, versioning, raw, silver, gold, artifacts", "a bucket")
            return False
        yield unknown("bucket", error)
        return code_of(error) in DENIED
    lies_in = region_of(found.get("LocationConstraint"))
    if lies_in == names.region:
        yield Check("bucket", "ok", f"{names.bucket}, in {lies_in}")
    else:
        yield Check(
            "bucket",
            "failed",
            f"{names.bucket} is in {lies_in}, the jobs would run in {names.region}.",
            f"Set aws.region to {lies_in}, or choose a bucket in {names.region}.",
        )
    return True


def region_of(constraint: str | None) -> str:
    """Return the region that S3 means by a bucket's location.

    Examples
    --------
    >>> region_of(None), region_of("EU"), region_of("eu-central-1")
    ('us-east-1', 'eu-west-1', 'eu-central-1')
    """
    return OLD_NAMES.get(constraint or "", constraint or "")


def contents(config: Config, names: AwsNames) -> Iterator[Check]:
    """Look at what the bucket keeps: old versions, raw files, outputs of earlier runs."""
    s3 = clients.client("s3", config.aws)
    yield guarded("versioning", lambda: _versioning(s3, names), unknown)
    for prefix in PREFIXES:
        yield guarded(prefix, partial(_prefix, s3, names, prefix), failure)


def _versioning(s3: S3Client, names: AwsNames) -> Check:
    with translated(f"ask whether {names.bucket} keeps old versions"):
        status = s3.get_bucket_versioning(Bucket=names.bucket).get("Status")
    if status == "Enabled":
        return Check("versioning", "ok", "overwritten and deleted objects can be brought back")
    return Check(
        "versioning",
        "warning",
        f"{names.bucket} keeps no old versions: what is overwritten is gone.",
        "'basketwise aws provision' turns versioning on for a bucket of its own; for another: aws "
        f"s3api put-bucket-versioning --bucket {names.bucket} --versioning-configuration "
        "Status=Enabled",
    )


def _prefix(s3: S3Client, names: AwsNames, prefix: str) -> Check:
    uri = names.uri(prefix)
    most = MOST_RAW if prefix == "raw" else 1
    objects = Bucket(s3, names.bucket, names.prefix).listed(f"{prefix}/", most)
    files, size = len(objects), sum(one.size for one in objects.values())
    if not files and prefix == "raw":
        return Check(
            prefix,
            "warning",
            f"{uri} contains no files.",
            "Upload them: 'basketwise aws run --data PATH' does so before it starts the jobs.",
        )
    if not files:
        return Check(prefix, "ok", f"{uri} is empty; the first run fills it")
    if prefix == "raw":
        more = "at least " if files == most else ""
        return Check(prefix, "ok", f"{uri} contains {more}{files:,} files, {size / 1e6:,.1f} MB")
    return Check(prefix, "ok", f"{uri} is there")


def group(config: Config, names: AwsNames) -> Check:
    """Look at the model package group."""
    from basketwise.aws.registry.calls import group_is_there

    def look() -> Check:
        if group_is_there(clients.client("sagemaker", config.aws), names.group):
            return Check("group", "ok", f"{names.group} is there")
        return Check(
            "group",
            "warning",
            f"There is no model package group {names.group} yet.",
            "'basketwise aws provision' makes it. So does the first run, of a user that may "
            "sagemaker:CreateModelPackageGroup.",
        )

    return guarded("group", look, unknown)


def image(config: Config, region: str) -> Check:
    """Look at the address of the image that jobs run in."""
    return guarded("image", lambda: _image(config.aws, region), failure)


def _image(aws: AwsConfig, region: str) -> Check:
    uri = image_of(aws, region)
    lies_in = repository_arn(uri).split(":")[3]
    if lies_in != region:
        raise ConfigError(
            f"{uri} is in {lies_in}, the jobs would run in {region}.",
            f"Push the image to a repository in {region} and set aws.image_uri to it.",
        )
    return Check("image", "ok", uri)


def _skipped(what: str, needed: str) -> Check:
    return Check("skipped", "warning", f"{what}: they need {needed}.")
