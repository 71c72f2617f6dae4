"""A bucket, a role and a group that somebody made by hand, under the default names."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from basketwise.aws.account import provisioning
from basketwise.aws.account.existing import Clients
from basketwise.aws.account.stacks import Change, Changed
from basketwise.aws.account.template import role_name
from basketwise.config import AwsConfig
from tests.aws.calls import BUCKET, NAMES
from tests.aws.moto_account import IMAGE, Account
from tests.aws.stack_double import StackDouble

TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": "sagemaker.amazonaws.com"},
            "Action": "sts:AssumeRole",
        }
    ],
}
THEIRS = {"Sid": "Theirs", "Effect": "Allow", "Action": "s3:GetObject"} | {
    "Principal": {"AWS": "arn:aws:iam::210987654321:root"},
    "Resource": f"arn:aws:s3:::{BUCKET}/*",
}
EVERYTHING = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}],
    }
)
OLD_ACL = "BucketOwnerPreferred"


def make_by_hand(aws: Account, *, group: bool = True, trust: Any = TRUST, path: str = "/") -> None:
    """Make them as the consoles of some years ago did: a bucket without settings, a broad role."""
    aws.s3.create_bucket(
        Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": NAMES.region}
    )
    aws.s3.put_bucket_ownership_controls(
        Bucket=BUCKET, OwnershipControls={"Rules": [{"ObjectOwnership": OLD_ACL}]}
    )
    aws.s3.put_bucket_policy(
        Bucket=BUCKET, Policy=json.dumps({"Version": "2012-10-17", "Statement": THEIRS})
    )
    aws.s3.put_object(Bucket=BUCKET, Key="raw/w.csv", Body=b"theirs")
    aws.iam.create_role(
        RoleName=role_name(NAMES), Path=path, AssumeRolePolicyDocument=json.dumps(trust)
    )
    for name in ("AmazonSageMakerFullAccess", "AmazonS3FullAccess"):
        # Not AWS's own, which moto has to read from a file of megabytes.
        made = aws.iam.create_policy(PolicyName=name, PolicyDocument=EVERYTHING)
        arn = made["Policy"]["Arn"]
        aws.iam.attach_role_policy(RoleName=role_name(NAMES), PolicyArn=arn)
    aws.iam.put_role_policy(
        RoleName=role_name(NAMES), PolicyName="notebooks", PolicyDocument=EVERYTHING
    )
    if group:
        aws.sagemaker.create_model_package_group(ModelPackageGroupName=NAMES.group)


def clients_with(aws: Account, stacks: StackDouble | None = None) -> Clients:
    """Return clients whose CloudFormation adopts."""
    double: Any = stacks or StackDouble(aws.iam, aws.s3, aws.sagemaker)
    return Clients(double, aws.iam, aws.s3, aws.sagemaker)


def adopt(
    clients: Clients,
    settings: AwsConfig | None = None,
    *,
    confirm: Callable[[tuple[Change, ...]], bool] = lambda _: True,
    report: Callable[[str], None] = lambda _: None,
) -> Changed:
    """Provision where things exist."""
    names = replace(NAMES, own_tags=tuple(settings.tags.items())) if settings else NAMES
    return provisioning.provision(
        clients, names, IMAGE, confirm=confirm, report=report, aws=settings
    )
