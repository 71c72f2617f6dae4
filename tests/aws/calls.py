"""Every call that is made on AWS, and by whom: what the shipped policies are held against.

What the product calls itself is recorded while it runs, and must stand here too; what AWS calls on
somebody's behalf is taken from its documentation, which ``origin`` names.
"""

from __future__ import annotations

from basketwise.aws.names import AwsNames
from tests.aws.recording import PASSED, Call

ACCOUNT = "123456789012"
STEM = "mlops-retail-prediction-dev"
BUCKET = f"{STEM}-{ACCOUNT}"
SCOPE = f"eu-west-1:{ACCOUNT}"
GROUP = "retail-price-sensitivity-models"
NAMES = AwsNames(
    project="mlops-retail-prediction",
    environment="dev",
    account_id=ACCOUNT,
    region="eu-west-1",
    bucket=BUCKET,
    role_arn=f"arn:aws:iam::{ACCOUNT}:role/{STEM}-sagemaker-execution",
    group=GROUP,
)
IMAGE_REPOSITORY = "arn:aws:ecr:eu-west-1:141502667606:repository/sagemaker-scikit-learn"

PROVISIONING = "provisioning"
"""Recorded while a stack is made, changed and removed with its data."""

CLOUDFORMATION = "CloudFormation"
"""Made for the caller; the handlers of AWS's resource types name them."""

JOBS = "SageMaker jobs"
"""Made under the role (AWS, SageMaker Developer Guide, roles for CreateTrainingJob and
CreateProcessingJob, 2025)."""

PIPELINE = "SageMaker Pipelines"
"""Made under the role by the steps of a pipeline."""

DEPLOYING = "aws deploy"
"""Recorded while an endpoint is created and updated."""

SCALING = "Application Auto Scaling"
"""Made for the caller of PutScalingPolicy and RegisterScalableTarget (AWS, Application Auto Scaling
User Guide, identity-based policy examples, 2025)."""

RUNNING = "the commands"
"""Recorded while every other command runs."""


def _calls(
    who: str, origin: str, resource: str, actions: str, context: dict[str, str] | None = None
) -> list[Call]:
    return [Call(who, action, resource, origin, context or {}) for action in actions.split()]


STACK = f"arn:aws:cloudformation:{SCOPE}:stack/{STEM}/1"
S3 = f"arn:aws:s3:::{BUCKET}"
PACKAGES = NAMES.arn(f"model-package-group/{GROUP}")
PACKAGE = NAMES.arn(f"model-package/{GROUP}/1")
PIPE = NAMES.arn(f"pipeline/{STEM}-pipeline")
SCALING_SERVICE = "sagemaker.application-autoscaling.amazonaws.com"
SCHEDULE_ROLE = f"arn:aws:iam::{ACCOUNT}:role/{STEM}-schedule"
LOGS = f"arn:aws:logs:{SCOPE}:log-group:/aws/sagemaker/TrainingJobs"
PROCESSING_LOGS = f"arn:aws:logs:{SCOPE}:log-group:/aws/sagemaker/ProcessingJobs"
TRANSFORM_LOGS = f"arn:aws:logs:{SCOPE}:log-group:/aws/sagemaker/TransformJobs"
ENDPOINT_LOGS = f"arn:aws:logs:{SCOPE}:log-group:/aws/sagemaker/Endpoints/retail-api"
RUN = "run-20260203-120005"

