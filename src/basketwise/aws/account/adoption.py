"""What exists already is taken over: checked first, then set as the template would have made it.

CloudFormation adopts a resource as it is, and sets a property only when the template's changes. So
what an adopted bucket or role lacks is set here; what its owner has to decide is refused.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

from basketwise.aws.account.existing import TLS_STATEMENT, BucketState, Clients, Existing, RoleState
from basketwise.aws.account.stacks import Change
from basketwise.aws.account.template import role_name
from basketwise.aws.checks.role import trust
from basketwise.aws.errors import translated
from basketwise.aws.names import AwsNames
from basketwise.config import AwsConfig
from basketwise.errors import ConfigError

Origin = Literal["created", "adopted"]

NAMED = {"BucketName": "bucket", "ModelPackageGroupName": "group", "Project": "project"}
"""Parameters of the template that name a resource, and the names' attribute for each."""

ENFORCED: Any = "BucketOwnerEnforced"
BLOCK: Any = {
    "BlockPublicAcls": True,
    "BlockPublicPolicy": True,
    "IgnorePublicAcls": True,
    "RestrictPublicBuckets": True,
}


@dataclass(frozen=True)
class Setting:
    """Something that an existing resource lacks, with the request that sets it."""

    change: Change
    request: Callable[[], Any]

    def make(self) -> None:
        """Set it; raises DependencyError if AWS refuses."""
        with translated(f"set {self.change.name}"):
            self.request()


def origins(state: Existing, names: AwsNames, stack: Mapping[str, str]) -> dict[str, Origin]:
    """Return the template's parameters that say what was there before the stack.

    Parameters
    ----------
    state : Existing
        What exists.
    names : AwsNames
        Names on AWS.
    stack : mapping of str to str
        The parameters that the stack has now; empty without a stack.
    """

    def origin(parameter: str, name: str, *, adopts: bool) -> Origin:
        # The stack remembers what it adopted; a name that it has not yet is looked at anew.
        known = bool(stack) and stack.get(name, "") == vars(names).get(NAMED[name], "")
        if known:
            return "adopted" if stack.get(parameter) == "adopted" else "created"
        return "adopted" if adopts else "created"

    bucket, role = state.bucket, state.role
    return {
        "BucketOrigin": origin(
            "BucketOrigin", "BucketName", adopts=bucket is not None and not bucket.created
        ),
        "RoleOrigin": origin("RoleOrigin", "Project", adopts=role is not None and not role.created),
        "GroupOrigin": origin("GroupOrigin", "ModelPackageGroupName", adopts=state.group),
        # Others may add statements at any time, which the template would remove.
        "PolicyOrigin": "adopted" if bucket is not None and bucket.shares_policy else "created",
    }


def missing_settings(
    clients: Clients,
    names: AwsNames,
    aws: AwsConfig,
    state: Existing,
    policies: Mapping[str, Mapping[str, Any]],
    *,
    bucket: bool,
    role: bool,
) -> list[Setting]:
    """Return what existing resources lack, checked so far that AWS will set it.

    Parameters
    ----------
    clients, names, aws, state
        Services, names, key and boundary, what exists.
    policies : mapping
        The execution role's policies by name, as the template has them.
    bucket, role : bool
        Whether they are adopted; CloudFormation sets those that it created.

    Raises
    ------
    ConfigError
        If the bucket is public, or the role is not SageMaker's to assume.
    """
    settings: list[Setting] = []
    if state.bucket and bucket:
        settings += _bucket_settings(clients, names, aws, state.bucket)
    if state.bucket and state.bucket.policy and not state.bucket.only_tls:
        settings.append(_tls(clients, names, state.bucket))
    if state.role and role:
        settings += _role_settings(clients, names, aws, state.role, policies)
    return settings


