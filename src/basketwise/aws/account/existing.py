"""What of a project's resources exists already, and how it is set."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from basketwise.aws.account.template import owner_tag, role_name
from basketwise.aws.checks.account import region_of
from basketwise.aws.errors import Meaning, call, meaning_of, translated
from basketwise.aws.names import AwsNames
from basketwise.aws.registry.calls import group_exists
from basketwise.errors import ConfigError, DependencyError

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_iam import IAMClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sagemaker import SageMakerClient

TLS_STATEMENT = "OnlyTls"
"""Name of the statement that the template gives to the bucket's policy."""


class Clients(NamedTuple):
    """The services that resources are created in."""

    cloudformation: CloudFormationClient
    iam: IAMClient
    s3: S3Client
    sagemaker: SageMakerClient


@dataclass(frozen=True)
class BucketState:
    """How a bucket is set; what is not set is empty.

    Attributes
    ----------
    created
        Whether a stack of this project created it.
    versioned
        Whether it keeps old versions.
    key
        ARN, id or alias of the KMS key that objects are encrypted with by default.
    blocked
        Whether it refuses all public access.
    public
        Whether its policy lets everybody in.
    ownership
        Who owns objects: ``BucketOwnerEnforced`` where access control lists have no effect.
    policy
        Its policy's statements.
    """

    created: bool = False
    versioned: bool = False
    key: str = ""
    blocked: bool = False
    public: bool = False
    ownership: str = ""
    policy: tuple[Mapping[str, Any], ...] = ()

    @property
    def only_tls(self) -> bool:
        """Whether some statement refuses whatever does not come by TLS."""
        return any(_refuses_http(statement) for statement in self.policy)

    @property
    def shares_policy(self) -> bool:
        """Whether the policy has statements that the template does not."""
        return any(statement.get("Sid") != TLS_STATEMENT for statement in self.policy)


@dataclass(frozen=True)
class RoleState:
    """How a role is set.

    Attributes
    ----------
    arn
        With its path.
    created
        Whether a stack of this project created it.
    trust
        Its trust policy.
    boundary
        ARN of the policy that bounds it; empty without.
    inline
        Its own policies by name.
    attached
        Names of the managed policies that it has besides.
    """

    arn: str
    created: bool
    trust: Mapping[str, Any]
    boundary: str
    inline: Mapping[str, Any]
    attached: tuple[str, ...]


@dataclass(frozen=True)
class Existing:
    """What exists; None: it does not."""

    bucket: BucketState | None = None
    role: RoleState | None = None
    group: bool = False


def existing_resources(clients: Clients, names: AwsNames) -> Existing:
    """Return what exists of bucket, execution role and group.

    Raises
    ------
    ConfigError
        If the bucket is in another region, or in an account that does not let it be read.
    DependencyError
        If AWS refuses.
    """
    return Existing(
        bucket_state(clients.s3, names),
        role_state(clients.iam, names),
        group_exists(clients.sagemaker, names.group),
    )


def bucket_state(s3: S3Client, names: AwsNames) -> BucketState | None:
    """Return how the bucket is set, None if there is none; raises as :func:`existing_resources`."""
    name = names.bucket
    # A bucket's name is one in the whole world, so this request may meet another account's.
    locate = partial(s3.get_bucket_location, Bucket=name)
    try:
        located = call(f"read the region of the bucket {name}", locate, Meaning.NO_BUCKET)
    except DependencyError as error:
        if meaning_of(error) is not Meaning.DENIED:
            raise
        raise ConfigError(
            f"The bucket {name} exists, but these credentials may not read how it is set.",
            "If it is another account's, choose another name with aws.bucket. If it is yours, "
            "attach the policy that 'basketwise aws policy provision' prints.",
        ) from error
    if located is None:
        return None
    region = region_of(located.get("LocationConstraint"))
    if region != names.region:
        raise ConfigError(
            f"The bucket {name} is in {region}, the jobs would run in {names.region}.",
            f"Set aws.region to {region}, or choose another bucket with aws.bucket.",
        )

    def setting(what: str, read: Callable[..., Any]) -> Mapping[str, Any]:
        request = partial(read, Bucket=name)
        return call(f"read {what} of the bucket {name}", request, Meaning.NO_KEY) or {}

    tags = setting("the tags", s3.get_bucket_tagging).get("TagSet", ())
    encryption = setting("the encryption", s3.get_bucket_encryption)
    rules = encryption.get("ServerSideEncryptionConfiguration", {}).get("Rules", [])
    defaults = [rule.get("ApplyServerSideEncryptionByDefault", {}) for rule in rules]
    block = setting("the block of public access", s3.get_public_access_block)
    blocks = block.get("PublicAccessBlockConfiguration", {})
    owned = setting("the ownership of objects", s3.get_bucket_ownership_controls)
    owners = [
        item["ObjectOwnership"] for item in owned.get("OwnershipControls", {}).get("Rules", ())
    ]
    policy = setting("the policy", s3.get_bucket_policy).get("Policy")
    status = setting("whether it is public", s3.get_bucket_policy_status) if policy else {}
    return BucketState(
        created=owner_tag(names) in tags,
        versioned=setting("the versioning", s3.get_bucket_versioning).get("Status") == "Enabled",
        key=next((item["KMSMasterKeyID"] for item in defaults if "KMSMasterKeyID" in item), ""),
        blocked=len(blocks) == 4 and all(blocks.values()),
        public=bool(status.get("PolicyStatus", {}).get("IsPublic")),
        ownership=owners[0] if owners else "",
        policy=tuple(statements(policy)) if policy else (),
    )


def role_state(iam: IAMClient, names: AwsNames) -> RoleState | None:
    """Return how the execution role is set; None if there is none."""
    name = role_name(names)
    read = partial(iam.get_role, RoleName=name)
    answer = call(f"read the role {name}", read, Meaning.MISSING)
    if answer is None:
        return None
    role: Any = answer["Role"]
    with translated(f"read the policies of the role {name}"):
        inline = {
            policy: iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"]
            for page in iam.get_paginator("list_role_policies").paginate(RoleName=name)
            for policy in page["PolicyNames"]
        }
        pages = iam.get_paginator("list_attached_role_policies").paginate(RoleName=name)
        attached = [item["PolicyName"] for page in pages for item in page["AttachedPolicies"]]
    return RoleState(
        arn=role["Arn"],
        created=owner_tag(names) in role.get("Tags", ()),
        trust=role["AssumeRolePolicyDocument"],
        boundary=role.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn", ""),
        inline=inline,
        attached=tuple(sorted(attached)),
    )


def statements(policy: str) -> Sequence[Mapping[str, Any]]:
    """Return the statements of a policy in JSON; a single one needs no list there."""
    listed = json.loads(policy).get("Statement", [])
    return listed if isinstance(listed, list) else [listed]


def _refuses_http(statement: Mapping[str, Any]) -> bool:
    """Whether a statement denies everybody everything that does not come by TLS."""
    secure = statement.get("Condition", {}).get("Bool", {}).get("aws:SecureTransport")
    return (
        statement.get("Effect") == "Deny"
        and statement.get("Principal") in ("*", {"AWS": "*"})
        and statement.get("Action") in ("s3:*", "*", ["s3:*"], ["*"])
        and str(secure[0] if isinstance(secure, list) else secure).lower() == "false"
    )
