"""IAM policies for people: who provisions a project, and who runs it.

What the jobs themselves may do is in the template, as the execution role.
"""

from __future__ import annotations

from typing import Any, Literal

from basketwise.aws.account.provisioning import stack_name
from basketwise.aws.names import AwsNames
from basketwise.aws.requests.pipeline import pipeline_name

Task = Literal["provision", "run"]
TASKS: tuple[Task, ...] = ("provision", "run")

LARGEST = 6144
"""Characters of a managed policy, white space not counted (Amazon Web Services, IAM quotas)."""


def policy(task: Task, names: AwsNames) -> dict[str, Any]:
    """Return the policy a person needs for a task, as an IAM document.

    Parameters
    ----------
    task : {"provision", "run"}
        ``provision``: `aws provision` and `aws destroy`; ``run``: every other command.
    names : AwsNames
        What everything is called; each statement is limited to these names.

    Examples
    --------
    >>> names = AwsNames("shop", "dev", "123456789012", "eu-west-1", "shop-dev-123456789012",
    ...                  "arn:aws:iam::123456789012:role/x", "models")
    >>> policy("run", names)["Statement"][0]["Resource"]
    'arn:aws:s3:::shop-dev-123456789012'
    """
    statements = _provisioning(names) if task == "provision" else _running(names)
    return {"Version": "2012-10-17", "Statement": statements}


