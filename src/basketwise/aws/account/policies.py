"""IAM policies for the people who provision and who run a project.

The permissions of the jobs are in the template, as the execution role.
"""

from __future__ import annotations

from typing import Any, Literal

from basketwise.aws.account.provisioning import stack_name
from basketwise.aws.names import AwsNames
from basketwise.aws.requests.pipeline import pipeline_name

Task = Literal["provision", "run", "deploy"]

PASSED_TO = "iam:PassedToService"


def policy(task: Task, names: AwsNames) -> dict[str, Any]:
    """Return the policy a person needs for a task, as an IAM document, limited to these names.

    ``provision`` is for `aws provision` and `aws destroy`, ``deploy`` for `aws deploy`, ``run`` for
    every other command.

    Examples
    --------
    >>> names = AwsNames("shop", "dev", "123456789012", "eu-west-1", "shop-dev-123456789012",
    ...                  "arn:aws:iam::123456789012:role/x", "models")
    >>> policy("run", names)["Statement"][0]["Resource"]
    'arn:aws:s3:::shop-dev-123456789012'
    """
    statements = {"provision": _provisioning, "run": _running, "deploy": _deploying}[task](names)
    return {"Version": "2012-10-17", "Statement": statements}


def actions(text: str) -> list[str]:
    """Return IAM actions; a service is named once, with its first action.

    Examples
    --------
    >>> actions("s3:GetObject PutObject iam:GetRole")
    ['s3:GetObject', 's3:PutObject', 'iam:GetRole']
    """
    service, qualified = "", []
    for word in text.split():
        named, _, verb = word.rpartition(":")
        service = named or service
        qualified.append(f"{service}:{verb}")
    return qualified


def _running(names: AwsNames) -> list[dict[str, Any]]:
    bucket = names.arn_of("s3", names.bucket)
    pipeline = names.arn(f"pipeline/{pipeline_name(names)}")
    group, versions = f"model-package-group/{names.group}", f"model-package/{names.group}/*"
    # Jobs, models and endpoint configurations that Basketwise creates begin with "retail-".
    return [
        _allow(
            "Bucket",
            "s3:GetBucketLocation GetBucketVersioning ListBucket ListBucketMultipartUploads",
            bucket,
        ),
        _allow(
            "Objects",
            "s3:AbortMultipartUpload DeleteObject GetObject ListMultipartUploadParts PutObject",
            f"{bucket}/*",
        ),
        *(
            _allow(
                f"{kind}Jobs",
                f"sagemaker:AddTags Create{kind}Job Describe{kind}Job Stop{kind}Job",
                names.arn(f"{kind.lower()}-job/retail-*"),
            )
            for kind in ("Processing", "Training")
        ),
        _allow("Logs", "logs:FilterLogEvents", names.arn_of("logs", "log-group:/aws/sagemaker/*")),
        _allow(
            "Versions",
            "sagemaker:AddTags CreateModelPackage DescribeModelPackage DescribeModelPackageGroup "
            "UpdateModelPackage",
            [names.arn(group), names.arn(versions)],
        ),
        _allow(
            "Pipeline",
            "sagemaker:AddTags CreatePipeline DescribePipeline ListPipelineExecutions "
            "StartPipelineExecution UpdatePipeline",
            pipeline,
        ),
        _allow(
            "PipelineExecutions",
            "sagemaker:DescribePipelineExecution ListPipelineExecutionSteps",
            f"{pipeline}/execution/*",
        ),
        _allow(
            "CleanUp",
            "sagemaker:DeleteEndpointConfig DeleteModel ListTags",
            [names.arn("model/retail-*"), names.arn("endpoint-config/retail-*")],
        ),
        # Everything that may serve one of Basketwise's models, whoever created it.
        _allow(
            "Serving",
            "sagemaker:DescribeEndpoint DescribeEndpointConfig DescribeModel",
            [names.arn(f"{kind}/*") for kind in ("endpoint", "endpoint-config", "model")],
        ),
        # These actions have no resources.
        _allow(
            "Lists",
            "sagemaker:ListEndpointConfigs ListEndpoints ListModelPackages ListModels "
            "ListProcessingJobs ListTrainingJobs servicequotas:ListServiceQuotas",
            "*",
        ),
        _allow("Role", "iam:GetRole SimulatePrincipalPolicy", names.role_arn),
        _allow("PassRole", "iam:PassRole", names.role_arn, {PASSED_TO: "sagemaker.amazonaws.com"}),
    ]