CALLS: list[Call] = [
    # --- who provisions
    *_calls(
        "provision",
        PROVISIONING,
        STACK,
        "cloudformation:CreateChangeSet cloudformation:DescribeChangeSet "
        "cloudformation:ExecuteChangeSet cloudformation:DeleteChangeSet "
        "cloudformation:DescribeStacks cloudformation:DescribeStackEvents "
        "cloudformation:DeleteStack",
    ),
    *_calls(
        "provision",
        PROVISIONING,
        S3,
        "s3:GetBucketTagging s3:ListBucketVersions s3:DeleteBucket "
        # How a bucket that is there already is set, and what it lacks.
        "s3:GetBucketLocation s3:GetBucketVersioning s3:GetEncryptionConfiguration "
        "s3:GetBucketPublicAccessBlock s3:GetBucketOwnershipControls s3:GetBucketPolicy "
        "s3:GetBucketPolicyStatus s3:PutBucketVersioning s3:PutBucketOwnershipControls "
        "s3:PutBucketPublicAccessBlock s3:PutBucketPolicy",
    ),
    *_calls(
        "provision",
        PROVISIONING,
        NAMES.role_arn,
        "iam:GetRole iam:GetRolePolicy iam:ListRolePolicies iam:ListAttachedRolePolicies "
        "iam:PutRolePolicy iam:DeleteRolePolicy iam:DeleteRole",
    ),
    *_calls("provision", PROVISIONING, f"{S3}/raw/w.csv", "s3:DeleteObjectVersion"),
    *_calls("provision", PROVISIONING, PIPE, "sagemaker:DeletePipeline"),
    *_calls("provision", PROVISIONING, "*", "sagemaker:ListModelPackages"),
    *_calls("provision", PROVISIONING, PACKAGE, "sagemaker:DeleteModelPackage"),
    *_calls(
        "provision",
        PROVISIONING,
        PACKAGES,
        "sagemaker:DescribeModelPackageGroup sagemaker:ListTags sagemaker:DeleteModelPackageGroup",
    ),
    *_calls(
        "provision",
        CLOUDFORMATION,
        S3,
        "s3:CreateBucket s3:PutBucketTagging s3:PutEncryptionConfiguration "
        "s3:PutLifecycleConfiguration s3:PutBucketPublicAccessBlock s3:PutBucketVersioning "
        "s3:PutBucketOwnershipControls s3:ListBucket s3:GetBucketPolicy s3:PutBucketPolicy "
        # A bucket that is there already is read in full before it is taken over.
        "s3:GetAccelerateConfiguration s3:GetLifecycleConfiguration s3:GetBucketPublicAccessBlock "
        "s3:GetAnalyticsConfiguration s3:GetBucketCORS s3:GetEncryptionConfiguration "
        "s3:GetInventoryConfiguration s3:GetBucketLogging s3:GetMetricsConfiguration "
        "s3:GetBucketNotification s3:GetBucketVersioning s3:GetReplicationConfiguration "
        "s3:GetBucketWebsite s3:GetBucketObjectLockConfiguration s3:GetBucketTagging "
        "s3:GetBucketOwnershipControls s3:GetIntelligentTieringConfiguration",
    ),
    *(
        call
        for role in (NAMES.role_arn, SCHEDULE_ROLE)
        for call in _calls(
            "provision",
            CLOUDFORMATION,
            role,
            "iam:CreateRole iam:PutRolePolicy iam:GetRolePolicy iam:TagRole iam:GetRole "
            "iam:DeleteRole iam:DeleteRolePolicy iam:ListAttachedRolePolicies "
            "iam:ListRolePolicies iam:UpdateRole iam:UpdateAssumeRolePolicy iam:UntagRole",
        )
    ),
    *_calls(
        "provision",
        CLOUDFORMATION,
        PACKAGES,
        "sagemaker:CreateModelPackageGroup sagemaker:DescribeModelPackageGroup "
        "sagemaker:GetModelPackageGroupPolicy sagemaker:ListTags sagemaker:AddTags "
        "sagemaker:DeleteTags",
    ),
    *_calls(
        "provision",
        CLOUDFORMATION,
        f"arn:aws:scheduler:{SCOPE}:schedule/default/{STEM}-retraining",
        "scheduler:CreateSchedule scheduler:GetSchedule scheduler:UpdateSchedule "
        "scheduler:DeleteSchedule",
    ),
    *_calls(
        "provision",
        CLOUDFORMATION,
        SCHEDULE_ROLE,
        "iam:PassRole",
        context={PASSED: "scheduler.amazonaws.com"},
    ),
    *_calls(
        "provision",
        CLOUDFORMATION,
        NAMES.arn_of("sns", f"{STEM}-approvals"),
        "sns:CreateTopic sns:TagResource sns:GetTopicAttributes sns:SetTopicAttributes "
        "sns:DeleteTopic sns:ListTagsForResource sns:ListSubscriptionsByTopic sns:Subscribe",
    ),
    *_calls("provision", CLOUDFORMATION, "*", "sns:GetSubscriptionAttributes sns:Unsubscribe"),
    *_calls(
        "provision",
        CLOUDFORMATION,
        NAMES.arn_of("events", f"rule/{STEM}-approvals"),
        "events:PutRule events:PutTargets events:DescribeRule events:ListTargetsByRule "
        "events:RemoveTargets events:DeleteRule events:TagResource events:ListTagsForResource",
    ),
    # --- the execution role
    *_calls("role", JOBS, S3, "s3:ListBucket"),
    *_calls("role", JOBS, f"{S3}/raw/w.csv", "s3:GetObject"),
    *(
        call
        for key in (
            "silver/lines.parquet",
            "gold/train_features.parquet",
            f"artifacts/{RUN}/report.json",
            f"checkpoints/{RUN}/part",
        )
        for call in _calls("role", JOBS, f"{S3}/{key}", "s3:PutObject")
    ),
    *_calls("role", PIPELINE, f"{S3}/pipelines/ab12/gold/metadata.json", "s3:PutObject"),
    *(
        call
        for group, job in (
            (PROCESSING_LOGS, NAMES.processing_job(RUN)),
            (LOGS, NAMES.training_job(RUN)),
            (TRANSFORM_LOGS, "a-transform"),
            (ENDPOINT_LOGS, "AllTraffic"),
        )
        for resource, actions in (
            (group, "logs:CreateLogGroup logs:DescribeLogStreams"),
            (f"{group}:log-stream:{job}/algo-1", "logs:CreateLogStream logs:PutLogEvents"),
        )
        for call in _calls("role", JOBS, resource, actions)
    ),
    *_calls(
        "role",
        JOBS,
        "*",
        "cloudwatch:PutMetricData",
        context={"cloudwatch:namespace": "/aws/sagemaker/TrainingJobs"},
    ),
    *_calls("role", JOBS, f"{S3}/.basketwise/spark/1/x", "s3:PutObject s3:DeleteObject"),
    *_calls("role", JOBS, "*", "ecr:GetAuthorizationToken"),
    *_calls(
        "role",
        JOBS,
        IMAGE_REPOSITORY,
        "ecr:BatchCheckLayerAvailability ecr:BatchGetImage ecr:GetDownloadUrlForLayer",
    ),
    *_calls(
        "role",
        PIPELINE,
        NAMES.arn("processing-job/pipelines-abc-Etl-xyz"),
        "sagemaker:CreateProcessingJob sagemaker:DescribeProcessingJob "
        "sagemaker:StopProcessingJob sagemaker:AddTags",
    ),
    *_calls(
        "role",
        PIPELINE,
        NAMES.arn("training-job/pipelines-abc-Train-xyz"),
        "sagemaker:CreateTrainingJob sagemaker:DescribeTrainingJob sagemaker:StopTrainingJob "
        "sagemaker:AddTags",
    ),
    *(
        call
        for resource in (PACKAGES, PACKAGE)
        for call in _calls(
            "role",
            PIPELINE,
            resource,
            "sagemaker:CreateModelPackage sagemaker:DescribeModelPackage "
            "sagemaker:DescribeModelPackageGroup sagemaker:AddTags",
        )
    ),
    *_calls(
        "role",
        PIPELINE,
        NAMES.role_arn,
        "iam:PassRole",
        context={PASSED: "sagemaker.amazonaws.com"},
    ),
    # --- the schedule
    *_calls("schedule", "EventBridge Scheduler", PIPE, "sagemaker:StartPipelineExecution"),
    # --- who runs
    *_calls(
        "run",
        RUNNING,
        S3,
        "s3:GetBucketLocation s3:GetBucketVersioning s3:ListBucket s3:ListBucketMultipartUploads "
        "s3:ListBucketVersions",
    ),
    *_calls(
        "run",
        RUNNING,
        f"{S3}/raw/w.csv",
        "s3:AbortMultipartUpload s3:DeleteObject s3:GetObject s3:ListMultipartUploadParts "
        "s3:PutObject",
    ),
    *_calls(
        "run",
        RUNNING,
        NAMES.arn(f"processing-job/{NAMES.processing_job(RUN)}"),
        "sagemaker:AddTags sagemaker:CreateProcessingJob sagemaker:DescribeProcessingJob "
        "sagemaker:StopProcessingJob",
    ),
    *_calls(
        "run",
        RUNNING,
        NAMES.arn(f"processing-job/{NAMES.evaluation_job(RUN)}"),
        "sagemaker:CreateProcessingJob sagemaker:DescribeProcessingJob",
    ),
    *_calls(
        "role",
        JOBS,
        f"{S3}/artifacts/{NAMES.evaluation_job(RUN)}/output/report.json",
        "s3:PutObject",
    ),
    *_calls(
        "run",
        RUNNING,
        NAMES.arn(f"training-job/{NAMES.training_job(RUN)}"),
        "sagemaker:AddTags sagemaker:CreateTrainingJob sagemaker:DescribeTrainingJob "
        "sagemaker:StopTrainingJob",
    ),
    *_calls("run", RUNNING, LOGS, "logs:FilterLogEvents"),
    *(
        call
        for resource in (PACKAGES, PACKAGE)
        for call in _calls(
            "run",
            RUNNING,
            resource,
            "sagemaker:AddTags sagemaker:CreateModelPackage sagemaker:DescribeModelPackage "
            "sagemaker:DescribeModelPackageGroup sagemaker:UpdateModelPackage",
        )
    ),
    *_calls(
        "run",
        RUNNING,
        PIPE,
        "sagemaker:AddTags sagemaker:CreatePipeline sagemaker:DescribePipeline "
        "sagemaker:ListPipelineExecutions sagemaker:StartPipelineExecution "
        "sagemaker:UpdatePipeline",
    ),
    *_calls(
        "run",
        RUNNING,
        f"{PIPE}/execution/abc",
        "sagemaker:DescribePipelineExecution sagemaker:ListPipelineExecutionSteps",
    ),
    *_calls(
        "run", RUNNING, NAMES.arn("model/retail-1"), "sagemaker:DeleteModel sagemaker:ListTags"
    ),
    *_calls(
        "run",
        RUNNING,
        NAMES.arn("endpoint-config/retail-1"),
        "sagemaker:DeleteEndpointConfig sagemaker:ListTags",
    ),
    *_calls("run", RUNNING, NAMES.arn("model/theirs"), "sagemaker:DescribeModel"),
    *_calls(
        "run", RUNNING, NAMES.arn("endpoint-config/theirs"), "sagemaker:DescribeEndpointConfig"
    ),
    *_calls("run", RUNNING, NAMES.arn("endpoint/theirs"), "sagemaker:DescribeEndpoint"),
    *_calls(
        "run",
        RUNNING,
        "*",
        "sagemaker:ListEndpointConfigs sagemaker:ListEndpoints sagemaker:ListModelPackages "
        "sagemaker:ListModels sagemaker:ListProcessingJobs sagemaker:ListTrainingJobs "
        "servicequotas:ListServiceQuotas",
    ),
    *_calls("run", RUNNING, NAMES.role_arn, "iam:GetRole iam:SimulatePrincipalPolicy"),
    *_calls(
        "run", RUNNING, NAMES.role_arn, "iam:PassRole", context={PASSED: "sagemaker.amazonaws.com"}
    ),
    # --- who deploys
    *_calls("deploy", DEPLOYING, S3, "s3:ListBucket"),
    *_calls(
        "deploy", DEPLOYING, f"{S3}/deployment-configs/latest_model_config.json", "s3:GetObject"
    ),
    *_calls("deploy", DEPLOYING, "*", "sagemaker:ListModelPackages"),
    *_calls("deploy", DEPLOYING, PACKAGE, "sagemaker:DescribeModelPackage"),
    *(
        call
        for kind, created in (
            ("model", "Model"),
            ("endpoint-config", "EndpointConfig"),
            ("endpoint", "Endpoint"),
        )
        for call in _calls(
            "deploy",
            DEPLOYING,
            NAMES.arn(f"{kind}/retail-api"),
            f"sagemaker:AddTags sagemaker:Create{created}",
        )
    ),
    *_calls(
        "deploy",
        DEPLOYING,
        NAMES.arn("endpoint/retail-api"),
        "sagemaker:DescribeEndpoint sagemaker:UpdateEndpoint",
    ),
    *_calls(
        "deploy",
        DEPLOYING,
        NAMES.arn_of("cloudwatch", "alarm:retail-api-errors"),
        "cloudwatch:PutMetricAlarm",
    ),
    *_calls(
        "deploy",
        SCALING,
        NAMES.arn_of("cloudwatch", "alarm:TargetTracking-endpoint/retail-api/variant/AllTraffic-x"),
        "cloudwatch:DescribeAlarms cloudwatch:PutMetricAlarm",
    ),
    *_calls(
        "deploy",
        DEPLOYING,
        NAMES.arn_of("application-autoscaling", "scalable-target/x"),
        "application-autoscaling:PutScalingPolicy application-autoscaling:RegisterScalableTarget",
    ),
    *_calls(
        "deploy",
        SCALING,
        f"arn:aws:iam::{ACCOUNT}:role/aws-service-role/{SCALING_SERVICE}/AWSServiceRoleForSageMaker",
        "iam:CreateServiceLinkedRole",
        context={"iam:AWSServiceName": SCALING_SERVICE},
    ),
    *_calls(
        "deploy",
        DEPLOYING,
        NAMES.role_arn,
        "iam:PassRole",
        context={PASSED: "sagemaker.amazonaws.com"},
    ),
]