def _running(names: AwsNames) -> list[dict[str, Any]]:
    bucket = names.arn_of("s3", names.bucket)
    # Jobs, models and endpoint configurations that Basketwise makes begin so.
    made = "retail-*"
    return [
        _allow(
            "Bucket",
            bucket,
            "s3:GetBucketLocation s3:GetBucketVersioning s3:ListBucket "
            "s3:ListBucketMultipartUploads",
        ),
        _allow(
            "Objects",
            f"{bucket}/*",
            "s3:AbortMultipartUpload s3:DeleteObject s3:GetObject s3:ListMultipartUploadParts "
            "s3:PutObject",
        ),
        _allow(
            "ProcessingJobs",
            names.arn(f"processing-job/{made}"),
            "sagemaker:AddTags sagemaker:CreateProcessingJob sagemaker:DescribeProcessingJob "
            "sagemaker:StopProcessingJob",
        ),
        _allow(
            "TrainingJobs",
            names.arn(f"training-job/{made}"),
            "sagemaker:AddTags sagemaker:CreateTrainingJob sagemaker:DescribeTrainingJob "
            "sagemaker:StopTrainingJob",
        ),
        _allow(
            "Logs",
            names.arn_of("logs", "log-group:/aws/sagemaker/*"),
            "logs:FilterLogEvents",
        ),
        _allow(
            "Versions",
            [
                names.arn(f"model-package-group/{names.group}"),
                names.arn(f"model-package/{names.group}/*"),
            ],
            "sagemaker:AddTags sagemaker:CreateModelPackage sagemaker:DescribeModelPackage "
            "sagemaker:DescribeModelPackageGroup sagemaker:UpdateModelPackage",
        ),
        _allow(
            "Pipeline",
            names.arn(f"pipeline/{pipeline_name(names)}"),
            "sagemaker:AddTags sagemaker:CreatePipeline sagemaker:DescribePipeline "
            "sagemaker:ListPipelineExecutions sagemaker:StartPipelineExecution "
            "sagemaker:UpdatePipeline",
        ),
        _allow(
            "PipelineExecutions",
            names.arn(f"pipeline/{pipeline_name(names)}/execution/*"),
            "sagemaker:DescribePipelineExecution sagemaker:ListPipelineExecutionSteps",
        ),
        _allow(
            "CleanUp",
            [names.arn(f"model/{made}"), names.arn(f"endpoint-config/{made}")],
            "sagemaker:DeleteEndpointConfig sagemaker:DeleteModel sagemaker:ListTags",
        ),
        # Whatever serves one of our models is to be found, whoever made it.
        _allow(
            "Serving",
            [names.arn(f"{kind}/*") for kind in ("endpoint", "endpoint-config", "model")],
            "sagemaker:DescribeEndpoint sagemaker:DescribeEndpointConfig sagemaker:DescribeModel",
        ),
        # These know no resources.
        _allow(
            "Lists",
            "*",
            "sagemaker:ListEndpointConfigs sagemaker:ListEndpoints sagemaker:ListModelPackages "
            "sagemaker:ListModels servicequotas:ListServiceQuotas",
        ),
        _allow("Role", names.role_arn, "iam:GetRole iam:SimulatePrincipalPolicy"),
        _allow(
            "PassRole",
            names.role_arn,
            "iam:PassRole",
            {"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}},
        ),
    ]


def _provisioning(names: AwsNames) -> list[dict[str, Any]]:
    stack, bucket = stack_name(names), names.arn_of("s3", names.bucket)
    role = names.arn_of("iam", f"role/{stack}")
    group = names.arn(f"model-package-group/{names.group}")
    return [
        _allow(
            "Stack",
            names.arn_of("cloudformation", f"stack/{stack}/*"),
            "cloudformation:CreateChangeSet cloudformation:DeleteChangeSet "
            "cloudformation:DeleteStack cloudformation:DescribeChangeSet "
            "cloudformation:DescribeStackEvents cloudformation:DescribeStacks "
            "cloudformation:ExecuteChangeSet",
        ),
        # CloudFormation makes the resources with the rights of whoever calls it.
        _allow(
            "Bucket",
            bucket,
            "s3:CreateBucket s3:DeleteBucket s3:GetAccelerateConfiguration "
            "s3:GetAnalyticsConfiguration s3:GetBucketCORS s3:GetBucketLogging "
            "s3:GetBucketNotification s3:GetBucketObjectLockConfiguration "
            "s3:GetBucketOwnershipControls s3:GetBucketPolicy s3:GetBucketPublicAccessBlock "
            "s3:GetBucketTagging s3:GetBucketVersioning s3:GetBucketWebsite "
            "s3:GetEncryptionConfiguration s3:GetIntelligentTieringConfiguration "
            "s3:GetInventoryConfiguration s3:GetLifecycleConfiguration "
            "s3:GetMetricsConfiguration s3:GetReplicationConfiguration s3:ListBucket "
            "s3:ListBucketVersions s3:PutBucketOwnershipControls s3:PutBucketPolicy "
            "s3:PutBucketPublicAccessBlock s3:PutBucketTagging s3:PutBucketVersioning "
            "s3:PutEncryptionConfiguration s3:PutLifecycleConfiguration",
        ),
        _allow("Objects", f"{bucket}/*", "s3:DeleteObjectVersion"),
        _allow(
            "Roles",
            [f"{role}-sagemaker-execution", f"{role}-schedule"],
            "iam:CreateRole iam:DeleteRole iam:DeleteRolePolicy iam:GetRole iam:GetRolePolicy "
            "iam:ListAttachedRolePolicies iam:ListRolePolicies iam:PutRolePolicy iam:TagRole "
            "iam:UpdateAssumeRolePolicy iam:UpdateRole",
        ),
        _allow(
            "PassRole",
            f"{role}-schedule",
            "iam:PassRole",
            {"StringEquals": {"iam:PassedToService": "scheduler.amazonaws.com"}},
        ),
        _allow(
            "Group",
            group,
            "sagemaker:AddTags sagemaker:CreateModelPackageGroup "
            "sagemaker:DeleteModelPackageGroup sagemaker:DescribeModelPackageGroup "
            "sagemaker:GetModelPackageGroupPolicy sagemaker:ListTags",
        ),
        _allow(
            "Versions",
            names.arn(f"model-package/{names.group}/*"),
            "sagemaker:DeleteModelPackage",
        ),
        _allow("Lists", "*", "sagemaker:ListModelPackages"),
        _allow(
            "Pipeline", names.arn(f"pipeline/{pipeline_name(names)}"), "sagemaker:DeletePipeline"
        ),
        _allow(
            "Schedule",
            names.arn_of("scheduler", f"schedule/default/{stack}-retraining"),
            "scheduler:CreateSchedule scheduler:DeleteSchedule scheduler:GetSchedule "
            "scheduler:UpdateSchedule",
        ),
    ]


def _allow(
    sid: str, resource: str | list[str], actions: str, condition: dict[str, Any] | None = None
) -> dict[str, Any]:
    statement = {"Sid": sid, "Effect": "Allow", "Action": actions.split(), "Resource": resource}
    return statement | ({"Condition": condition} if condition else {})
