"""The settings that an organization's rules ask for, each by itself and all of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from basketwise.aws.account.statements import BOUNDARY as BOUNDARY_KEY
from basketwise.config import AwsConfig
from tests.aws.calls import (
    ACCOUNT,
    CALLS,
    CLOUDFORMATION,
    DEPLOYING,
    NAMES,
    PROVISIONING,
    RUNNING,
    S3,
    SCHEDULE_ROLE,
    STACK,
)
from tests.aws.recording import Call

SUBNETS = ("subnet-0123456789abcdef0", "subnet-0123456789abcdef1")
GROUPS = ("sg-0123456789abcdef0",)
KEY = f"arn:aws:kms:eu-west-1:{ACCOUNT}:key/1234abcd-12ab-34cd-56ef-1234567890ab"
BOUNDARY = f"arn:aws:iam::{ACCOUNT}:policy/engineers"
OWN_TAGS = {"CostCentre": "4711", "Owner": "pricing@shop.example"}

VPC: dict[str, Any] = {"subnets": SUBNETS, "security_groups": GROUPS}
BY_NAME: dict[str, dict[str, Any]] = {
    "none": {},
    "vpc": VPC,
    "key": {"kms_key": KEY},
    "isolation": {"network_isolation": True},
    "boundary": {"permissions_boundary": BOUNDARY},
    "tags": {"tags": OWN_TAGS},
    "all": {
        **VPC,
        "kms_key": KEY,
        "network_isolation": True,
        "permissions_boundary": BOUNDARY,
        "tags": OWN_TAGS,
    },
}


def aws(name: str, **more: Any) -> AwsConfig:
    """Return the settings of a combination, with others."""
    return AwsConfig(**BY_NAME[name], **more)


KEYS = "a KMS key"
"""What S3 does for a caller on a bucket with a key (Amazon Web Services, S3 User Guide, Using
server-side encryption with KMS keys, 2025)."""

JOBS_WITH_KEY = "SageMaker jobs with a KMS key"
"""Made under the role (Amazon Web Services, SageMaker Developer Guide, Encrypt output data and
storage volume with KMS, 2025); ``ReEncrypt*`` and ``GenerateDataKey*`` are written out."""

JOBS_IN_VPC = "SageMaker jobs in a VPC"
"""Made under the role (Amazon Web Services, SageMaker Developer Guide, execution roles of
CreateTrainingJob and CreateProcessingJob with a VPC, 2025)."""

DOCTOR = "doctor"
"""Recorded while the checks of network and key run."""

GRANT = {"kms:GrantIsForAWSResource": "true"}
BOUNDED = {"iam:CreateRole", "iam:PutRolePolicy", "iam:DeleteRolePolicy"}
"""Actions on a role that its boundary is a condition key of."""


def _key_calls() -> Iterator[Call]:
    for who, origin, actions in (
        ("run", KEYS, "Decrypt GenerateDataKey"),
        ("run", DOCTOR, "DescribeKey"),
        ("deploy", KEYS, "Decrypt"),
        (
            "role",
            JOBS_WITH_KEY,
            "Decrypt DescribeKey Encrypt GenerateDataKey GenerateDataKeyWithoutPlaintext "
            "ReEncryptFrom ReEncryptTo",
        ),
    ):
        for action in actions.split():
            yield Call(who, f"kms:{action}", KEY, origin)
    for who, origin in (("run", RUNNING), ("deploy", DEPLOYING), ("role", JOBS_WITH_KEY)):
        yield Call(who, "kms:CreateGrant", KEY, origin, GRANT)
    yield Call("run", "s3:GetEncryptionConfiguration", S3, DOCTOR)
    yield Call("provision", "s3:PutEncryptionConfiguration", S3, PROVISIONING)


def _network_calls() -> Iterator[Call]:
    for kind in ("RouteTables", "SecurityGroups", "Subnets", "VpcEndpoints"):
        yield Call("run", f"ec2:Describe{kind}", "*", DOCTOR)
    for kind in ("DhcpOptions", "NetworkInterfaces", "SecurityGroups", "Subnets", "Vpcs"):
        yield Call("role", f"ec2:Describe{kind}", "*", JOBS_IN_VPC)
    interface = NAMES.arn_of("ec2", "network-interface/eni-1")
    for verb in ("Create", "Delete"):
        for action in (f"ec2:{verb}NetworkInterface", f"ec2:{verb}NetworkInterfacePermission"):
            yield Call("role", action, interface, JOBS_IN_VPC)
    # A subnet may be shared by another account.
    for part in (*(f"subnet/{name}" for name in SUBNETS), f"security-group/{GROUPS[0]}"):
        shared = f"arn:aws:ec2:eu-west-1:210987654321:{part}"
        yield Call("role", "ec2:CreateNetworkInterface", shared, JOBS_IN_VPC)


def calls(name: str) -> list[Call]:
    """Return every call that is made with a combination of settings."""
    aws_config = aws(name)
    listed = list(CALLS)
    if aws_config.kms_key:
        listed += _key_calls()
    if aws_config.subnets:
        listed += _network_calls()
    if aws_config.tags:
        alarm = NAMES.arn_of("cloudwatch", "alarm:retail-api-errors")
        listed.append(Call("deploy", "cloudwatch:TagResource", alarm, DEPLOYING))
        # Of the stack itself.
        for action in ("cloudformation:TagResource", "cloudformation:UntagResource"):
            listed.append(Call("provision", action, STACK, PROVISIONING))
    if aws_config.permissions_boundary:
        bounded = {BOUNDARY_KEY: BOUNDARY}
        listed = [
            replace(call, context={**call.context, **bounded}) if call.action in BOUNDED else call
            for call in listed
        ]
        put = "iam:PutRolePermissionsBoundary"
        listed.append(Call("provision", put, NAMES.role_arn, PROVISIONING, bounded))
        listed.append(Call("provision", put, SCHEDULE_ROLE, CLOUDFORMATION, bounded))
    return listed