def _bucket_settings(
    clients: Clients, names: AwsNames, aws: AwsConfig, state: BucketState
) -> Iterator[Setting]:
    s3, name = clients.s3, names.bucket
    if state.public and not state.blocked:
        raise ConfigError(
            f"The bucket {name} is public: its policy lets everybody in.",
            "Till lines do not belong there. Remove that statement, or choose another bucket with "
            "aws.bucket.",
        )

    def setting(what: str, request: Callable[..., Any], **parameters: Any) -> Setting:
        change = Change("Set", "AWS::S3::Bucket", f"{what} of {name}")
        return Setting(change, partial(request, Bucket=name, **parameters))

    if not state.versioned:
        enabled = {"Status": "Enabled"}
        yield setting("versioning", s3.put_bucket_versioning, VersioningConfiguration=enabled)
    if aws.kms_key and state.key != aws.kms_key:
        default = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": aws.kms_key}
        rule = {"ApplyServerSideEncryptionByDefault": default, "BucketKeyEnabled": True}
        yield setting(
            "encryption",
            s3.put_bucket_encryption,
            ServerSideEncryptionConfiguration={"Rules": [rule]},
        )
    if state.ownership != ENFORCED:
        rules = [{"ObjectOwnership": ENFORCED}]
        yield setting(
            "ownership", s3.put_bucket_ownership_controls, OwnershipControls={"Rules": rules}
        )
    if not state.blocked:
        yield setting(
            "block of public access",
            s3.put_public_access_block,
            PublicAccessBlockConfiguration=BLOCK,
        )


def _tls(clients: Clients, names: AwsNames, state: BucketState) -> Setting:
    """Add the statement to those that others have written."""
    arn = names.arn_of("s3", names.bucket)
    only_tls = {
        "Sid": TLS_STATEMENT,
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [arn, f"{arn}/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    others = [statement for statement in state.policy if statement.get("Sid") != TLS_STATEMENT]
    document = {"Version": "2012-10-17", "Statement": [*others, only_tls]}
    change = Change("Set", "AWS::S3::BucketPolicy", f"TLS only of {names.bucket}")
    put = clients.s3.put_bucket_policy
    return Setting(change, partial(put, Bucket=names.bucket, Policy=json.dumps(document)))


def _role_settings(
    clients: Clients,
    names: AwsNames,
    aws: AwsConfig,
    state: RoleState,
    policies: Mapping[str, Mapping[str, Any]],
) -> Iterator[Setting]:
    iam, name = clients.iam, role_name(names)
    expected = names.arn_of("iam", f"role/{name}")
    if state.arn != expected:
        raise ConfigError(
            f"There is a role {state.arn}, so {expected} cannot be created.",
            f"Set aws.role_arn to {state.arn}, with a role that suffices nothing need be "
            "provisioned; or choose another aws.environment.",
        )
    verdict, reason = trust(state.trust, names.account_id)
    if verdict == "failed":
        raise ConfigError(
            f"The role {name} exists, and is not for jobs: {reason}.",
            "Allow sagemaker.amazonaws.com sts:AssumeRole in its trust policy, or choose another "
            "aws.environment.",
        )

    def setting(what: str, request: Callable[..., Any], **parameters: Any) -> Setting:
        change = Change("Set", "AWS::IAM::Role", f"{what} of {name}")
        return Setting(change, partial(request, RoleName=name, **parameters))

    # First: who provisions may write policies of a bounded role only.
    if aws.permissions_boundary and state.boundary != aws.permissions_boundary:
        yield setting(
            "boundary",
            iam.put_role_permissions_boundary,
            PermissionsBoundary=aws.permissions_boundary,
        )
    for policy, document in policies.items():
        if state.inline.get(policy) != document:
            yield setting(
                f"policy {policy}",
                iam.put_role_policy,
                PolicyName=policy,
                PolicyDocument=json.dumps(document),
            )


def notes(
    state: Existing, names: AwsNames, origin: Mapping[str, Origin], policies: Mapping[str, Any]
) -> Iterator[str]:
    """Yield what is left as it is, for whoever provisions."""
    if origin["GroupOrigin"] == "adopted":
        yield (
            f"The model package group {names.group} exists already: it is used as it is, and not "
            "part of the stack."
        )
    if origin["BucketOrigin"] == "adopted" and state.bucket:
        yield f"The bucket {names.bucket} keeps its own tags and lifecycle rules."
    if origin["RoleOrigin"] == "adopted" and state.role:
        more = [*state.role.attached, *(name for name in state.role.inline if name not in policies)]
        if more:
            yield (
                f"The role {role_name(names)} keeps its own policies, so jobs may do more than "
                f"they need: {', '.join(more)}."
            )
