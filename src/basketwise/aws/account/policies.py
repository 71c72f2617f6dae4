"""IAM policies for the people who provision and who run a project.

The permissions of the jobs are in the template, as the execution role.
"""

from __future__ import annotations

from typing import Any, Literal

from basketwise.aws.account.provisioning_policy import provisioning
from basketwise.aws.account.statements import FOR_A_SERVICE, PASSED_TO, allow
from basketwise.aws.names import AwsNames
from basketwise.aws.requests.pipeline import pipeline_name
from basketwise.config import AwsConfig

Task = Literal["provision", "run", "deploy"]


def policy(task: Task, names: AwsNames, aws: AwsConfig | None = None) -> dict[str, Any]:
    """Return the policy a person needs for a task, as an IAM document, limited to these names.

    ``provision`` is for `aws provision` and `aws destroy`, ``deploy`` for `aws deploy`, ``run`` for
    every other command. With settings, it allows what VPC, KMS key and boundary need besides.

    Examples
    --------
    >>> names = AwsNames("shop", "dev", "123456789012", "eu-west-1", "shop-dev-123456789012",
    ...                  "arn:aws:iam::123456789012:role/x", "models")
    >>> policy("run", names)["Statement"][0]["Resource"]
    'arn:aws:s3:::shop-dev-123456789012'
    """
    aws = aws or AwsConfig()
    statements = {"provision": provisioning, "run": _running, "deploy": _deploying}[task]
    return {"Version": "2012-10-17", "Statement": statements(names, aws)}


def _running(names: AwsNames, aws: AwsConfig) -> list[dict[str, Any]]:
    bucket = names.arn_of("s3", names.bucket)
    pipeline = names.arn(f"pipeline/{pipeline_name(names)}")
    group, versions = f"model-package-group/{names.group}", f"model-package/{names.group}/*"
    # Jobs, models and endpoint configurations that Basketwise creates begin with "retail-".
    return [
        allow(
            "Bucket",
            "s3:GetBucketLocation GetBucketVersioning ListBucket ListBucketMultipartUploads "
            "ListBucketVersions" + (" GetEncryptionConfiguration" if aws.kms_key else ""),
            bucket,
        ),
        allow(
            "Objects",
            "s3:AbortMultipartUpload DeleteObject GetObject ListMultipartUploadParts PutObject",
            f"{bucket}/*",
        ),
        *(
            allow(
                f"{kind}Jobs",
                f"sagemaker:AddTags Create{kind}Job Describe{kind}Job Stop{kind}Job",
                names.arn(f"{kind.lower()}-job/retail-*"),
            )
            for kind in ("Processing", "Training")
        ),
        allow("Logs", "logs:FilterLogEvents", names.arn_of("logs", "log-group:/aws/sagemaker/*")),
        allow(
            "Versions",
            "sagemaker:AddTags CreateModelPackage DescribeModelPackage DescribeModelPackageGroup "
            "UpdateModelPackage",
            [names.arn(group), names.arn(versions)],
        ),
        allow(
            "Pipeline",
            "sagemaker:AddTags CreatePipeline DescribePipeline ListPipelineExecutions "
            "StartPipelineExecution UpdatePipeline",
            pipeline,
        ),
        allow(
            "PipelineExecutions",
            "sagemaker:DescribePipelineExecution ListPipelineExecutionSteps",
            f"{pipeline}/execution/*",
        ),
        allow(
            "CleanUp",
            "sagemaker:DeleteEndpointConfig DeleteModel ListTags",
            [names.arn("model/retail-*"), names.arn("endpoint-config/retail-*")],
        ),
        # Everything that may serve one of Basketwise's models, whoever created it.
        allow(
            "Serving",
            "sagemaker:DescribeEndpoint DescribeEndpointConfig DescribeModel",
            [names.arn(f"{kind}/*") for kind in ("endpoint", "endpoint-config", "model")],
        ),
        # These actions have no resources.
        allow(
            "Lists",
            "sagemaker:ListEndpointConfigs ListEndpoints ListModelPackages ListModels "
            "ListProcessingJobs ListTrainingJobs servicequotas:ListServiceQuotas",
            "*",
        ),
        allow("Role", "iam:GetRole SimulatePrincipalPolicy", names.role_arn),
        allow("PassRole", "iam:PassRole", names.role_arn, {PASSED_TO: "sagemaker.amazonaws.com"}),
        *_encrypting("kms:Decrypt DescribeKey GenerateDataKey", aws),
        *(
            # Of the doctor; these actions have no resources.
            [
                allow(
                    "Network",
                    "ec2:DescribeRouteTables DescribeSecurityGroups DescribeSubnets "
                    "DescribeVpcEndpoints",
                    "*",
                )
            ]
            if aws.subnets
            else []
        ),
        *_mlflow(names.mlflow),
    ]


