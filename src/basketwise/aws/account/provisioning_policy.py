"""The IAM policy of the people who provision and destroy."""

from __future__ import annotations

from typing import Any

from basketwise.aws.account.statements import BOUNDARY, PASSED_TO, allow
from basketwise.aws.account.template import role_name, stack_name
from basketwise.aws.names import AwsNames
from basketwise.aws.requests.pipeline import pipeline_name
from basketwise.config import AwsConfig


def provisioning(names: AwsNames, aws: AwsConfig) -> list[dict[str, Any]]:
    """Return the statements; with a boundary, roles are created and written with that alone."""
    stack, bucket = stack_name(names), names.arn_of("s3", names.bucket)
    schedule_role = names.arn_of("iam", f"role/{stack}-schedule")
    roles = [names.arn_of("iam", f"role/{role_name(names)}"), schedule_role]
    schedule = names.arn_of("scheduler", f"schedule/default/{stack}-retraining")
    return [
        allow(
            "Stack",
            "cloudformation:CreateChangeSet DeleteChangeSet DeleteStack DescribeChangeSet "
            "DescribeStackEvents DescribeStacks ExecuteChangeSet"
            + (" TagResource UntagResource" if aws.tags else ""),
            names.arn_of("cloudformation", f"stack/{stack}/*"),
        ),
        # CloudFormation creates the resources with the permissions of its caller.
        allow(
            "Bucket",
            "s3:CreateBucket DeleteBucket GetAccelerateConfiguration GetAnalyticsConfiguration "
            "GetBucketCORS GetBucketLocation GetBucketLogging GetBucketNotification "
            "GetBucketObjectLockConfiguration GetBucketOwnershipControls GetBucketPolicy "
            "GetBucketPolicyStatus GetBucketPublicAccessBlock "
            "GetBucketTagging GetBucketVersioning GetBucketWebsite GetEncryptionConfiguration "
            "GetIntelligentTieringConfiguration GetInventoryConfiguration "
            "GetLifecycleConfiguration GetMetricsConfiguration GetReplicationConfiguration "
            "ListBucket ListBucketVersions PutBucketOwnershipControls PutBucketPolicy "
            "PutBucketPublicAccessBlock PutBucketTagging PutBucketVersioning "
            "PutEncryptionConfiguration PutLifecycleConfiguration",
            bucket,
        ),
        allow("Objects", "s3:DeleteObjectVersion", f"{bucket}/*"),
        allow(
            "Roles",
            "iam:DeleteRole GetRole GetRolePolicy ListAttachedRolePolicies ListRolePolicies "
            "TagRole UntagRole UpdateAssumeRolePolicy UpdateRole",
            roles,
        ),
        # Whoever may write a role's policies may do what they allow: a boundary bounds that too.
        allow(
            "RolePolicies",
            "iam:CreateRole DeleteRolePolicy PutRolePolicy"
            + (" PutRolePermissionsBoundary" if aws.permissions_boundary else ""),
            roles,
            {BOUNDARY: aws.permissions_boundary} if aws.permissions_boundary else None,
        ),
        allow("PassRole", "iam:PassRole", schedule_role, {PASSED_TO: "scheduler.amazonaws.com"}),
        allow(
            "Group",
            "sagemaker:AddTags CreateModelPackageGroup DeleteModelPackageGroup DeleteTags "
            "DescribeModelPackageGroup GetModelPackageGroupPolicy ListTags",
            names.arn(f"model-package-group/{names.group}"),
        ),
        allow(
            "Versions", "sagemaker:DeleteModelPackage", names.arn(f"model-package/{names.group}/*")
        ),
        allow("Lists", "sagemaker:ListModelPackages", "*"),
        allow(
            "Pipeline", "sagemaker:DeletePipeline", names.arn(f"pipeline/{pipeline_name(names)}")
        ),
        allow(
            "Schedule",
            "scheduler:CreateSchedule DeleteSchedule GetSchedule UpdateSchedule",
            schedule,
        ),
        allow(
            "Notices",
            "sns:CreateTopic DeleteTopic GetTopicAttributes ListSubscriptionsByTopic "
            "ListTagsForResource SetTopicAttributes Subscribe TagResource",
            names.arn_of("sns", f"{stack}-approvals"),
        ),
        # These actions have no resources.
        allow("Subscriptions", "sns:GetSubscriptionAttributes Unsubscribe", "*"),
        allow(
            "Rule",
            "events:DeleteRule DescribeRule ListTagsForResource ListTargetsByRule PutRule "
            "PutTargets RemoveTargets TagResource",
            names.arn_of("events", f"rule/{stack}-approvals"),
        ),
    ]