def _deploying(names: AwsNames) -> list[dict[str, Any]]:
    bucket = names.arn_of("s3", names.bucket)
    scaling = "sagemaker.application-autoscaling.amazonaws.com"
    kinds = ("model", "endpoint-config", "endpoint")
    return [
        _allow("Bucket", "s3:ListBucket", bucket),
        _allow("Objects", "s3:GetObject", f"{bucket}/*"),
        _allow("Lists", "sagemaker:ListModelPackages", "*"),
        _allow(
            "Versions",
            "sagemaker:DescribeModelPackage",
            names.arn(f"model-package/{names.group}/*"),
        ),
        _allow(
            "Endpoint",
            "sagemaker:AddTags CreateEndpoint CreateEndpointConfig CreateModel DescribeEndpoint "
            "UpdateEndpoint",
            [names.arn(f"{kind}/retail-*") for kind in kinds],
        ),
        # Application Auto Scaling makes alarms of its own with the rights of its caller.
        _allow(
            "Alarms",
            "cloudwatch:DescribeAlarms PutMetricAlarm",
            [
                names.arn_of("cloudwatch", "alarm:retail-*"),
                names.arn_of("cloudwatch", "alarm:TargetTracking-endpoint/retail-*"),
            ],
        ),
        _allow(
            "Scaling",
            "application-autoscaling:PutScalingPolicy RegisterScalableTarget",
            names.arn_of("application-autoscaling", "scalable-target/*"),
        ),
        _allow(
            "ScalingRole",
            "iam:CreateServiceLinkedRole",
            names.arn_of("iam", f"role/aws-service-role/{scaling}/*"),
            {"iam:AWSServiceName": scaling},
        ),
        _allow("PassRole", "iam:PassRole", names.role_arn, {PASSED_TO: "sagemaker.amazonaws.com"}),
    ]


def _provisioning(names: AwsNames) -> list[dict[str, Any]]:
    stack, bucket = stack_name(names), names.arn_of("s3", names.bucket)
    role = names.arn_of("iam", f"role/{stack}")
    schedule = names.arn_of("scheduler", f"schedule/default/{stack}-retraining")
    return [
        _allow(
            "Stack",
            "cloudformation:CreateChangeSet DeleteChangeSet DeleteStack DescribeChangeSet "
            "DescribeStackEvents DescribeStacks ExecuteChangeSet",
            names.arn_of("cloudformation", f"stack/{stack}/*"),
        ),
        # CloudFormation creates the resources with the permissions of its caller.
        _allow(
            "Bucket",
            "s3:CreateBucket DeleteBucket GetAccelerateConfiguration GetAnalyticsConfiguration "
            "GetBucketCORS GetBucketLogging GetBucketNotification GetBucketObjectLockConfiguration "
            "GetBucketOwnershipControls GetBucketPolicy GetBucketPublicAccessBlock "
            "GetBucketTagging GetBucketVersioning GetBucketWebsite GetEncryptionConfiguration "
            "GetIntelligentTieringConfiguration GetInventoryConfiguration "
            "GetLifecycleConfiguration GetMetricsConfiguration GetReplicationConfiguration "
            "ListBucket ListBucketVersions PutBucketOwnershipControls PutBucketPolicy "
            "PutBucketPublicAccessBlock PutBucketTagging PutBucketVersioning "
            "PutEncryptionConfiguration PutLifecycleConfiguration",
            bucket,
        ),
        _allow("Objects", "s3:DeleteObjectVersion", f"{bucket}/*"),
        _allow(
            "Roles",
            "iam:CreateRole DeleteRole DeleteRolePolicy GetRole GetRolePolicy "
            "ListAttachedRolePolicies ListRolePolicies PutRolePolicy TagRole "
            "UpdateAssumeRolePolicy UpdateRole",
            [f"{role}-sagemaker-execution", f"{role}-schedule"],
        ),
        _allow(
            "PassRole", "iam:PassRole", f"{role}-schedule", {PASSED_TO: "scheduler.amazonaws.com"}
        ),
        _allow(
            "Group",
            "sagemaker:AddTags CreateModelPackageGroup DeleteModelPackageGroup "
            "DescribeModelPackageGroup GetModelPackageGroupPolicy ListTags",
            names.arn(f"model-package-group/{names.group}"),
        ),
        _allow(
            "Versions", "sagemaker:DeleteModelPackage", names.arn(f"model-package/{names.group}/*")
        ),
        _allow("Lists", "sagemaker:ListModelPackages", "*"),
        _allow(
            "Pipeline", "sagemaker:DeletePipeline", names.arn(f"pipeline/{pipeline_name(names)}")
        ),
        _allow(
            "Schedule",
            "scheduler:CreateSchedule DeleteSchedule GetSchedule UpdateSchedule",
            schedule,
        ),
        _allow(
            "Notices",
            "sns:CreateTopic DeleteTopic GetTopicAttributes ListSubscriptionsByTopic "
            "ListTagsForResource SetTopicAttributes Subscribe TagResource",
            names.arn_of("sns", f"{stack}-approvals"),
        ),
        # These actions have no resources.
        _allow("Subscriptions", "sns:GetSubscriptionAttributes Unsubscribe", "*"),
        _allow(
            "Rule",
            "events:DeleteRule DescribeRule ListTagsForResource ListTargetsByRule PutRule "
            "PutTargets RemoveTargets TagResource",
            names.arn_of("events", f"rule/{stack}-approvals"),
        ),
    ]


def _allow(
    sid: str, allowed: str, resource: str | list[str], equal: dict[str, str] | None = None
) -> dict[str, Any]:
    statement = {"Sid": sid, "Effect": "Allow", "Action": actions(allowed), "Resource": resource}
    return statement | ({"Condition": {"StringEquals": equal}} if equal else {})