def _encrypting(used: str, aws: AwsConfig) -> list[dict[str, Any]]:
    """Allow uses of the key, and SageMaker's own of it for the volumes of a job or an endpoint."""
    if not aws.kms_key:
        return []
    grant = allow("VolumeKey", "kms:CreateGrant", aws.kms_key)
    return [allow("Key", used, aws.kms_key), grant | {"Condition": FOR_A_SERVICE}]


def _mlflow(arn: str) -> list[dict[str, Any]]:
    """Allow what a registry in an MLflow of SageMaker asks for; nothing without one."""
    if ":mlflow-app/" in arn:
        # One action for all of its interface.
        return [allow("Mlflow", "sagemaker:CallMlflowAppApi", arn)]
    # AWS names no action for the creation of a logged model; those of its parts come closest.
    logged = "FinalizeLoggedModel GetLoggedModel LogLoggedModelParams LogModel SetLoggedModelTags"
    allowed = (
        "sagemaker-mlflow:CreateExperiment CreateModelVersion CreateRegisteredModel CreateRun "
        f"DeleteRegisteredModelAlias {logged} GetExperimentByName GetRegisteredModel GetRun "
        "LogBatch LogInputs LogOutputs SearchModelVersions SetModelVersionTag "
        "SetRegisteredModelAlias UpdateModelVersion UpdateRun"
    )
    return [allow("Mlflow", allowed, arn)] if arn else []


def _deploying(names: AwsNames, aws: AwsConfig) -> list[dict[str, Any]]:
    bucket = names.arn_of("s3", names.bucket)
    scaling = "sagemaker.application-autoscaling.amazonaws.com"
    kinds = ("model", "endpoint-config", "endpoint")
    return [
        allow("Bucket", "s3:ListBucket", bucket),
        allow("Objects", "s3:GetObject", f"{bucket}/*"),
        allow("Lists", "sagemaker:ListModelPackages", "*"),
        allow(
            "Versions",
            "sagemaker:DescribeModelPackage",
            names.arn(f"model-package/{names.group}/*"),
        ),
        allow(
            "Endpoint",
            "sagemaker:AddTags CreateEndpoint CreateEndpointConfig CreateModel DescribeEndpoint "
            "UpdateEndpoint",
            [names.arn(f"{kind}/retail-*") for kind in kinds],
        ),
        # Application Auto Scaling makes alarms of its own with the rights of its caller.
        allow(
            "Alarms",
            "cloudwatch:DescribeAlarms PutMetricAlarm" + (" TagResource" if aws.tags else ""),
            [
                names.arn_of("cloudwatch", "alarm:retail-*"),
                names.arn_of("cloudwatch", "alarm:TargetTracking-endpoint/retail-*"),
            ],
        ),
        allow(
            "Scaling",
            "application-autoscaling:PutScalingPolicy RegisterScalableTarget",
            names.arn_of("application-autoscaling", "scalable-target/*"),
        ),
        allow(
            "ScalingRole",
            "iam:CreateServiceLinkedRole",
            names.arn_of("iam", f"role/aws-service-role/{scaling}/*"),
            {"iam:AWSServiceName": scaling},
        ),
        allow("PassRole", "iam:PassRole", names.role_arn, {PASSED_TO: "sagemaker.amazonaws.com"}),
        *_encrypting("kms:Decrypt", aws),
    ]
