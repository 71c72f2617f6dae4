"""The KMS key of jobs and bucket: whether it can be used, and is."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from basketwise.aws import clients
from basketwise.aws.checks.account import unknown
from basketwise.aws.errors import Meaning, call
from basketwise.aws.names import AwsNames
from basketwise.config import Config
from basketwise.doctor.check import Check, guarded

SYMMETRIC = ("ENCRYPT_DECRYPT", "SYMMETRIC_DEFAULT")


def key(config: Config, names: AwsNames) -> Iterator[Check]:
    """Check the key, and whether the bucket uses it; nothing without a key."""
    arn = config.aws.kms_key
    if arn:
        kms, s3 = clients.client("kms", config.aws), clients.client("s3", config.aws)
        yield guarded("key", lambda: _key(kms, names, arn), unknown)
        yield guarded("encryption", lambda: _encryption(s3, names, arn), unknown)


def _key(kms: Any, names: AwsNames, arn: str) -> Check:
    region = arn.split(":")[3]
    if region != names.region:
        text = f"{arn} is in {region}, the jobs would run in {names.region}."
        return Check("key", "failed", text, f"Set aws.kms_key to a key in {names.region}.", 2)
    described = partial(kms.describe_key, KeyId=arn)
    answer = call(f"describe the key {arn}", described, Meaning.MISSING)
    if answer is None:
        return Check("key", "failed", f"There is no key {arn}.", "Correct aws.kms_key.", 2)
    metadata = answer["KeyMetadata"]
    if (metadata.get("KeyUsage"), metadata.get("KeySpec")) != SYMMETRIC:
        text = f"{arn} is not a symmetric key for encryption: {metadata.get('KeySpec')}."
        return Check("key", "failed", text, "Choose one of type SYMMETRIC_DEFAULT.", 2)
    state = metadata.get("KeyState")
    if state != "Enabled":
        fix = "Enable it: aws kms enable-key, or cancel-key-deletion first, with --key-id."
        return Check("key", "failed", f"{arn} cannot be used: its state is {state}.", fix, 3)
    return Check("key", "ok", f"{arn} is enabled")


def _encryption(s3: Any, names: AwsNames, arn: str) -> Check:
    read = partial(s3.get_bucket_encryption, Bucket=names.bucket)
    what = f"read the encryption of the bucket {names.bucket}"
    answer = call(what, read, Meaning.NO_KEY, Meaning.NO_BUCKET) or {}
    rules = answer.get("ServerSideEncryptionConfiguration", {}).get("Rules", [])
    used = {
        rule.get("ApplyServerSideEncryptionByDefault", {}).get("KMSMasterKeyID") for rule in rules
    }
    if arn in used:
        return Check("encryption", "ok", f"{names.bucket} encrypts with that key by itself")
    return Check(
        "encryption",
        "warning",
        f"{names.bucket} does not encrypt with aws.kms_key by itself: checkpoints, and what tasks "
        "of Spark exchange, would not be encrypted with it.",
        "'basketwise aws provision' sets it for its own bucket and for one that it adopts.",
    )
